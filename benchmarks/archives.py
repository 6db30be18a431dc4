"""Images around a layer: an OCI archive with an attestation, as buildx writes it, and a classic docker archive."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from isal import isal_zlib

_BUFFER = 4 << 20
_RECORD = tarfile.RECORDSIZE
_LAYER_FOLDER = "1a1a4fce7e34c3d6b3d0a8e8a4a0f1f6a9f4d3f17c5e1d2b0a9c8e7f6d5c4b3a"
"""Old `docker save` names layers by identifiers of its own."""

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
NAME = "bench/worker:1.0"


class Raw(NamedTuple):
    """A layer's tar."""

    diff_id: str
    size: int


class Hashed:
    """A file that is written, and its digest."""

    def __init__(self) -> None:
        self.size = 0
        self._hasher = hashlib.sha256()

    def update(self, data: bytes) -> None:
        self.size += len(data)
        self._hasher.update(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hasher.hexdigest()}"


def write_docker_archive(layer: Path, target: Path) -> Raw:
    """The image of one uncompressed layer, out of the layer as gzip."""
    hashed = Hashed()
    with target.open("wb") as file:
        file.seek(tarfile.BLOCKSIZE)  # the header says the size, which is known only later
        with layer.open("rb") as packed:
            for data in _inflated(packed):
                hashed.update(data)
                file.write(data)
        _finish_docker_archive(file, hashed.digest, hashed.size)
    return Raw(hashed.digest, hashed.size)


def _inflated(packed: BinaryIO) -> Iterator[bytes]:
    """The raw bytes of a gzip file, all of its members."""
    inflate = isal_zlib.decompressobj(wbits=31)
    while data := packed.read(_BUFFER):
        while data:
            yield inflate.decompress(data)
            data = inflate.unused_data
            if inflate.eof:
                inflate = isal_zlib.decompressobj(wbits=31)


def write_sparse_archive(size: int, target: Path) -> None:
    """A docker archive with a layer of `size` zero bytes that take no room on the disk."""
    with target.open("wb") as file:
        file.seek(tarfile.BLOCKSIZE + size)
        _finish_docker_archive(file, f"sha256:{'0' * 64}", size)


def _finish_docker_archive(file: BinaryIO, diff_id: str, size: int) -> None:
    """Everything around a layer of `size` bytes, which lies after the first block."""
    file.write(bytes(-size % tarfile.BLOCKSIZE))
    config = _config(diff_id)
    name = f"{_sha256(config)}.json"
    listed = [{"Config": name, "RepoTags": [NAME], "Layers": [f"{_LAYER_FOLDER}/layer.tar"]}]
    for path, data in ((name, config), ("manifest.json", _json(listed))):
        file.write(_header(path, len(data)) + data + bytes(-len(data) % tarfile.BLOCKSIZE))
    file.write(bytes(2 * tarfile.BLOCKSIZE))
    file.write(bytes(-file.tell() % _RECORD))
    file.seek(0)
    file.write(_header(f"{_LAYER_FOLDER}/layer.tar", size))


def write_oci_archive(layer: Path, diff_id: str, target: Path) -> str:
    """The image of one gzip layer, and the provenance of it. Returns the layer's digest."""
    hashed = Hashed()
    with layer.open("rb") as file:
        while data := file.read(_BUFFER):
            hashed.update(data)
    blobs: list[bytes] = []

    def put(data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        blobs.append(data)
        return {"mediaType": media_type, "digest": f"sha256:{_sha256(data)}", "size": len(data), **more}

    manifest_type = "application/vnd.oci.image.manifest.v1+json"
    config_type = "application/vnd.oci.image.config.v1+json"
    layer_entry = {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "digest": hashed.digest,
        "size": hashed.size,
    }
    main = put(
        _manifest(manifest_type, put(_config(diff_id), config_type), layer_entry),
        manifest_type,
        platform={"architecture": ARCHITECTURE, "os": "linux"},
    )
    statement = put(
        _json({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2"}),
        "application/vnd.in-toto+json",
        annotations={"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"},
    )
    unknown = {"architecture": "unknown", "os": "unknown"}
    about = put(_json({**unknown, "config": {}, "rootfs": {"type": "layers", "diff_ids": [statement["digest"]]}}), config_type)
    proof = put(
        _manifest(manifest_type, about, statement),
        manifest_type,
        platform=unknown,
        annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": main["digest"],
        },
    )
    index_type = "application/vnd.oci.image.index.v1+json"
    root = put(_json({"schemaVersion": 2, "mediaType": index_type, "manifests": [main, proof]}), index_type)
    root["annotations"] = {"org.opencontainers.image.ref.name": "1.0"}
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
        _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        for blob in blobs:
            _add(archive, f"blobs/sha256/{_sha256(blob)}", blob)
        member = tarfile.TarInfo(f"blobs/sha256/{hashed.digest.removeprefix('sha256:')}")
        member.size = hashed.size
        with layer.open("rb") as file:
            archive.addfile(member, file)
        _add(archive, "index.json", _json({"schemaVersion": 2, "manifests": [root]}))
    return hashed.digest


def _config(diff_id: str) -> bytes:
    return _json(
        {
            "architecture": ARCHITECTURE,
            "os": "linux",
            "config": {"Env": ["PATH=/usr/bin:/bin"], "Cmd": ["/bin/true"]},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [
                {"created": "2026-01-01T00:00:00Z", "created_by": "COPY / / # buildkit"},
                {"created": "2026-01-01T00:00:00Z", "created_by": "ENV PATH=/usr/bin:/bin", "empty_layer": True},
            ],
        }
    )


def _manifest(media_type: str, config: dict[str, Any], layer: dict[str, Any]) -> bytes:
    return _json({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]})


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _header(path: str, size: int) -> bytes:
    member = tarfile.TarInfo(path)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


def _add(archive: tarfile.TarFile, path: str, data: bytes) -> None:
    member = tarfile.TarInfo(path)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
