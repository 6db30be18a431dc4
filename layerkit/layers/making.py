"""A part, and one that is being made.

A part's stream is a sequence of contents: stretches of the layer's own stream, and new bytes. While it is made, the last stretch
is still getting longer (`Copy`), and behind it may be a seam: raw bytes that will be encoded when it is known where the next
stretch begins.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from layerkit.compression.checksum import Tally
from layerkit.image.blob import Blob, Content, Joined
from layerkit.image.digest import Digest
from layerkit.streams.stream import Boundary, Stop
from layerkit.tar.header import END_OF_ARCHIVE


@dataclass(frozen=True)
class Part:
    """One of the layers that replace a layer."""

    blob: Blob
    diff_id: Digest
    """The SHA-256 of what came out of the very bytes that the blob's digest is of."""


class Raw(NamedTuple):
    """Bytes [start, end) of the layer's raw tar."""

    start: int
    end: int


class Mark(NamedTuple):
    """A place in a part's stream from which it can be decoded again: where a decoder ended, or the part's beginning."""

    number: int
    """Of the part."""
    size: int
    """Bytes of the part's stream before it."""
    boundary: Boundary | None = None
    """Where that is in the layer's stream; None: nowhere, it is between new bytes."""
    history: bytes = b""
    """The raw bytes before it that those behind it may refer to."""

    @property
    def bit(self) -> int:
        """Of the byte that the part's stream goes on with."""
        return 0 if self.boundary is None else self.boundary.bit % 8


class Copy(NamedTuple):
    """A stretch that is being copied."""

    begin: Boundary
    byte: int
    """Of the layer's stream, the first that is copied as it is."""
    contents: int
    """How many contents the part has before it."""
    size: int
    """Bytes of those."""


class Making:
    """A part being made. `begin`: what its stream begins with. `keep` makes contents of new bytes."""

    def __init__(self, number: int, begin: bytes, keep: Callable[[bytes], Content]) -> None:
        self.number = number
        """From 0."""
        self.contents: list[Content] = []
        """Its stream, but for the stretch that is being copied, and for its end."""
        self.size = 0
        """Bytes of those."""
        self.copy: Copy | None = None
        self.seam: list[Raw | bytes] | None = None
        """What will be encoded behind the stretch that is being copied; None: there is nothing yet."""
        self.seam_at = 0
        """Offset of the edit that the seam began with."""
        self.tally = Tally()
        """Of its raw tar, but for the range that is open."""
        self.range: tuple[int, int] | None = None
        """Offset at which a range of the layer's tar began, and the layer's CRC-32 there."""
        self.tail = END_OF_ARCHIVE
        """What its raw tar ends with."""
        self.late = b""
        """Runs that came when it had ended."""
        self.late_taken = 0
        """Bytes of those that were there when it was closed."""
        self.is_begun = False
        self.is_closed = False
        self._keep = keep
        self.add(begin)
        self.mark = Mark(number, self.size)

    def add(self, data: bytes) -> None:
        """New bytes of its stream."""
        if data:
            self.append(self._keep(data))

    def append(self, content: Content) -> None:
        self.contents.append(content)
        self.size += content.size

    def drop(self, copy: Copy) -> None:
        """The stretch isn't copied, after all."""
        del self.contents[copy.contents :]
        self.size = copy.size

    def marked(self, stop: Stop) -> Mark:
        """The stretch that is being copied has come to a stop."""
        assert self.copy is not None
        self.mark = Mark(self.number, self.size + stop.at.bit // 8 - self.copy.byte, stop.at, stop.history)
        return self.mark

    def marked_here(self, history: bytes) -> Mark:
        """So has what stands here so far."""
        self.mark = Mark(self.number, self.size, None, history)
        return self.mark

    def since_mark(self) -> Content:
        """The contents behind the last mark."""
        return Joined(self.contents).section(self.mark.size, self.size)

    def sew(self, start: int, end: int) -> None:
        """Raw bytes [start, end) are the seam's."""
        assert self.seam is not None
        last = self.seam[-1] if self.seam else b""
        if isinstance(last, Raw) and last.end == start:
            self.seam[-1] = Raw(last.start, end)
        else:
            self.seam.append(Raw(start, end))

    def cut_seam(self, end: int) -> None:
        """The seam ends at raw offset `end`, if it comes so far."""
        assert self.seam is not None
        last = self.seam[-1] if self.seam else b""
        if isinstance(last, Raw):
            self.seam[-1:] = [Raw(last.start, min(last.end, end))] if last.start < end else []

    def close_range(self, at: int, crc: int) -> None:
        """The range ends at offset `at`, where the layer's CRC-32 is `crc`."""
        if self.range is not None:
            begin, before = self.range
            self.tally.add_range(before, crc, at - begin)
            self.range = None
