"""A real image made of real files, as `docker buildx build --output type=oci` writes it.

In: folders of this machine. Out: an OCI archive of one layer per folder, gzip -6, under an index that also holds a provenance
attestation (BuildKit, "Image attestation storage"; in-toto Statement v0.1).
"""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

LEFT_OUT = ("__pycache__", "site-packages", "dist-packages", "test", "tests", "*.a")
"""Of the interpreter's library: what no image needs, and what has a layer of its own."""

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_IN_TOTO = "application/vnd.in-toto+json"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Folder:
    """What becomes one layer."""

    source: Path
    target: str
    """Where it is in the image."""
    left_out: Sequence[str] = ("__pycache__",)
    """Patterns of names that aren't taken along."""
    largest: int = 40_000_000
    """Bytes of a file that is. One file can't be split: what it takes compressed has to be within the demo's limit, and a
    driver of 150 MB isn't."""

    def takes(self, name: str) -> bool:
        return not any(fnmatch(name, pattern) for pattern in self.left_out)


@dataclass(frozen=True)
class Layer:
    path: Path
    digest: str
    diff_id: str
    size: int
    """Bytes, compressed."""
    raw_size: int


class _Hashed:
    """A file that is written to, and hashed on the way."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._hasher = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hasher.update(data)
        self.size += len(data)
        self._file.write(data)
        return len(data)

    def flush(self) -> None:
        self._file.flush()

    @property
    def digest(self) -> str:
        return f"sha256:{self._hasher.hexdigest()}"


def build_image(path: Path, folders: Sequence[Folder], name: str) -> list[Layer]:
    """Writes the archive; `name` is the tag it carries. Returns its layers, from the bottom up."""
    with ThreadPoolExecutor() as pool:
        layers = list(pool.map(_pack, folders, (path.with_suffix(f".layer-{number}") for number in range(len(folders)))))
    with tarfile.open(path, "w") as archive:
        _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        manifest = _put(archive, _MANIFEST, _manifest(archive, layers, folders), platform=_platform("linux", "amd64"))
        attestation = _put(
            archive,
            _MANIFEST,
            _attestation(archive, name, manifest["digest"]),
            platform=_platform("unknown", "unknown"),
            annotations={"vnd.docker.reference.digest": manifest["digest"], "vnd.docker.reference.type": "attestation-manifest"},
        )
        index = _put(archive, _INDEX, {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [manifest, attestation]})
        index["annotations"] = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
        _add(archive, "index.json", json.dumps({"schemaVersion": 2, "manifests": [index]}).encode())
    return layers


def _pack(folder: Folder, path: Path) -> Layer:
    """The folder as a layer in a file."""
    with path.open("wb") as file:
        compressed = _Hashed(file)
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=compressed, mtime=0) as stream:
            raw = _Hashed(stream)
            with tarfile.open(fileobj=raw, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_BLOCK) as layer:  # type: ignore[call-overload]  # it only writes
                for source, target in _files(folder):
                    layer.add(source, target, recursive=False, filter=_as_root)
    return Layer(path, compressed.digest, raw.digest, compressed.size, raw.size)


def _files(folder: Folder) -> Iterator[tuple[Path, str]]:
    """Every file and folder with its name in the image, in a fixed order."""
    for place, folders, files in os.walk(folder.source):
        folders[:] = sorted(filter(folder.takes, folders))
        target = Path(folder.target) / Path(place).relative_to(folder.source)
        yield Path(place), str(target)
        for name in sorted(filter(folder.takes, files)):
            source = Path(place) / name
            if source.lstat().st_size <= folder.largest:
                yield source, str(target / name)


def _as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _manifest(archive: tarfile.TarFile, layers: Sequence[Layer], folders: Sequence[Folder]) -> dict[str, Any]:
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/usr/bin"], "Entrypoint": ["/usr/bin/python3"]},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created_by": f"COPY {folder.source.name} /{folder.target} # buildkit"} for folder in folders]
        + [{"created_by": 'ENTRYPOINT ["/usr/bin/python3"]', "empty_layer": True}],
    }
    descriptors = []
    for layer in layers:
        archive.add(layer.path, _blob_name(layer.digest))
        layer.path.unlink()
        descriptors.append({"mediaType": _LAYER, "digest": layer.digest, "size": layer.size})
    return {"schemaVersion": 2, "mediaType": _MANIFEST, "config": _put(archive, _CONFIG, config), "layers": descriptors}


def _attestation(archive: tarfile.TarFile, name: str, subject: str) -> dict[str, Any]:
    """The manifest of a provenance attestation about `subject`."""
    statement = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"name": f"pkg:docker/{name}", "digest": {"sha256": subject.partition(":")[2]}}],
        "predicate": {"builder": {"id": ""}, "buildType": "https://mobyproject.org/buildkit@v1"},
    }
    layer = _put(archive, _IN_TOTO, statement, annotations={"in-toto.io/predicate-type": statement["predicateType"]})
    config = {"architecture": "unknown", "os": "unknown", "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
    return {"schemaVersion": 2, "mediaType": _MANIFEST, "config": _put(archive, _CONFIG, config), "layers": [layer]}


def _platform(system: str, architecture: str) -> dict[str, str]:
    return {"architecture": architecture, "os": system}


def _put(archive: tarfile.TarFile, media_type: str, document: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Adds a JSON blob; its descriptor."""
    data = json.dumps(document).encode()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    _add(archive, _blob_name(digest), data)
    return {"mediaType": media_type, "digest": digest, "size": len(data), **more}


def _blob_name(digest: str) -> str:
    return f"blobs/sha256/{digest.partition(':')[2]}"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
