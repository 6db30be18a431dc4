"""A gzip stream's members: header, deflate stream, checksums (RFC 1952, 2.2 and 2.3).

In: the compressed bytes in order. Out: raw bytes, every member's checksum and length compared. Headers are read here: when one
with several optional fields reaches from one piece of the input into the next, isal (1.9.1) takes its rest for deflate data.
"""

import struct
import zlib
from collections.abc import Iterator

from isal import isal_zlib

from layerkit.compression.inflater import Inflater, StreamError
from layerkit.errors import DamagedError
from layerkit.image.blob import Buffer

MAGIC = b"\x1f\x8b\x08"
"""Deflate is the only method there is."""
_HEADER = 10
_CHECKSUM, _EXTRA, _NAME, _COMMENT = 2, 4, 8, 16

TRAILER = 8
"""CRC-32 and length modulo 2**32."""

_LONGEST_TEXT = 1 << 20
"""Bytes of a name or comment: what no encoder writes isn't looked for any further."""

_FIRST_INPUT = 8 << 10
"""Bytes of a member that are inflated first. What follows the member's end is copied by the decoder, so that feeding much of an
eStargz layer (a member per file) at once would copy it once per file; the step doubles while the member lasts."""
_INPUT = 256 << 10


class Feed:
    """Chunks, to be taken in any amounts."""

    def __init__(self, chunks: Iterator[Buffer]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")
        self._next = 0
        """Offset of the first byte of the chunk that wasn't taken."""
        self.at = 0
        """Bytes taken so far."""

    def some(self, most: int) -> memoryview:
        """At least one of the next bytes, and at most so many, valid until the next are taken; empty at the end."""
        while self._next == len(self._chunk):
            chunk = next(self._chunks, None)
            if chunk is None:
                return memoryview(b"")
            self._chunk, self._next = memoryview(chunk), 0
        piece = self._chunk[self._next : self._next + most]
        self._next += len(piece)
        self.at += len(piece)
        return piece

    def back(self, size: int) -> None:
        """The last bytes of what was taken last weren't needed."""
        self._next -= size
        self.at -= size

    def exactly(self, size: int) -> bytes:
        """So many bytes; fewer at the end."""
        data = bytes(self.some(size))
        while len(data) < size and (piece := self.some(size - len(data))):
            data += piece
        return data


def members(feed: Feed, where: str, output: int) -> Iterator[bytes]:
    """What comes out of all members, in pieces of at most `output` bytes. Zeros after the last are padding, as gzip itself takes
    them. Raises DamagedError."""
    while True:
        start = feed.at
        if start and _only_zeros_follow(feed, where):
            return
        read_header(feed, where)
        inflater = Inflater(output=output)
        crc = size = 0
        step = _FIRST_INPUT
        while not inflater.ended:
            piece = feed.some(step)
            if not piece:
                raise truncated(where, feed.at, start)
            try:
                for data in inflater.feed(piece):
                    crc = isal_zlib.crc32(data, crc)
                    size += len(data)
                    yield data
            except StreamError as error:
                expected = f"a sound gzip member from offset {start:,}"
                raise _damaged(where, feed.at, expected, "damaged data", str(error), "near ") from None
            step = min(2 * step, _INPUT)
        feed.back(inflater.unused)
        trailer = feed.exactly(TRAILER)
        if len(trailer) < TRAILER:
            raise truncated(where, feed.at, start)
        if struct.unpack("<II", trailer) != (crc, size & 0xFFFFFFFF):
            expected = f"the checksum of the gzip member that begins at offset {start:,}, CRC-32 {crc:08x} and length {size:,}"
            raise _damaged(where, feed.at - TRAILER, expected, trailer.hex())


def read_header(feed: Feed, where: str) -> None:
    """Takes a member's header. Raises DamagedError."""
    start = feed.at
    header = feed.exactly(_HEADER)
    if header[: len(MAGIC)] != MAGIC[: len(header)]:
        raise _damaged(where, start, "a gzip header", header.hex())
    flags = header[3] if len(header) == _HEADER else 0
    if flags & _EXTRA:
        header += (size := feed.exactly(2))
        header += feed.exactly(int.from_bytes(size, "little"))
    for flag in (_NAME, _COMMENT):
        if flags & flag:
            header += _text(feed, where)
    if flags & _CHECKSUM:
        found = feed.exactly(2)
        if len(found) == 2 and int.from_bytes(found, "little") != zlib.crc32(header) & 0xFFFF:
            raise _damaged(where, start, "a gzip header with a sound checksum", found.hex())
    if not feed.some(1):
        raise truncated(where, feed.at, start)
    feed.back(1)


def _text(feed: Feed, where: str) -> bytes:
    """Up to the zero that ends it, or to the end."""
    start = feed.at
    text = b""
    while piece := bytes(feed.some(_FIRST_INPUT)):
        end = piece.find(b"\0") + 1
        if end:
            feed.back(len(piece) - end)
            return text + piece[:end]
        text += piece
        if len(text) > _LONGEST_TEXT:
            raise _damaged(where, start, f"a gzip header's name of at most {_LONGEST_TEXT:,} bytes", "more")
    return text


def _only_zeros_follow(feed: Feed, where: str) -> bool:
    """Is there no other member? Raises DamagedError for what is neither."""
    first = feed.some(1)
    if first and first[0]:
        feed.back(1)
        return False
    while piece := feed.some(_INPUT):
        garbage = bytes(piece).lstrip(b"\0")
        if garbage:
            raise _damaged(where, feed.at - len(garbage), "zeros after the gzip stream", garbage[:8].hex())
    return True


def truncated(where: str, at: int, start: int) -> DamagedError:
    """The error for a stream that ends in the member that begins at `start`."""
    return _damaged(
        where, at, f"the rest of the gzip member that begins at offset {start:,}", "the end of the blob", "it is truncated"
    )


def _damaged(where: str, at: int, expected: str, found: str, why: str = "", about: str = "") -> DamagedError:
    return DamagedError.mismatch(
        f"{where}: {about}offset {at:,} of the compressed layer", expected=expected, found=found, why=why
    )
