"""An OCI layout in a tar, to a file or to standard output.

Blobs are written as they are offered, each once and verified on its way; to a stream, which can't be taken back, when it is
certain that they belong to the image. `index.json`, which names the image, comes last. An image of one platform gets a
`manifest.json` too, so that `docker load` takes the file. The same image gives the same digest; the same order of offers
gives the same bytes.
"""

import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from layerkit.destinations.intake import Intake
from layerkit.destinations.parts import docker_manifest, entries_of, index_json, parts_of
from layerkit.destinations.whole_file import WholeFile, output_errors
from layerkit.errors import UsageError
from layerkit.image.blob import Blob, Buffer, Writing
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.image.layout import DOCKER_FILE, INDEX_FILE, LAYOUT, LAYOUT_FILE, Name, blob_path
from layerkit.progress import SILENT, Progress
from layerkit.tar.header import BLOCK, END_OF_ARCHIVE

_RECORD = 20 * BLOCK
"""Archives are padded to whole records, as tar(1) does."""


class Sink(Protocol):
    """Where the bytes of a tar go."""

    name: str

    @property
    def can_rewind(self) -> bool: ...
    def rewind(self, size: int) -> None: ...
    def write(self, data: Buffer) -> None: ...
    def write_at(self, offset: int, data: Buffer) -> None: ...
    def commit(self) -> None: ...
    def close(self) -> None: ...


class StreamSink:
    """A stream that can't be taken back: standard output."""

    def __init__(self, stream: BinaryIO, name: str = "standard output") -> None:
        self.name = name
        self._stream = stream

    def write(self, data: Buffer) -> None:
        with output_errors(self.name):
            view = memoryview(data)
            while view:  # an unbuffered stream may take less than all
                view = view[self._stream.write(view) :]

    @property
    def can_rewind(self) -> bool:
        return False

    def write_at(self, offset: int, data: Buffer) -> None:
        raise io.UnsupportedOperation(f"{self.name} can't be taken back")

    def rewind(self, size: int) -> None:
        raise io.UnsupportedOperation(f"{self.name} can't be taken back")  # as streams say it that can't seek

    def commit(self) -> None:
        with output_errors(self.name):
            self._stream.flush()

    def close(self) -> None:
        pass


class OciArchive:
    """A `Destination`. `name` replaces the name that the image carries."""

    def __init__(self, sink: Sink, *, name: str | None = None, progress: Progress = SILENT) -> None:
        self._sink = sink
        self._name = name
        self._progress = progress
        self._written = 0
        self._places: list[tuple[Digest, int]] = []
        """The blobs that were written, each with the offset of its header."""
        self._intake = Intake(self._put)
        self._given: Callable[[str], Name] = Name.in_layout
        self._docker: Callable[[Image, Sequence[Name]], bytes | None] = docker_manifest
        self._add(LAYOUT_FILE, LAYOUT)

    @classmethod
    def to_file(cls, path: Path, *, name: str | None = None, progress: Progress = SILENT) -> Self:
        """Raises OutputError when nothing can be written there."""
        return cls(WholeFile(path), name=name, progress=progress)

    def begin(self, label: str) -> Writing | None:
        return _Growing(self, self._intake) if self._sink.can_rewind else None

    def offer(self, blob: Blob, label: str) -> None:
        if self._sink.can_rewind:
            self._intake.offer(blob, label)

    def finish(self, image: Image) -> Digest:
        """Raises OutputError, or ImageError for a blob that is missing or isn't what its digest says."""
        wanted = list(parts_of(image))
        for blob, label in wanted:
            self._intake.offer(blob, label)
        self._intake.drain()
        self._take_strays_out(wanted)
        names = image.names if self._name is None else (self._given(self._name),)
        docker = self._docker(image, names)
        if docker is not None:
            self._add(DOCKER_FILE, docker)
        self._add(INDEX_FILE, index_json(entries_of(image, names)))
        self.write(END_OF_ARCHIVE)
        self.write(bytes(-self._written % _RECORD))
        self._sink.commit()
        return image.root.digest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._intake.stop()
        self._sink.close()

    def _take_strays_out(self, wanted: Sequence[tuple[Blob, str]]) -> None:
        """What was offered and isn't part of the image; what stands behind it is written again."""
        blobs = {blob.digest: (blob, label) for blob, label in wanted}
        first = next((number for number, (digest, _) in enumerate(self._places) if digest not in blobs), None)
        if first is None:
            return
        behind = self._places[first:]
        del self._places[first:]
        self.rewind(behind[0][1])
        for digest, _ in behind:
            if digest in blobs:
                self._put(*blobs[digest])

    def _put(self, blob: Blob, label: str) -> None:
        self._places.append((blob.digest, self._written))
        self.write(_header(blob_path(blob.digest), blob.size))
        with self._progress.task(label, blob.size) as task:
            for chunk in blob.verified(label):
                self._intake.check()
                self.write(chunk)
                task.advance(len(chunk))
        self.write(bytes(-blob.size % BLOCK))

    def written(self) -> int:
        """Bytes so far."""
        return self._written

    def place(self, blob: Blob, at: int) -> None:
        """All of `blob` stands behind the header at this offset, which isn't written yet."""
        self._sink.write_at(at, _header(blob_path(blob.digest), blob.size))
        self.write(bytes(-blob.size % BLOCK))
        self._places.append((blob.digest, at))

    def rewind(self, size: int) -> None:
        self._sink.rewind(size)
        self._written = size

    def _add(self, path: str, data: bytes) -> None:
        self.write(_header(path, len(data)) + data + bytes(-len(data) % BLOCK))

    def write(self, data: Buffer) -> None:
        self._sink.write(data)
        self._written += len(data)


class _Growing:
    """A blob that is written while it is made: its header, which says its digest and size, comes at last. Nothing else is written
    meanwhile."""

    def __init__(self, archive: OciArchive, intake: Intake) -> None:
        self._archive = archive
        self._intake = intake
        intake.turn.acquire()
        self._is_open = True
        self._at = archive.written()
        archive.write(bytes(BLOCK))

    def write(self, data: Buffer) -> None:
        self._archive.write(data)

    def rewind(self, size: int) -> None:
        self._archive.rewind(self._at + BLOCK + size)

    def finish(self, blob: Blob) -> None:
        if self._intake.claim(blob.digest):
            self._archive.place(blob, self._at)
            self._end()
        else:
            self.discard()

    def discard(self) -> None:
        if self._is_open:
            self._archive.rewind(self._at)
            self._end()

    def _end(self) -> None:
        self._is_open = False
        self._intake.turn.release()


class DockerArchive(OciArchive):
    """What `docker load`, podman and skopeo read as a docker archive: the same file, which then must hold one platform."""

    def __init__(self, sink: Sink, *, name: str | None = None, progress: Progress = SILENT) -> None:
        super().__init__(sink, name=name, progress=progress)
        self._docker = _required_manifest
        self._given = Name  # no tag stands alone here


def _required_manifest(image: Image, names: Sequence[Name]) -> bytes:
    found = docker_manifest(image, names)
    if found is None:
        platforms = ", ".join(str(platform.platform) for platform in image.platforms()) or "none"
        raise UsageError(
            f"{image.name}: a docker archive holds one platform of ordinary layers, this image holds {platforms}; "
            "choose one with --platform, or write an OCI archive"
        )
    return found


def _header(path: str, size: int) -> bytes:
    """The header of an ordinary file: always the same for the same name and size."""
    member = tarfile.TarInfo(path)
    member.size = size
    return member.tobuf(tarfile.PAX_FORMAT)
