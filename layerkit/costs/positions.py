"""Where members begin in a compressed stream. In: offsets in the tar, and marks. Out: offsets in the stream, both ascending."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable

from layerkit.compression.metering import Mark


class Positions:
    """Members are added as their headers go by; where they begin in the stream is known a mark later."""

    def __init__(self) -> None:
        self.known = array("Q")
        """Compressed bytes before each member, as far as that is known."""
        self._starts = array("Q")
        """Of members that wait for the next mark."""
        self._last = Mark(0, 0)

    def add(self, start: int) -> None:
        """The next member's offset in the tar."""
        self._starts.append(start)

    def reach(self, marks: Iterable[Mark]) -> None:
        """The next marks, ascending in both of their numbers."""
        starts, known = self._starts, self.known
        done = 0
        for mark in marks:
            raw, cost = self._last
            upto = bisect_right(starts, mark.raw, done)
            if upto > done:
                width = max(mark.raw - raw, 1)
                rise = mark.cost - cost
                # A header that ends in the next batch is added when marks behind its beginning went by.
                known.extend(cost + max(start - raw, 0) * rise // width for start in starts[done:upto])
                done = upto
            self._last = mark
        del starts[:done]

    def end(self, raw: int, cost: int | None) -> int:
        """The tar ends at `raw`, and takes `cost` bytes compressed, which is returned; None: what the last mark said."""
        total = self._last.cost if cost is None else cost
        self.reach([Mark(max(raw, self._last.raw), total)])
        return total
