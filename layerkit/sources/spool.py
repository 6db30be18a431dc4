"""Streams that can't be read by position, put into a temporary file that has no name: standard input, a daemon's answer, a
compressed tar.

What can be read in place never comes here. The file is gone with the process, however that ends.
"""

import bz2
import errno
import io
import lzma
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from layerkit.compression.kind import MAGIC_BYTES, sniff
from layerkit.errors import DamagedError, ImageError, OutputError
from layerkit.image.blob import CHUNK, Buffer, InputFile
from layerkit.image.media_types import Compression
from layerkit.progress import Progress

MAX_WINDOW = 256 << 20
"""Bytes that a decoder may keep of what it decoded: all that `xz -9` (64 MiB) and `zstd --long=27` (128 MiB) want. Windows of
2 GiB (`zstd --long=31`) would break the promise of 700 MB."""

MAX_GROWTH = 200
"""How many times as large as it was a compressed file may become, beyond FREE_GROWTH bytes. Saved images become 2 to 10 times as
large; gzip, zstd, xz and bzip2 reach 1,000 and far more with zeros, and would fill the disk."""
FREE_GROWTH = 1 << 30


def spool_stream(stream: BinaryIO, name: str, progress: Progress, *, total: int = 0) -> InputFile:
    """All of `stream`, decompressed if it is compressed. `total` is its size in bytes, 0 when nobody knows."""
    with progress.task(f"reading {name}", total) as task:
        counted = _Counted(stream, task.advance)
        head = counted.read(MAGIC_BYTES)
        compression = sniff(head)
        chunks = _decoded(_Rejoined(head, counted).buffered(), compression, name)
        return spool_chunks(_bounded(chunks, counted, compression, name), name)


def spool_file(file: InputFile, compression: Compression, progress: Progress) -> InputFile:
    """A compressed file, decompressed."""
    with progress.task(f"decompressing {file.name}", file.size) as task, os.fdopen(os.dup(file.fileno()), "rb") as stream:
        stream.seek(0)
        counted = _Counted(stream, task.advance)
        chunks = _decoded(_Rejoined(b"", counted).buffered(), compression, file.name)
        return spool_chunks(_bounded(chunks, counted, compression, file.name), file.name)


def spool_chunks(chunks: Iterable[Buffer], name: str) -> InputFile:
    """The chunks as a file without a name, in the folder for temporary files (TMPDIR). Raises OutputError when it is full."""
    folder = tempfile.gettempdir()
    try:
        descriptor, path = tempfile.mkstemp(prefix="layerkit-", dir=folder)
    except OSError as error:
        raise OutputError(f"{folder}: no temporary file can be made: {error.strerror}; set TMPDIR to another folder") from None
    Path(path).unlink()
    try:
        with open(descriptor, "wb", buffering=0, closefd=False) as file:
            for chunk in chunks:
                view = memoryview(chunk)
                while view:
                    view = view[_write(file, view, name, folder) :]
    except BaseException:
        os.close(descriptor)
        raise
    return InputFile(Path(name), name=name, fd=descriptor)


def _write(file: io.FileIO, data: memoryview, name: str, folder: str) -> int:
    try:
        return file.write(data)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise OutputError(
            f"{name}: no room for its decompressed bytes in {folder} ({file.tell():,} bytes were written); "
            "set TMPDIR to a folder with more room, or give the image as an uncompressed file"
        ) from None


def _bounded(chunks: Iterator[Buffer], counted: "_Counted", compression: Compression, name: str) -> Iterator[Buffer]:
    """Raises ImageError for a file that becomes too many times as large."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > FREE_GROWTH + MAX_GROWTH * counted.taken and compression is not Compression.NONE:
            raise ImageError(
                f"{name}: {counted.taken:,} bytes of {compression.value} become more than {size:,}; no saved image does. If "
                "it is right nevertheless, decompress it first, and give layerkit the result"
            )
        yield chunk


def _decoded(stream: BinaryIO, compression: Compression, name: str) -> Iterator[Buffer]:
    """The decompressed bytes. Raises DamagedError for a damaged stream, ImageError for one that can't be read."""
    try:
        reader = _reader(stream, compression)
        while chunk := reader.read(CHUNK):
            yield chunk
    except EOFError:
        raise DamagedError.mismatch(
            name, expected=f"a whole {compression.value} stream", found="its beginning", why="the file is truncated"
        ) from None
    except OSError as error:  # isal and gzip raise one without a number for damaged data
        if error.errno is not None:
            raise ImageError(f"{name}: {error.strerror}") from None
        raise DamagedError.mismatch(name, expected=f"a sound {compression.value} stream", found=str(error)) from None
    except _decoding_errors() as error:
        if _is_too_large(error):
            raise ImageError(
                f"{name}: decompressing it takes more than {MAX_WINDOW >> 20} MiB of memory; decompress it first: "
                + ("zstd -d --long=31" if compression is Compression.ZSTD else f"{compression.value} -d")
            ) from None
        raise DamagedError.mismatch(name, expected=f"a sound {compression.value} stream", found=str(error)) from None


def _reader(stream: BinaryIO, compression: Compression) -> BinaryIO:
    if compression is Compression.GZIP:
        from isal import igzip

        return cast(BinaryIO, cast(Any, igzip.IGzipFile)(fileobj=stream, mode="rb"))
    if compression is Compression.ZSTD:
        import zstandard

        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        return cast(BinaryIO, decompressor.stream_reader(stream, read_across_frames=True))
    if compression is Compression.XZ:
        return cast(BinaryIO, _XzStream(stream))
    if compression is Compression.BZIP2:
        return cast(BinaryIO, bz2.BZ2File(stream))
    return stream


def _is_too_large(error: Exception) -> bool:
    """Is it for want of memory that it can't be decoded? liblzma and libzstd say so in their own words."""
    return any(words in str(error) for words in ("Memory usage limit exceeded", "requires too much memory"))


def _decoding_errors() -> tuple[type[Exception], ...]:
    import zstandard
    from isal import isal_zlib

    return (lzma.LZMAError, zstandard.ZstdError, cast(type[Exception], isal_zlib.error))


class _XzStream:
    """The streams of an xz file one after the other, with a limit of memory, which LZMAFile hasn't."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = lzma.LZMADecompressor(memlimit=MAX_WINDOW)
        self._input = b""

    def read(self, size: int) -> bytes:
        """At most `size` bytes, none at the end. Raises LZMAError, EOFError for a stream that ends early."""
        while True:
            if self._decoder.eof:
                self._input = (self._decoder.unused_data or self._stream.read(CHUNK)).lstrip(b"\0")  # padding between streams
                if not self._input:
                    return b""
                self._decoder = lzma.LZMADecompressor(memlimit=MAX_WINDOW)
            elif self._decoder.needs_input and not self._input:
                self._input = self._stream.read(CHUNK)
                if not self._input:
                    raise EOFError
            data = self._decoder.decompress(self._input, size)
            self._input = b""
            if data:
                return data


class _Counted:
    """Reads, and tells how much."""

    def __init__(self, stream: BinaryIO, advance: Callable[[int], None]) -> None:
        self._stream = stream
        self._advance = advance
        self.taken = 0
        """Bytes so far."""

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.taken += len(data)
        self._advance(len(data))
        return data


class _Rejoined(io.RawIOBase):
    """The bytes that were looked at, then the rest."""

    def __init__(self, head: bytes, rest: _Counted) -> None:
        self._head = head
        self._rest = rest

    def buffered(self) -> BinaryIO:
        return io.BufferedReader(self, CHUNK)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed has a private type here
        data, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        data = data or self._rest.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
