"""What the sandbox holds: an OCI layout on disk that other tools can read at any time.

Each tag is an entry of `index.json` named `REPOSITORY:TAG`; which blobs a repository has is kept in memory: as in a real
registry, a blob of one repository has to be mounted to be in another. Everything is written whole or not at all.
"""

import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from layerkit.errors import DamagedError
from layerkit.image.blob import FileRange, InputFile
from layerkit.image.digest import Digest, Hasher, algorithm, encoded, hasher_for
from layerkit.image.manifest import Descriptor, Index, Manifest, parse_document, to_json
from layerkit.image.media_types import OCI_INDEX

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
REF_NAME = "org.opencontainers.image.ref.name"


class Upload:
    """A blob on its way in."""

    def __init__(self, repository: str, folder: Path) -> None:
        self.id = secrets.token_hex(16)
        self.repository = repository
        self.state = secrets.token_urlsafe(12)
        """Changes with each answer: whoever goes on with an old Location has not listened."""
        self.lock = threading.Lock()
        """Held while a request writes."""
        self.size = 0
        """Bytes so far."""
        self.chunks: list[tuple[int, int]] = []
        """Start and end of the first and the last PATCH that was taken."""
        self.ended_short = False
        """Was the last chunk shorter than chunks other than the last may be?"""
        self.path = folder / self.id
        self._file = self.path.open("wb", buffering=0)
        self._hashers: dict[str, Hasher] = {"sha256": hasher_for(Digest("sha256:"))}

    def write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        for hasher in self._hashers.values():
            hasher.update(view)
        self.size += len(view)
        while view:
            view = view[self._file.write(view) :]

    def digest(self, wanted: Digest) -> Digest:
        """Of the content, in the algorithm of `wanted`."""
        kind = algorithm(wanted)
        if kind not in self._hashers:
            self._hashers[kind] = hasher_for(wanted)
            file = InputFile(self.path)
            for chunk in FileRange(file, 0, file.size).chunks():
                self._hashers[kind].update(chunk)
        return Digest(f"{kind}:{self._hashers[kind].hexdigest()}")

    def patched(self, start: int) -> None:
        """A PATCH was taken, from `start` to where the upload is now."""
        self.chunks[1:] = [(start, self.size)]

    def renew(self) -> None:
        self.state = secrets.token_urlsafe(12)

    def close(self) -> None:
        """Gone, unless its file was moved to where blobs are."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class Store:
    """Thread-safe."""

    def __init__(self, folder: Path) -> None:
        """An existing layout is served; a new one is made. Raises DamagedError when `index.json` is none."""
        self.folder = folder
        self._lock = threading.RLock()
        self._tags: dict[str, dict[str, Descriptor]] = {}
        self._blobs: set[tuple[str, Digest]] = set()
        self._manifests: dict[tuple[str, Digest], str] = {}
        """(repository, digest) to media type."""
        self._uploads: dict[str, Upload] = {}
        self._incoming = folder / f".incoming-{secrets.token_hex(4)}"
        self._incoming.mkdir(parents=True, exist_ok=True)
        (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        if not (folder / "oci-layout").exists():
            (folder / "oci-layout").write_bytes(LAYOUT)
        if (folder / "index.json").exists():
            self._load()
        else:
            self._write_index()

    # Blobs

    def blob(self, repository: str, digest: Digest) -> Path | None:
        with self._lock:
            return self._path(digest) if (repository, digest) in self._blobs else None

    def mount(self, repository: str, digest: Digest, origin: str | None) -> bool:
        """Is the blob in `origin` (anywhere, when None)? Then it now is in `repository` too."""
        with self._lock:
            found = any(known == digest and origin in (None, place) for place, known in self._blobs)
            if found:
                self._blobs.add((repository, digest))
            return found

    def begin(self, repository: str) -> Upload:
        upload = Upload(repository, self._incoming)
        with self._lock:
            self._uploads[upload.id] = upload
        return upload

    def upload(self, repository: str, name: str) -> Upload | None:
        with self._lock:
            upload = self._uploads.get(name)
            return upload if upload is not None and upload.repository == repository else None

    def forget(self, upload: Upload) -> None:
        with self._lock:
            self._uploads.pop(upload.id, None)
        upload.close()

    def keep(self, upload: Upload) -> Path:
        """The upload's content is complete, and ends as an upload: its file, to be given to `commit`."""
        with self._lock:
            self._uploads.pop(upload.id, None)
        kept = upload.path.with_suffix(".kept")
        upload.path.replace(kept)
        upload.close()
        return kept

    def commit(self, repository: str, digest: Digest, kept: Path) -> None:
        path = self._path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            kept.replace(path)
            self._blobs.add((repository, digest))

    def delete_blob(self, repository: str, digest: Digest) -> bool:
        with self._lock:
            found = (repository, digest) in self._blobs
            self._blobs.discard((repository, digest))
            return found

    # Manifests

    def manifest(self, repository: str, reference: str) -> tuple[bytes, str, Digest] | None:
        """Bytes, media type and digest, by tag or digest."""
        with self._lock:
            tagged = self._tags.get(repository, {}).get(reference)
            digest = tagged.digest if tagged else Digest(reference)
            media_type = self._manifests.get((repository, digest))
            if media_type is None:
                return None
            return self._path(digest).read_bytes(), media_type, digest

    def put_manifest(self, repository: str, digest: Digest, raw: bytes, media_type: str, tag: str | None) -> None:
        with self._lock:
            _write(self._path(digest), raw)
            self._manifests[repository, digest] = media_type
            tags = self._tags.setdefault(repository, {})
            if tag is not None:
                annotations = {REF_NAME: f"{repository}:{tag}"}
                tags[tag] = Descriptor.of(media_type, digest, len(raw), annotations=annotations)
                self._write_index()

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        with self._lock:
            found = self._manifests.pop((repository, digest), None) is not None
            tags = self._tags.get(repository, {})
            for tag in [tag for tag, descriptor in tags.items() if descriptor.digest == digest]:
                del tags[tag]
            self._write_index()
            return found

    def tags(self, repository: str) -> list[str] | None:
        """In lexical order; None for a repository that nothing was put into."""
        with self._lock:
            tags = self._tags.get(repository)
            return None if tags is None else sorted(tags)

    def has(self, repository: str, digest: Digest) -> bool:
        """As blob or manifest."""
        with self._lock:
            return (repository, digest) in self._blobs or (repository, digest) in self._manifests

    def documents(self, repository: str) -> Iterator[tuple[Descriptor, Mapping[str, object]]]:
        """The manifests of a repository with their fields, for the referrers API."""
        with self._lock:
            known = [(digest, kind) for (place, digest), kind in self._manifests.items() if place == repository]
        for digest, media_type in sorted(known):
            raw = self._path(digest).read_bytes()
            document = parse_document(raw, str(digest), media_type)
            yield Descriptor.of(media_type, digest, len(raw)), document.fields

    def close(self) -> None:
        """Unfinished uploads are forgotten."""
        with self._lock:
            for upload in list(self._uploads.values()):
                self.forget(upload)
            shutil.rmtree(self._incoming, ignore_errors=True)

    def _path(self, digest: Digest) -> Path:
        return self.folder / "blobs" / algorithm(digest) / encoded(digest)

    def _write_index(self) -> None:
        entries = [dict(tags[tag].fields) for _, tags in sorted(self._tags.items()) for tag in sorted(tags)]
        _write(self.folder / "index.json", to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}))

    def _load(self) -> None:
        where = str(self.folder / "index.json")
        document = parse_document((self.folder / "index.json").read_bytes(), where, OCI_INDEX)
        if not isinstance(document, Index):
            raise DamagedError.mismatch(where, expected="an index", found=document.media_type)
        for entry in document.entries:
            repository, _, tag = entry.annotations.get(REF_NAME, "").rpartition(":")
            if repository:
                self._tags.setdefault(repository, {})[tag] = entry
                self._load_manifest(repository, entry)

    def _load_manifest(self, repository: str, descriptor: Descriptor) -> None:
        path = self._path(descriptor.digest)
        if not path.exists():
            return
        document = parse_document(path.read_bytes(), str(path), descriptor.media_type)
        self._manifests[repository, descriptor.digest] = document.media_type
        if isinstance(document, Manifest):
            parts = (document.config, *document.layers)
            self._blobs.update((repository, part.digest) for part in parts if self._path(part.digest).exists())
            return
        for entry in document.entries:
            if (repository, entry.digest) not in self._manifests:
                self._load_manifest(repository, entry)


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_bytes(data)
    temporary.replace(path)
