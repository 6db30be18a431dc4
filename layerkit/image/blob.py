"""The one idea that keeps layerkit small: bytes that can be read again, from any offset, without a copy of them.

In: a byte range of an input file, bytes in memory, or a sequence of both. Out: chunks of at most `CHUNK` bytes. Sources make
blobs, the splitter makes blobs, writers and the pusher read them; a retry is one more read, and every size is known before a
byte is sent.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from layerkit.errors import DamagedError
from layerkit.image.digest import Digest, algorithm, encoded, hasher_for
from layerkit.threads import Aside

CHUNK = 256 << 10
"""Bytes handed out at a time: large enough that Python's share vanishes, small enough to stay in a core's own cache. Copying
3.1 GB from file to file takes 0.9 s of processor time with 128 or 256 KiB and 2.4 s with 1 MiB (page faults of new memory)."""

_HASHED_LATER = 16
"""Chunks that may wait for their hash."""

Buffer = bytes | bytearray | memoryview


class Content(Protocol):
    """Bytes of known size, readable any number of times, from several threads at once."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def is_local(self) -> bool:
        """Is it on this machine, so that looking into it costs next to nothing?"""

    def chunks(self, offset: int = 0) -> Iterator[Buffer]:
        """The bytes from `offset` to the end, in pieces of 1 to CHUNK bytes. A piece is valid until the next is asked for."""

    def section(self, start: int, end: int) -> "Content":
        """Bytes [start, end), as content again, without reading them."""


class ReadableFile(Protocol):
    """A file that is read by position, from several threads at once."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def size(self) -> int:
        """Bytes."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes at `offset`. Raises ImageError when they aren't there."""


