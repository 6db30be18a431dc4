"""A deflate stream, inflated from any place where a block begins.

In: the 32 KiB before that place, the bit at which the block begins, and the stream from the byte that bit is in. Out: raw bytes.
RFC 1951; ISA-L does the work.
"""

from collections.abc import Iterator
from typing import cast

from isal import igzip_lib

from layerkit.compression.deflate_bits import entering
from layerkit.image.blob import Buffer

WINDOW = 32768
"""Bytes a deflate block refers back at most (RFC 1951, 2)."""

OUTPUT = 512 << 10
"""Raw bytes handed out at a time at most, unless asked for otherwise."""

_IsalError = cast(type[Exception], igzip_lib.IsalError)  # isal's stubs declare it as an instance


class StreamError(Exception):
    """The bytes aren't a stream of the kind that was expected. For whoever knows what they belong to."""


class Inflater:
    """`history`: the raw bytes before the place where the stream is entered, at most WINDOW of them. `bit`: where in the first
    byte that is fed a block begins. `output`: bytes handed out at a time at most."""

    def __init__(self, history: bytes = b"", bit: int = 0, output: int = OUTPUT) -> None:
        self._inner = (
            igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_DEFLATE, zdict=history)
            if history
            else igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_DEFLATE)
        )
        self._bit = bit
        self._output = output

    def feed(self, data: Buffer) -> Iterator[bytes]:
        """What comes out of the stream's next bytes, in pieces. Raises StreamError."""
        if self._bit and data:
            data, self._bit = entering(bytes(data[:1]), self._bit) + bytes(data[1:]), 0
        while True:
            try:
                out = self._inner.decompress(data, self._output)
            except _IsalError as error:
                raise StreamError(str(error)) from None
            if out:
                yield out
            if self._inner.eof or self._inner.needs_input:
                return
            data = b""

    @property
    def ended(self) -> bool:
        """Has the stream's last block ended?"""
        return bool(self._inner.eof)

    @property
    def unused(self) -> int:
        """Bytes that were fed and are behind the stream's end."""
        return len(self._inner.unused_data) if self._inner.eof else 0

    def close(self) -> None:
        """Raises StreamError unless the stream ended with the last byte that was fed."""
        if not self.ended or self.unused:
            raise StreamError("the stream doesn't end where it should")
