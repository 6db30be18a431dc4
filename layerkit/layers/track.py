"""One layer's raw tar as it streams by, and its compressed stream as something that can be cut.

Every kind of layer gives the same: while it is read, chunks that know the cost so far; of what has gone by, places where the
compressed stream can be entered and left (`Restart`), and raw bytes again. What is spliced and what is encoded anew
differs only in how far apart the restarts are and how much history they need.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from layerkit.image.blob import Buffer, Sliceable
from layerkit.layers.codec import Codec


class Chunk(NamedTuple):
    """Raw bytes [start, start + len(data)) of a layer. `data` is valid until the next chunk is asked for."""

    data: Buffer
    start: int
    cost: int
    """Compressed bytes before `start`."""
    cost_after: int
    """Compressed bytes before the end of `data`; between the two, costs are interpolated."""


class Restart(NamedTuple):
    """The compressed stream has a block or frame boundary here."""

    raw: int
    """Offset in the raw tar."""
    bit: int
    """Offset in the compressed stream, in bits."""


class Track(Protocol):
    """One layer, readable as often as needed; closed when done."""

    codec: Codec
    """What parts made of it are compressed with."""
    history: int
    """Raw bytes before a restart that the bytes behind it refer to: 32,768 for deflate blocks, 0 for what stands alone."""

    def chunks(self) -> Iterator[Chunk]:
        """The raw tar, in order. Raises DamagedError."""

    def remember(self, raw: int) -> None:
        """Something may begin or end at this raw offset, which is behind the last chunk, in it, or shortly before it."""

    def forget(self, raw: int) -> None:
        """It won't."""

    def settled(self, raw: int) -> bool:
        """Is all known of the stream up to this raw offset that there will be? Until `chunks` is exhausted, restarts and raw
        bytes may only be asked for where this is true."""

    def certain(self, raw: int) -> int:
        """Bytes of the compressed stream that are before the last restart below `raw`, a place that was remembered or where the
        stream is now, and below every later place: whatever ends there, they are copied. May be fewer than there are."""

    def restarts(self, upto: int | None = None) -> list[Restart]:
        """Where the compressed stream can be entered and left, ascending: those near what was remembered at least, up to a raw
        offset or to the end."""

    def compressed(self, start: int, end: int) -> Sliceable:
        """Bytes [start, end) of the compressed stream."""

    def raw(self, start: int, end: int) -> Iterator[Buffer]:
        """Raw bytes [start, end) again, near what was remembered."""

    def close(self) -> None: ...
