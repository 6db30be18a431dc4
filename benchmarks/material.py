"""The layer that is measured, in the forms that the contenders take. Made once per size, and kept in the work folder."""

import json
import tarfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.archives import write_docker_archive, write_oci_archive
from benchmarks.contest import Rules, Say
from benchmarks.files import gzip_file, install_torch, installed, write_tar
from layerkit.report.sizes import format_size

FULL = "full"


@dataclass(frozen=True)
class Material:
    layer: Path
    """gzip."""
    oci: Path
    """OCI archive with an attestation."""
    docker: Path
    """Docker archive, uncompressed."""
    size: int
    """Bytes of the layer as gzip."""
    raw_size: int
    """Bytes of the layer's tar."""
    entries: int
    diff_id: str
    digest: str

    def facts(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if not isinstance(value, Path)}


def given_layer(layer: Path, work: Path, say: Say) -> Material:
    """Of a layer that exists, gzip or plain tar. It is only read."""
    status = layer.stat()
    folder = work / f"given-{status.st_size}-{status.st_mtime_ns}"

    def make() -> Path:
        with layer.open("rb") as file:
            if file.read(2) == b"\x1f\x8b":
                return layer
        say(f"compressing {layer} with gzip -6")
        gzip_file(layer, folder / "layer.tar.gz")
        return folder / "layer.tar.gz"

    return _material(folder, make, say)


def installed_layer(size: int | None, work: Path, say: Say) -> Material:
    """Of files that are on this machine, with about `size` bytes as a tar; None: PyTorch with CUDA, about 6 GB."""
    folder = work / (FULL if size is None else f"installed-{size}")

    def make() -> Path:
        raw = folder / "layer.tar"
        if size is None:
            say("installing torch with its CUDA libraries, several GB")
            root = install_torch(folder)
            write_tar(raw, iter(sorted(root.rglob("*"))), None, root=root)
        else:
            say(f"packing {format_size(size)} of installed files")
            write_tar(raw, installed(), size)
        say(f"compressing {format_size(raw.stat().st_size)} with gzip -6")
        gzip_file(raw, folder / "layer.tar.gz")
        raw.unlink()
        return folder / "layer.tar.gz"

    return _material(folder, make, say)


def sample(material: Material, raw_size: int, folder: Path, say: Say) -> Material:
    """The first members of a layer, with about `raw_size` bytes as a tar. Hard links point backwards, so they stay whole."""

    def make() -> Path:
        say(f"taking the first {format_size(raw_size)} of the layer")
        raw = folder / "layer.tar"
        with tarfile.open(material.docker) as outer:
            inner = next(member for member in outer if member.name.endswith("layer.tar"))
            with tarfile.open(fileobj=outer.extractfile(inner)) as members:
                end = next((member.offset for member in members if member.offset >= raw_size), material.raw_size)
            start = inner.offset_data
        with material.docker.open("rb") as source, raw.open("wb") as target:
            source.seek(start)
            while end > 0:
                data = source.read(min(end, 8 << 20))
                target.write(data)
                end -= len(data)
            target.write(bytes(1024))
        gzip_file(raw, folder / "layer.tar.gz")
        raw.unlink()
        return folder / "layer.tar.gz"

    return _material(folder, make, say)


def sample_of(material: Material, raw_size: int, rules: Rules) -> Material:
    """As `sample`, kept in the work folder."""
    return sample(material, raw_size, rules.work / f"sample-{material.diff_id[7:19]}-{raw_size}", rules.say)


def packed(folder: Path, make: Callable[[Path], None], say: Say) -> Material:
    """Of a tar that `make` writes to the path it is given; the tar stays, as `layer.tar`."""

    def compressed() -> Path:
        make(folder / "layer.tar")
        gzip_file(folder / "layer.tar", folder / "layer.tar.gz")
        return folder / "layer.tar.gz"

    return _material(folder, compressed, say)


def _material(folder: Path, make: Callable[[], Path], say: Say) -> Material:
    """What is in `folder`, made by `make` and the archives around it unless it is there already."""
    facts = folder / "material.json"
    if facts.exists():
        kept = json.loads(facts.read_text())
        layer = Path(kept.pop("layer"))
        return Material(layer, folder / "image.oci.tar", folder / "image.docker.tar", **kept)
    folder.mkdir(parents=True, exist_ok=True)
    layer = make()
    say(f"writing the archives of {folder.name}")
    raw = write_docker_archive(layer, folder / "image.docker.tar")
    digest = write_oci_archive(layer, raw.diff_id, folder / "image.oci.tar")
    made = Material(
        layer,
        folder / "image.oci.tar",
        folder / "image.docker.tar",
        layer.stat().st_size,
        raw.size,
        _count(folder / "image.docker.tar"),
        raw.diff_id,
        digest,
    )
    facts.write_text(json.dumps({"layer": str(layer.resolve()), **made.facts()}))
    return made


def _count(docker: Path) -> int:
    """Members of the layer in a docker archive."""
    with tarfile.open(docker) as outer:
        inner = next(member for member in outer if member.name.endswith("layer.tar"))
        with tarfile.open(fileobj=outer.extractfile(inner)) as members:
            return sum(1 for _ in members)
