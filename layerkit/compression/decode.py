"""A layer's blob, back to the tar it was made from.

In: the blob's bytes, whose compression is told by their first bytes, never by a media type. Out: the raw tar in order, in pieces
of at most `OUTPUT` bytes whatever the ratio. The stream is followed to its last byte: every gzip member and zstd frame, each
checksum and length compared, so that an end that comes early or late is an error and not a shorter layer.
"""

from collections.abc import Iterator
from typing import IO, cast

import zstandard

from layerkit.compression.gzip_members import Feed, members
from layerkit.compression.kind import MAGIC_BYTES, sniff
from layerkit.compression.zstd_frames import FrameWalker
from layerkit.errors import CannotFixError, DamagedError
from layerkit.image.blob import Buffer, Content
from layerkit.image.media_types import Compression

OUTPUT = 256 << 10
"""Bytes handed out at a time: half a second-level cache, where ISA-L is fastest (measured: 64 KiB to 1 MiB differ by 8 %)."""


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
        yield from members(Feed(_joined(head, chunks)), where, OUTPUT)
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
