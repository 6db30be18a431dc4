"""One layer's compressed stream, as something that is read once and can be cut.

Every kind of layer gives the same: its raw tar in order, in outputs that know which compressed bytes they came from; and near
given places of what has gone by, the boundaries at which the stream can be left and entered. How far apart those are, and
how much history it takes to enter there, is all that differs.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from layerkit.compression.codec import Codec, Decoder
from layerkit.image.blob import Buffer, Content


class Boundary(NamedTuple):
    """A block or frame of the stream begins here."""

    raw: int
    """Offset in the raw tar."""
    bit: int
    """Offset in the compressed stream, in bits."""


class Stop(NamedTuple):
    """Where one decoder ends and another begins: a boundary beyond doubt, up to which everything was decoded."""

    at: Boundary
    history: bytes
    """The raw bytes before it that the bytes behind it may refer to."""


class Output(NamedTuple):
    """Raw bytes, and what they came from. All outputs of a piece say where it begins and ends, for only the last of them, which
    is `whole`, is known to end where the piece does."""

    data: bytes
    raw: int
    """Offset of `data` in the raw tar."""
    begin: int
    """Offset in the compressed stream at which the piece begins."""
    end: int
    whole: bool
    """Has everything come out that comes from the piece?"""
    fed: Buffer
    """The compressed bytes that were decoded for this output, and not for the one before."""
    stop: Stop | None = None
    """Right behind `data`. Its bit is in the byte behind all that was `fed` so far."""

    @property
    def after(self) -> int:
        """Offset in the raw tar of what follows."""
        return self.raw + len(self.data)


class SeveralMembers(Exception):  # noqa: N818 - not an error: the stream is sound, but has to be read differently
    """The stream isn't one gzip member: it can't be spliced."""


class NoBoundary(Exception):  # noqa: N818 - not an error: the stream has to be read differently
    """No boundary is near a place where the stream has to be cut."""


class Stream(Protocol):
    """One layer, readable as often as needed."""

    codec: Codec
    """What parts made of it are compressed with."""
    history: int
    """Raw bytes before a boundary that the bytes behind it refer to: 32,768 for deflate blocks, 0 for what stands alone."""
    margin: int
    """Bytes by which costs may be off at the edges of a part."""
    size: int | None
    """Bytes of the compressed stream; None: that isn't known before it was read."""
    begin: Boundary
    """Where its first block or frame begins."""
    window: int
    """Compressed bytes before a place in which boundaries are looked for."""
    lookahead: int
    """Compressed bytes behind a place that it takes to find a boundary there, most of the time."""
    shortest: int
    """Compressed bytes of a stretch below which copying it isn't worth its seams."""

    def start(self) -> Iterator[Output]:
        """Everything, from the first byte on. Raises DamagedError; SeveralMembers after the last output."""

    def resume(self, at: Stop, decoder: Decoder) -> Iterator[Output]:
        """The same from a boundary on, of which only this says that it is one. `decoder` has read what is published before it,
        the stream's bits in the byte that the boundary is in included. Only asked for where `history` isn't 0."""

    def check(self, crc: int, length: int) -> None:
        """Everything has come out: `length` bytes with this CRC-32. Raises DamagedError and SeveralMembers."""

    def last_before(self, kept: Sequence[Output], raw: int) -> Boundary | None:
        """The last boundary at or before a raw offset that is found in `kept`, outputs one after the other."""

    def first_after(self, kept: Sequence[Output], raw: int) -> Boundary | None:
        """The first boundary at or after a raw offset that is found in `kept`."""

    def compressed(self, start: int, end: int) -> Content:
        """Bytes [start, end) of the compressed stream."""

    def close(self) -> None: ...
