"""Many images to a real registry, behind an edge that breaks connections, the process killed again and again: every tag is right
or isn't there at any time, and little is sent twice. The same in shards."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from layerkit.errors import NotFoundError
from layerkit.image.digest import sha256
from tests.batch.many import bases, distinct_bytes, many_images, write_list
from tests.pusher.edge import Edge, Fault, resets
from tests.pusher.images import client_of
from tests.registry.docker_registry import Served, docker_registry, needs_docker_registry

pytestmark = [pytest.mark.real, needs_docker_registry]

COUNT = 40
KILLS = 5
SHARDS = 4
BROKEN = 0.05


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("images") / "layout"
    return folder, many_images(folder, COUNT, bases(3, 8, 400_000))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Served]:
    with docker_registry(tmp_path) as served:
        yield served


def breaking(seed: int) -> list[Fault]:
    """One connection in twenty breaks: before, in, or after the body, as it comes."""
    chance = random.Random(seed)

    def now(share: float) -> bool:
        return chance.random() < share

    third = BROKEN / 3
    return [
        Fault(lambda asked: now(third), resets(), times=1 << 30),
        Fault(lambda asked: now(third) and asked.length > 0, resets(after=5_000), times=1 << 30),
        Fault(lambda asked: now(third), resets(after=None, forward=True), times=1 << 30),
    ]


def command(home: Path, list_file: Path, *options: str) -> "subprocess.Popen[bytes]":
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    arguments = [sys.executable, "-m", "layerkit.cli", "batch", str(list_file), "--plain-http", *options]
    return subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def held(address: str, name: str) -> str | None:
    """The digest of what the tag holds, and of all that it names: a registry that misses one has a broken tag."""
    client = client_of(address, plain_http=True)
    repository, _, tag = name.partition(":")
    try:
        raw, _ = client.get_manifest(repository, tag)
    except NotFoundError:
        return None
    document = json.loads(raw)
    for blob in (document["config"], *document["layers"]):
        assert client.has_blob(repository, blob["digest"], blob["size"]), f"{name} lacks {blob['digest']}"
    return sha256(raw)


def test_killed_again_and_again(tmp_path: Path, material: tuple[Path, dict[str, str]], registry: Served) -> None:
    folder, digests = material
    chance = random.Random(11)
    with Edge(registry.address, *breaking(7)).serving() as edge:
        work = write_list(tmp_path / "list", folder, edge.address, COUNT)
        for _ in range(KILLS):
            limit = len(edge.log) + chance.randint(5, 70)
            process = command(tmp_path, work)
            deadline = time.monotonic() + 30
            while len(edge.log) < limit and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            process.kill()
            process.communicate()
            for name in list(digests)[:: COUNT // 5]:
                assert held(registry.address, name) in (None, digests[name])
        process = command(tmp_path, work, "--failed", str(tmp_path / "left"))
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert (tmp_path / "left").read_text() == ""
        results = [json.loads(line) for line in output.splitlines()]
        assert len(results) == COUNT
        assert {name: held(registry.address, name) for name in digests} == digests
        assert {result["digest"] for result in results} == set(digests.values())
        assert edge.body_bytes <= 1.25 * distinct_bytes(folder), "what is under way at a kill is most of so small a set"
        _verified_by_skopeo(registry.address, digests)

        edge.faults.clear()
        edge.log.clear()
        process = command(tmp_path, work)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert {json.loads(line)["status"] for line in output.splitlines()} == {"unchanged"}
        assert len(edge.log) <= COUNT + 3, "one request for each tag, and the first contact"
        assert edge.body_bytes == 0


def _verified_by_skopeo(address: str, digests: dict[str, str]) -> None:
    if shutil.which("skopeo") is None:
        return
    for name in list(digests)[:: COUNT // 4]:
        told = subprocess.run(
            ["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{address}/{name}"],
            capture_output=True,
            check=True,
            text=True,
        )
        assert told.stdout.strip() == digests[name]


def test_in_shards_at_once(tmp_path: Path, material: tuple[Path, dict[str, str]], registry: Served) -> None:
    """The same digests, no image twice, none missing; what is shared is sent once by a shard at most."""
    folder, digests = material
    with Edge(registry.address).serving() as edge:
        work = write_list(tmp_path / "list", folder, edge.address, COUNT)

        def shard(index: int) -> bytes:
            (tmp_path / str(index)).mkdir()
            process = command(tmp_path / str(index), work, "--shard", f"{index}/{SHARDS}")
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 0
            return output

        with ThreadPoolExecutor(SHARDS) as threads:
            outputs = list(threads.map(shard, range(1, SHARDS + 1)))
    results = [json.loads(line) for output in outputs for line in output.splitlines()]
    assert sorted(result["reference"].partition("/")[2] for result in results) == sorted(digests)
    assert {name: held(registry.address, name) for name in digests} == digests
    assert edge.body_bytes <= SHARDS * distinct_bytes(folder)
    for output in outputs:
        own = [json.loads(line) for line in output.splitlines()]
        assert sum(result["bytes_sent"] for result in own) <= distinct_bytes(folder)