class InputFile:
    """A file opened for reading by position. Reads from several threads don't disturb each other."""

    def __init__(self, path: Path, *, name: str | None = None, fd: int | None = None) -> None:
        """`name` is what messages call it; `fd`, if given, is taken over (an unlinked temporary file, standard input)."""
        self._fd = -1  # for __del__, should the next lines raise
        self.path = path
        self.name = name or str(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC) if fd is None else fd
        self.size = os.fstat(self._fd).st_size

    def read_at(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes at `offset`. Raises DamagedError when the file ends before."""
        return read_exactly(self._fd, offset, size, self.name)

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()


def read_exactly(fd: int, offset: int, size: int, name: str) -> bytes:
    """`size` bytes at `offset` of an open file. Raises DamagedError, naming it by `name`, when it ends before."""
    data = os.pread(fd, size, offset)
    if len(data) == size:
        return data
    parts = [data]  # pread may stop early at 2 GiB or on a signal: ask once more for the rest
    missing = size - len(data)
    while missing:
        more = os.pread(fd, missing, offset + size - missing)
        if not more:
            raise DamagedError.mismatch(
                name,
                expected=f"{offset + size:,} bytes or more",
                found=f"{offset + size - missing:,} bytes",
                why="the file is truncated",
            )
        parts.append(more)
        missing -= len(more)
    return b"".join(parts)


@dataclass(frozen=True)
class FileRange:
    """`size` bytes of `file`, from `start`."""

    file: ReadableFile
    start: int
    size: int

    @property
    def is_local(self) -> bool:
        return True

    def section(self, start: int, end: int) -> "FileRange":
        return FileRange(self.file, self.start + start, min(end, self.size) - start)

    def chunks(self, offset: int = 0) -> Iterator[Buffer]:
        position, end = self.start + offset, self.start + self.size
        while position < end:
            data = self.file.read_at(position, min(CHUNK, end - position))
            position += len(data)
            yield data


@dataclass(frozen=True)
class Bytes:
    """Bytes in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def is_local(self) -> bool:
        return True

    def section(self, start: int, end: int) -> "Bytes":
        return Bytes(self.data[start:end])

    def chunks(self, offset: int = 0) -> Iterator[Buffer]:
        view = memoryview(self.data)
        for start in range(offset, len(view), CHUNK):
            yield view[start : start + CHUNK]


class Joined:
    """Contents one after the other."""

    def __init__(self, parts: Iterable[Content]) -> None:
        self.parts: Sequence[Content] = tuple(part for part in parts if part.size)
        self._size = sum(part.size for part in self.parts)

    @property
    def size(self) -> int:
        return self._size

    @property
    def is_local(self) -> bool:
        return all(part.is_local for part in self.parts)

    def section(self, start: int, end: int) -> "Joined":
        found = []
        for part in self.parts:
            if start < part.size and end > 0:
                found.append(part.section(max(start, 0), min(end, part.size)))
            start -= part.size
            end -= part.size
        return Joined(found)

    def chunks(self, offset: int = 0) -> Iterator[Buffer]:
        for part in self.parts:
            if offset >= part.size:
                offset -= part.size
                continue
            yield from part.chunks(offset)
            offset = 0


@dataclass(frozen=True)
class Blob:
    """Content and the digest it is known by. The digest is a claim until the bytes were read with `verified`."""

    digest: Digest
    content: Content
    is_computed: bool = False
    """Was the digest computed from this very content? Then there is nothing to verify."""

    @property
    def size(self) -> int:
        return self.content.size

    def chunks(self, offset: int = 0) -> Iterator[Buffer]:
        """The bytes as they are, unverified: for readers who hash themselves."""
        return self.content.chunks(offset)

    def verified(self, where: str) -> Iterator[Buffer]:
        """All the bytes; DamagedError, naming `where`, after the last one when they don't match the digest."""
        if self.is_computed:
            yield from self.content.chunks()
            return
        hasher = hasher_for(self.digest)
        for chunk in self.content.chunks():
            hasher.update(chunk)
            yield chunk
        self._compare(hasher.hexdigest(), where)

    def verified_aside(self, where: str) -> Iterator[Buffer]:
        """`verified`, hashed by a thread of its own: for whoever has to keep up with a decoder."""
        if self.is_computed:
            yield from self.content.chunks()
            return
        hasher = hasher_for(self.digest)
        with Aside(hasher.update, _HASHED_LATER) as hashed:
            for chunk in self.content.chunks():
                data = bytes(chunk)
                hashed.put(data)
                yield data
            hashed.drain()
        self._compare(hasher.hexdigest(), where)

    def _compare(self, found: str, where: str) -> None:
        if found != encoded(self.digest):
            raise DamagedError.mismatch(
                f"{where}: blob {self.digest}",
                expected="content of that digest",
                found=f"{algorithm(self.digest)}:{found} in {self.size:,} bytes",
                why="the image is damaged or was altered; save or build it again",
            )


class Writing(Protocol):
    """Where a blob's bytes go while they are made."""

    def write(self, data: Buffer) -> None:
        """The next bytes."""

    def rewind(self, size: int) -> None:
        """Only the first `size` bytes written so far were right."""

    def finish(self, blob: Blob) -> None:
        """That was all of `blob`."""

    def discard(self) -> None:
        """It isn't wanted. Safe to call after `finish`, which it doesn't undo."""


def read_at(content: Content, offset: int, size: int) -> bytes:
    """`size` bytes at `offset`, fewer at the end."""
    return b"".join(content.section(offset, min(offset + size, content.size)).chunks())


def blob_of(data: bytes) -> Blob:
    """A blob in memory."""
    return Blob(Digest(f"sha256:{hashlib.sha256(data).hexdigest()}"), Bytes(data), is_computed=True)


def digest_content(content: Content, go_on: Callable[[], None] = lambda: None) -> Blob:
    """The blob of `content`, whose digest isn't known yet: reads it once. `go_on` is asked now and then, and may raise."""
    hasher = hashlib.sha256()
    for chunk in content.chunks():
        hasher.update(chunk)
        go_on()
    return Blob(Digest(f"sha256:{hasher.hexdigest()}"), content, is_computed=True)
