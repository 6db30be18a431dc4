"""A layer's blob, back to the tar it was made from.

In: the blob's bytes, whose compression is told by their first bytes, never by a media type. Out: the raw tar in order, in pieces
of at most `OUTPUT` bytes whatever the ratio. The stream is followed to its last byte: every gzip member and zstd frame, each
checksum and length compared, so that an end that comes early or late is an error and not a shorter layer.
"""

import itertools
from collections.abc import Iterator
from typing import IO, cast

import zstandard
from isal import igzip_lib

from layerkit.compression.kind import MAGIC_BYTES, sniff
from layerkit.compression.zstd_frames import FrameWalker
from layerkit.errors import CannotFixError, DamagedError
from layerkit.image.blob import Buffer, Content
from layerkit.image.media_types import Compression

OUTPUT = 256 << 10
"""Bytes handed out at a time: half a second-level cache, where ISA-L is fastest (measured: 64 KiB to 1 MiB differ by 8 %)."""

_IsalError = cast(type[Exception], igzip_lib.IsalError)  # isal's stubs declare it as an instance

_FIRST_INPUT = 8 << 10
"""Bytes of a gzip member that are decoded first. What follows the member's end is copied by the decoder, so that feeding much of
an eStargz layer (a member per file) at once would copy it once per file; the step doubles while the member lasts. And a header
with a checksum of its own is only understood in one piece (isal 1.9.1), so that a member always begins with this many."""

_INPUT = 256 << 10

MAX_WINDOW = 128 << 20
"""Bytes of zstd window: what `zstd -d` and the Go decoders take without being asked (`--long=27`)."""


def decoded(content: Content, where: str) -> Iterator[Buffer]:
    """The raw tar of a layer's blob, in pieces of at most OUTPUT bytes (CHUNK when it isn't compressed), each valid until the
    next is asked for. `where` is what messages call the layer. Raises DamagedError, with the offset, for a stream that is
    damaged, truncated or followed by something else; CannotFixError for xz and bzip2, which no media type for layers covers."""
    return decoded_chunks(content.chunks(), where)


def decoded_chunks(chunks: Iterator[Buffer], where: str) -> Iterator[Buffer]:
    """`decoded` over bytes that are already being read, for example by `Blob.verified`."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= MAGIC_BYTES:
            break
    compression = sniff(head[:MAGIC_BYTES])
    if compression is Compression.GZIP:
        yield from _gunzip(_joined(head, chunks), where)
    elif compression is Compression.ZSTD:
        yield from _unzstd(_joined(head, chunks), where)
    elif compression is Compression.NONE:
        yield from _joined(head, chunks)
    else:
        raise CannotFixError(
            f"{where}: the layer is compressed with {compression.value}, which no registry or container engine takes; "
            f"save the image again with layers that are uncompressed, gzip or zstd"
        )


def _joined(head: bytes, chunks: Iterator[Buffer]) -> Iterator[Buffer]:
    if head:
        yield head
    yield from chunks


def _gunzip(chunks: Iterator[Buffer], where: str) -> Iterator[Buffer]:
    """Members one after the other (RFC 1952, 2.2); zeros after the last are padding, as gzip itself takes them."""
    member: igzip_lib.IgzipDecompressor | None = None
    padding = False
    start = at = 0
    step = _FIRST_INPUT
    rest = b""
    for chunk in itertools.chain(chunks, [b""]):  # an empty chunk: there is no more
        view = memoryview(rest + chunk if rest else chunk)
        rest = b""
        position, end = 0, len(view)
        while position < end:
            if member is None:
                if end - position < _FIRST_INPUT and chunk:
                    rest = bytes(view[position:])
                    break
                if at and (padding or not view[position]):
                    _expect_zeros(view[position:], where, at)
                    at += end - position
                    padding = True
                    break
                member, start, step = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP), at, _FIRST_INPUT
            piece: Buffer = view[position : position + step]
            position += len(piece)
            at += len(piece)
            while True:
                try:
                    out = member.decompress(piece, OUTPUT)
                except _IsalError as error:
                    raise _damaged_gzip(where, at, start, error) from None
                if out:
                    yield out
                if member.eof or member.needs_input:
                    break
                piece = b""
            if member.eof:
                unused = len(member.unused_data)
                position -= unused
                at -= unused
                member = None
            else:
                step = min(2 * step, _INPUT)
    if member is not None:
        raise DamagedError.mismatch(
            f"{where}: offset {at:,} of the compressed layer",
            expected=f"the rest of the gzip member that begins at offset {start:,}",
            found="the end of the blob",
            why="it is truncated",
        )


def _expect_zeros(rest: memoryview, where: str, at: int) -> None:
    data = bytes(rest)
    garbage = data.lstrip(b"\0")
    if garbage:
        raise DamagedError.mismatch(
            f"{where}: offset {at + len(data) - len(garbage):,} of the compressed layer",
            expected="zeros after the gzip stream",
            found=f"{garbage[:8].hex()}",
        )


def _damaged_gzip(where: str, at: int, start: int, error: Exception) -> DamagedError:
    expected = "a gzip member" if at - start <= _FIRST_INPUT else f"a sound gzip member from offset {start:,}"
    return DamagedError.mismatch(
        f"{where}: near offset {at:,} of the compressed layer", expected=expected, found="damaged data", why=str(error)
    )


def _unzstd(chunks: Iterator[Buffer], where: str) -> Iterator[Buffer]:
    """Frames one after the other, skippable ones left out."""
    walker = FrameWalker(where)
    source = _Source(chunks, walker)
    reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(
        cast(IO[bytes], source), read_size=zstandard.DECOMPRESSION_RECOMMENDED_INPUT_SIZE, read_across_frames=True
    )
    while True:
        try:
            out = reader.read(OUTPUT)
        except zstandard.ZstdError as error:
            raise DamagedError.mismatch(
                f"{where}: near offset {walker.at:,} of the compressed layer",
                expected=f"a sound zstd frame from offset {walker.frame_start:,}, with a window of at most {MAX_WINDOW:,} bytes",
                found="something else",
                why=str(error),
            ) from None
        if not out:
            break
        yield out
    walker.close()


class _Source:
    """Chunks as the file that zstandard reads; the walker sees them first."""

    def __init__(self, chunks: Iterator[Buffer], walker: FrameWalker) -> None:
        self._chunks = chunks
        self._walker = walker
        self._rest = memoryview(b"")

    def read(self, size: int) -> Buffer:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = memoryview(chunk)
        piece, self._rest = self._rest[:size], self._rest[size:]
        self._walker.feed(piece)
        return piece
