"""Many images that share bases: `layerkit batch` killed again and again, in shards, a second time, and beside loops of skopeo.

    python -m benchmarks.batch [--count 500] [--kills 20] [--shards 8]

The bases are this machine's own files, the registry is docker-registry on loopback behind an edge that counts, and breaks
connections where that is what is measured. Prints a line for each measurement.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from layerkit.image.digest import sha256
from tests.batch.many import distinct_bytes, many_images, names, write_list
from tests.batch.test_killed import breaking
from tests.pusher.edge import Edge
from tests.pusher.images import client_of
from tests.registry.docker_registry import docker_registry

_FOLDERS = ("/usr/lib/python3", "/usr/share/perl", "/usr/lib/git-core", "/usr/share/doc", "/usr/include", "/usr/share/zoneinfo")


@dataclass(frozen=True)
class Place:
    folder: Path
    layout: Path
    digests: dict[str, str]
    count: int


def real_bases(most: int = 8, size: int = 8_000_000) -> list[bytes]:
    """Tars of files of this machine, each of about `size` bytes."""
    found: list[bytes] = []
    for folder in _FOLDERS:
        files: list[str] = []
        total = 0
        for path in sorted(Path(folder).rglob("*")) if Path(folder).is_dir() else ():
            if len(found) == most:
                return found
            if path.is_file() and not path.is_symlink() and path.stat().st_size < size // 2:
                files.append(str(path))
                total += path.stat().st_size
                if total >= size:
                    found.append(subprocess.run(["tar", "-cP", *files], capture_output=True, check=True).stdout)
                    files, total = [], 0
    return found


@contextmanager
def served(place: Place, name: str, *, broken: int | None = None) -> Iterator[tuple[Edge, str]]:
    """A new registry behind an edge; the edge, and the registry's own address."""
    folder = place.folder / name
    folder.mkdir()
    with docker_registry(folder) as registry:
        faults = breaking(broken) if broken is not None else []
        with Edge(registry.address, *faults).serving() as edge:
            yield edge, registry.address
    shutil.rmtree(folder)


def command(home: Path, work: Path, *options: str) -> "subprocess.Popen[bytes]":
    home.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    arguments = [sys.executable, "-m", "layerkit.cli", "batch", str(work), "--plain-http", "-q", *options]
    return subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def held(address: str, place: Place) -> dict[str, str | None]:
    client = client_of(address, plain_http=True)
    found: dict[str, str | None] = {}
    for name in place.digests:
        repository, _, tag = name.partition(":")
        try:
            found[name] = sha256(client.get_manifest(repository, tag)[0])
        except Exception:
            found[name] = None
    return found


def killed(place: Place, kills: int) -> None:
    chance = random.Random(1)
    wrong = 0
    began = time.monotonic()
    with served(place, "killed", broken=3) as (edge, address):
        work = write_list(place.folder / "killed.list", place.layout, edge.address, place.count)
        for _ in range(kills):
            limit = len(edge.log) + chance.randint(50, 2 * place.count * 6 // max(1, kills))
            process = command(place.folder / "home-killed", work)
            while len(edge.log) < limit and process.poll() is None:
                time.sleep(0.005)
            process.kill()
            process.communicate()
            wrong += sum(digest not in (None, place.digests[name]) for name, digest in held(address, place).items())
        process = command(place.folder / "home-killed", work)
        process.communicate()
        right = held(address, place) == place.digests
        print(
            f"killed {kills} times, 5 % of connections broken: exit {process.returncode}, every tag right: {right}, wrong at any "
            f"time: {wrong}, bytes {edge.body_bytes / distinct_bytes(place.layout):.3f} x distinct, {len(edge.log)} requests "
            f"({len(edge.log) / place.count:.1f} an image), {time.monotonic() - began:.1f} s"
        )


def in_shards(place: Place, shards: int) -> None:
    with served(place, "shards") as (edge, address):
        work = write_list(place.folder / "shards.list", place.layout, edge.address, place.count)
        began = time.monotonic()
        running = [
            command(place.folder / f"home-{number}", work, "--shard", f"{number}/{shards}") for number in range(1, shards + 1)
        ]
        results = [json.loads(line) for process in running for line in process.communicate()[0].splitlines()]
        seconds = time.monotonic() - began
        done = sorted(result["reference"].partition("/")[2] for result in results)
        print(
            f"{shards} shards at once: all once: {done == sorted(place.digests)}, digests right: "
            f"{held(address, place) == place.digests}, bytes {edge.body_bytes / distinct_bytes(place.layout):.2f} x distinct, "
            f"{len(edge.log)} requests, {seconds:.1f} s"
        )


def side_by_side(place: Place) -> None:
    total = distinct_bytes(place.layout)
    with served(place, "batch") as (edge, _):
        work = write_list(place.folder / "batch.list", place.layout, edge.address, place.count)
        for what in ("layerkit batch", "layerkit batch, a second time"):
            edge.log.clear()
            began = time.monotonic()
            process = command(place.folder / "home-batch", work)
            process.communicate()
            _tell(what, time.monotonic() - began, edge, total, place)
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(f"largest child so far: {children / 1024:.0f} MiB")
    with served(place, "copy") as (edge, _):
        began = time.monotonic()
        for name in names(place.count):
            source, target = f"oci:{place.layout}:{name}", f"docker://{edge.address}/{name}"
            subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", source, target], check=True)
        _tell("a loop of skopeo copy", time.monotonic() - began, edge, total, place)


def _tell(what: str, seconds: float, edge: Edge, total: int, place: Place) -> None:
    requests = len(edge.log)
    print(
        f"{what}: {seconds:.1f} s, bytes {edge.body_bytes / total:.2f} x distinct, {requests} requests "
        f"({requests / place.count:.1f} an image)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--only", choices=("killed", "shards", "beside"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="layerkit-batch-") as name:
        folder = Path(name)
        bases = real_bases()
        digests = many_images(folder / "layout", asked.count, bases, own=20_000)
        place = Place(folder, folder / "layout", digests, asked.count)
        total = distinct_bytes(place.layout)
        print(f"{asked.count} images, {len(bases)} bases, {total / 1e6:.1f} MB of distinct blobs", flush=True)
        if asked.only in (None, "beside"):
            side_by_side(place)
        if asked.only in (None, "shards"):
            in_shards(place, asked.shards)
        if asked.only in (None, "killed"):
            killed(place, asked.kills)


if __name__ == "__main__":
    main()
