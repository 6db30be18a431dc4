"""Small images made on the spot: files by name, packed into tars or written to a folder."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from layerkit.image.digest import encoded, sha256
from layerkit.image.media_types import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST

Files = dict[str, bytes]

ATTESTED = {"vnd.docker.reference.type": "attestation-manifest"}


def tar(files: Mapping[str, bytes], *, links: Mapping[str, str] | None = None, hard: Mapping[str, str] | None = None) -> bytes:
    """`links` are symlinks, `hard` hard links: name to target."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as packed:
        for kind, targets in ((tarfile.SYMTYPE, links or {}), (tarfile.LNKTYPE, hard or {})):
            for name, target in targets.items():
                member = tarfile.TarInfo(name)
                member.type, member.linkname = kind, target
                packed.addfile(member)
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
            else:
                member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def layer(text: str = "hello") -> bytes:
    return tar({"etc/": b"", "etc/motd": text.encode()})


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def config(*diff_ids: str, architecture: str = "amd64", **more: Any) -> bytes:
    fields = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": list(diff_ids)}, **more}
    return json.dumps(fields).encode()


def put(files: Files, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    """Adds a blob; its descriptor."""
    files[f"blobs/sha256/{encoded(sha256(data))}"] = data
    return {"mediaType": media_type, "digest": sha256(data), "size": len(data), **more}


def add_manifest(files: Files, *texts: str, architecture: str = "amd64", **more: Any) -> dict[str, Any]:
    """Adds an image with one gzip layer for each text; its manifest's descriptor."""
    raw_layers = [layer(text) for text in texts]
    fields = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": put(files, config(*map(sha256, raw_layers), architecture=architecture), OCI_CONFIG),
        "layers": [put(files, gzipped(raw), OCI_LAYER_GZIP) for raw in raw_layers],
    }
    return put(files, json.dumps(fields).encode(), OCI_MANIFEST, **more)


def add_index(files: Files, entries: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    fields = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)}
    return put(files, json.dumps(fields).encode(), OCI_INDEX, **more)


def layout(files: Files, *entries: Mapping[str, Any]) -> Files:
    """The files of an OCI layout over blobs that were put before."""
    index = {"schemaVersion": 2, "manifests": list(entries)}
    return {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode(), **files}


def simple_layout(*texts: str, **more: Any) -> Files:
    files: Files = {}
    return layout(files, add_manifest(files, *(texts or ("hello",)), **more))


def docker_archive(*layers: bytes, names: Sequence[str] = (), tags: object = ("app:1",), **more: Any) -> Files:
    """`names`: of the layers' files; classic ones when empty. `more` are further fields of the config."""
    paths = list(names) or [f"{number:064x}/layer.tar" for number in range(len(layers))]
    raw_layers = [gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data for data in layers]
    raw = config(*map(sha256, raw_layers), **more)
    item = {"Config": f"{encoded(sha256(raw))}.json", "RepoTags": tags, "Layers": paths}
    files = {f"{encoded(sha256(raw))}.json": raw, **dict(zip(paths, layers, strict=True))}
    return {**files, "manifest.json": json.dumps([item]).encode()}


def write_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    path.write_bytes(tar(files))
    return path


def write_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path
