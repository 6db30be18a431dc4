"""A gzip layer that is cut without being recompressed.

rapidgzip inflates it on several cores and keeps an index of deflate block boundaries while it does: about one every
`chunk_size` bytes of input, more often where data compresses well. Afterwards `seek` gives raw bytes from any offset again in
30 to 40 ms. It reads inside the outer archive through a file object.
"""

import io
import struct
from collections.abc import Iterator
from typing import Any

import rapidgzip
from isal import isal_zlib

from layerkit.errors import DamagedError
from layerkit.image.blob import CHUNK, Buffer, Sliceable, read_at
from layerkit.layers.codec import Codec, GzipCodec
from layerkit.layers.track import Chunk, Restart

WINDOW = 32768
"""Bytes a deflate block refers back at most (RFC 1951, 2)."""

_TRAILER = 8
"""CRC-32 and length modulo 2**32 (RFC 1952, 2.3.1)."""


class SeveralMembers(Exception):  # noqa: N818 - not an error: the stream is sound, but has to be handled differently
    """The stream isn't one gzip member; its boundaries can't be told from members' headers, so it must not be spliced."""


class GzipTrack:
    """Call `close`: rapidgzip's threads must have ended before the interpreter does."""

    history = WINDOW

    def __init__(self, blob: Sliceable, where: str, *, threads: int, chunk_size: int) -> None:
        """`threads` inflate; `chunk_size` compressed bytes are one thread's work at a time (its memory grows with both)."""
        self.codec: Codec = GzipCodec()
        self._blob = blob
        self._where = where
        try:
            self._file: Any = rapidgzip._RapidgzipFile(_Window(blob), parallelization=threads, chunk_size=chunk_size)
        except Exception as error:  # rapidgzip raises whatever C++ exception there was
            raise self._damaged(error) from None
        self._restarts: list[Restart] | None = None

    def chunks(self) -> Iterator[Chunk]:
        """Raises SeveralMembers after the last chunk if the stream isn't a single member, DamagedError if it isn't sound."""
        buffer = bytearray(CHUNK)
        view = memoryview(buffer)
        at = cost = crc = 0
        self._seek(0)
        while True:
            try:
                count = self._file.readinto(buffer)
                after = min(self._file.tell_compressed() // 8, self._blob.size)
            except Exception as error:
                raise self._damaged(error) from None
            if not count:
                break
            data = view[:count]
            if self._restarts is None:
                crc = isal_zlib.crc32(data, crc)
            after = max(cost, after)
            yield Chunk(data, at, cost, after)
            at += count
            cost = after
        if self._restarts is None:
            self._check_single_member(crc, at)
            offsets = sorted(self._file.block_offsets().items())
            # The last entry is the stream's end; the block before it is marked as final and can't be copied into a longer stream.
            self._restarts = [Restart(raw, bit) for bit, raw in offsets if raw < at]

    def remember(self, raw: int) -> None:
        pass  # everything can be found again

    def forget(self, raw: int) -> None:
        pass

    def settled(self, raw: int) -> bool:
        return self._restarts is not None  # the index is complete with the last block

    def certain(self, raw: int) -> int:
        return 0

    def restarts(self, upto: int | None = None) -> list[Restart]:
        assert self._restarts is not None, "chunks() has to be exhausted first"
        return self._restarts

    def compressed(self, start: int, end: int) -> Sliceable:
        return self._blob.section(start, end)

    def raw(self, start: int, end: int) -> Iterator[Buffer]:
        self._seek(start)
        while start < end:
            buffer = bytearray(min(CHUNK, end - start))
            try:
                count = self._file.readinto(buffer)
            except Exception as error:
                raise self._damaged(error) from None
            if not count:
                raise DamagedError(f"{self._where}: the layer changed while it was read")
            start += count
            yield memoryview(buffer)[:count]

    def close(self) -> None:
        self._file.close()

    def _seek(self, offset: int) -> None:
        try:
            self._file.seek(offset)
        except Exception as error:
            raise self._damaged(error) from None

    def _check_single_member(self, crc: int, length: int) -> None:
        """A single member's trailer has the CRC and the length of everything."""
        trailer = read_at(self._blob, self._blob.size - _TRAILER, _TRAILER)
        if struct.unpack("<II", trailer) != (crc, length & 0xFFFFFFFF):
            raise SeveralMembers

    def _damaged(self, error: Exception) -> DamagedError:
        return DamagedError(f"{self._where}: the gzip stream is damaged ({error}); save or build the image again")


class _Window(io.RawIOBase):
    """Content as the file object that rapidgzip asks for. It is read under rapidgzip's own lock."""

    def __init__(self, blob: Sliceable) -> None:
        super().__init__()
        self._blob = blob
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        left = max(self._blob.size - self._at, 0)
        count = left if size is None or size < 0 else min(size, left)
        data = read_at(self._blob, self._at, count) if count else b""
        self._at += count
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {0: 0, 1: self._at, 2: self._blob.size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at
