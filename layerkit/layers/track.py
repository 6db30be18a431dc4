"""One layer's raw tar as it streams by, and its compressed stream as something that can be cut.

Every kind of layer gives the same: while it is read, chunks that know the cost so far; afterwards, places where the compressed
stream can be entered and left (`Restart`), and raw bytes again from any offset. What is spliced and what is encoded anew
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

    def restarts(self) -> list[Restart]:
        """Where the compressed stream can be entered and left, ascending, near what was remembered at least; after `chunks` is
        exhausted."""

    def compressed(self, start: int, end: int) -> Sliceable:
        """Bytes [start, end) of the compressed stream."""

    def raw(self, start: int, end: int) -> Iterator[Buffer]:
        """Raw bytes [start, end) again, near what was remembered; after `chunks` is exhausted."""

    def close(self) -> None: ...
