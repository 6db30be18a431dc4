"""Images for tests of the whole way: layers of any compression, history, attestations, indexes of all shapes.

`Layer` is a layer as it will be stored; `add_image`, `add_attestation` and `builders.add_index` put blobs into `Files`, which
`builders.layout` and `builders.write_tar` make an archive of.
"""

import gzip
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

from layerkit.compression.decode import decoded
from layerkit.image.digest import sha256
from layerkit.image.image import Image
from layerkit.image.media_types import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    IN_TOTO,
    OCI_CONFIG,
    OCI_MANIFEST,
    Compression,
    Family,
    layer_type,
)
from layerkit.sources import open_image
from tests import tar_building as tar
from tests.sources.builders import ATTESTED, Files, add_index, layout, put, write_tar

LIMIT = 100_000
"""Bytes: what these tests split at. Above the 65,536 that layerkit takes at least."""

FIRST, SECOND = "linux/amd64", "linux/arm64"


@dataclass(frozen=True)
class Layer:
    """`raw` is its tar. `media_type` empty: the right one. `stored`: the blob, if it isn't what `compression` makes of `raw`."""

    raw: bytes
    compression: Compression = Compression.GZIP
    level: int = 6
    media_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    stored: bytes = b""

    @property
    def blob(self) -> bytes:
        if self.stored:
            return self.stored
        if self.compression is Compression.GZIP:
            return gzip.compress(self.raw, self.level, mtime=0)
        if self.compression is Compression.ZSTD:
            return zstandard.compress(self.raw, 3)
        return self.raw


def small(text: str = "hello") -> Layer:
    """Within every limit."""
    return Layer(tar.layer(tar.directory("etc"), tar.file(f"etc/{text}", text.encode())))


def large(files: int = 6, size: int = 50_000, *, seed: int = 0, folder: str = "data", **more: Any) -> Layer:
    """Of `files` files that don't compress, `size` bytes each: several parts at LIMIT."""
    chance = random.Random(seed)
    runs = [tar.directory(folder, mode=0o750, mtime=1_600_000_000)]
    runs += [tar.file(f"{folder}/file-{number}", chance.randbytes(size), uid=7) for number in range(files)]
    return Layer(tar.layer(*runs), **more)


def add_image(
    files: Files,
    layers: Sequence[Layer],
    *,
    platform: str = FIRST,
    family: Family = Family.OCI,
    history: Sequence[Mapping[str, Any]] | None = None,
    config: Mapping[str, Any] | None = None,
    manifest: Mapping[str, Any] | None = None,
    diff_ids: Sequence[str] | None = None,
    **descriptor: Any,
) -> dict[str, Any]:
    """Adds an image; its manifest's descriptor, with the platform. `config` and `manifest` are further fields of those,
    `diff_ids` replaces the true ones."""
    system, architecture, *variant = platform.split("/")
    fields: dict[str, Any] = {
        "architecture": architecture,
        "os": system,
        **({"variant": variant[0]} if variant else {}),
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/true"]},
        "rootfs": {"type": "layers", "diff_ids": [sha256(layer.raw) for layer in layers] if diff_ids is None else diff_ids},
        **({} if history is None else {"history": list(history)}),
        **(config or {}),
    }
    docker = family is Family.DOCKER
    manifest_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    document = {
        "schemaVersion": 2,
        "mediaType": manifest_type,
        "config": put(files, json.dumps(fields).encode(), DOCKER_CONFIG if docker else OCI_CONFIG),
        "layers": [
            put(
                files,
                layer.blob,
                layer.media_type or layer_type(family, layer.compression),
                **({"annotations": dict(layer.annotations)} if layer.annotations else {}),
            )
            for layer in layers
        ],
        **(manifest or {}),
    }
    named = {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
    return put(files, json.dumps(document).encode(), manifest_type, platform=named, **descriptor)


def add_attestation(files: Files, subject: Mapping[str, Any], *, annotated: bool = True) -> dict[str, Any]:
    """A provenance attestation about `subject`, as BuildKit writes it."""
    statement = {"_type": "https://in-toto.io/Statement/v0.1", "subject": [{"digest": subject["digest"]}]}
    layer = put(files, json.dumps(statement).encode(), IN_TOTO)
    config = {"architecture": "unknown", "os": "unknown", "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": put(files, json.dumps(config).encode(), OCI_CONFIG),
        "layers": [layer],
    }
    about = {**ATTESTED, "vnd.docker.reference.digest": subject["digest"]}
    return put(
        files,
        json.dumps(document).encode(),
        OCI_MANIFEST,
        platform={"os": "unknown", "architecture": "unknown"},
        **({"annotations": about} if annotated else {}),
    )


def attested_archive(path: Path, layers: Sequence[Layer], name: str = "1.0", **more: Any) -> Path:
    """What `docker buildx build --output type=oci` writes: one platform and its attestation in an index."""
    files: Files = {}
    image = add_image(files, layers, **more)
    index = add_index(files, [image, add_attestation(files, image)])
    return write_tar(path, layout(files, {**index, "annotations": {"org.opencontainers.image.ref.name": name}}))


def opened(path: Path, files: Files, *entries: Mapping[str, Any]) -> Image:
    """The image in an OCI archive of these blobs."""
    return open_image(str(write_tar(path / "image.tar", layout(files, *entries))))


def manifest_list(files: Files, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Docker's index."""
    fields = {"schemaVersion": 2, "mediaType": DOCKER_INDEX, "manifests": list(entries)}
    return put(files, json.dumps(fields).encode(), DOCKER_INDEX)


def raw_layers(image: Image, platform: int = 0) -> list[bytes]:
    """The layers' tars, from the bottom up; each has the digest that it is said to have."""
    found = image.platforms()[platform]
    tars = []
    for layer, diff_id in zip(found.manifest.layers, found.config.diff_ids, strict=True):
        assert sha256(b"".join(map(bytes, image.blob(layer).chunks()))) == layer.digest
        raw = b"".join(bytes(data) for data in decoded(image.blob(layer).content, layer.digest))
        assert sha256(raw) == diff_id
        tars.append(raw)
    return tars
