"""A part's compressed stream, readable before it is known where the part ends.

In: what is certain of a part while it is being filled. Out: the beginning of its stream, as far as it stays the same however the
part goes on, and at last the whole. Digests and read-backs follow it, so that they are nearly done when the part is. Whether
what was certain was so is compared at the end, not trusted: if it wasn't, whoever followed reads the part once more.
"""

import threading
from collections.abc import Iterator, Sequence

from layerkit.image.blob import Buffer, Bytes, FileRange, Joined, Sliceable, read_at
from layerkit.layers.part import Piece, Raw
from layerkit.layers.splice import Verbatim, arrange, begun, copied
from layerkit.layers.track import Restart, Track

MAX_PIECES = 64
"""A part of more pieces is read when it is complete: what is certain of it is put together anew with each of them."""


class GivenUpError(Exception):
    """Ends the reading of what nobody waits for any more."""


class Beginning:
    """What a part's stream begins with. Asked again and again by the thread that reads the track."""

    def __init__(self, track: Track) -> None:
        self._track = track
        self._pieces = 0
        """How many of the part's pieces the beginning below is made of."""
        self._before: list[Sliceable] = []
        """The stream up to the last verbatim stretch."""
        self._begin = 0
        """Where in the source's stream that stretch begins."""

    def of(self, pieces: Sequence[Piece]) -> list[Sliceable]:
        """Of a part of these pieces, the last of which may get longer. Empty: nothing is certain yet."""
        last = pieces[-1] if pieces else b""
        if not isinstance(last, Raw) or len(pieces) > MAX_PIECES or not self._track.settled(last.start):
            return []
        certain = self._track.certain(last.end)
        if len(pieces) != self._pieces and not self._enter(pieces, last, Restart(last.end, 8 * certain)):
            return []
        if certain <= self._begin:
            return []
        return [*self._before, self._track.compressed(self._begin, certain)]

    def _enter(self, pieces: Sequence[Piece], last: Raw, end: Restart) -> bool:
        """Puts everything before the last stretch together. False: too little of that stretch has come."""
        restarts = [restart for restart in self._track.restarts(last.start) if restart.bit < end.bit and restart.raw < end.raw]
        steps = list(arrange(pieces, [*restarts, end], self._track.history))
        if not steps or not isinstance(stretch := steps[-1], Verbatim) or stretch.end != end:
            return False
        *lead, rest = copied(stretch, self._track, Bytes)
        self._before = [*begun(steps[:-1], self._track, Bytes), *lead]
        self._begin = end.bit // 8 - rest.size
        self._pieces = len(pieces)
        return True


class Growing:
    """The stream itself. One thread lets it grow, others read it, each from the beginning; they wait for what isn't there yet."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._content: Sliceable = Joined([])
        self._contradicted = False
        self._closed = False
        self._given_up = False

    def grow(self, beginning: Sequence[Sliceable]) -> None:
        """It begins like this."""
        content = Joined(beginning)
        if content.size > self._content.size:
            self._take(content)

    def close(self, content: Sliceable) -> bool:
        """This is all of it. False: it isn't what was said to be certain, and whoever follows must be given up."""
        return self._take(content, is_all=True)

    def _take(self, content: Sliceable, *, is_all: bool = False) -> bool:
        self._contradicted = self._contradicted or not begins_with(content, self._content)
        if self._contradicted:
            return False
        with self._changed:
            self._content = content
            self._closed = is_all
            self._changed.notify_all()
        return True

    def give_up(self) -> None:
        with self._changed:
            self._given_up = True
            self._changed.notify_all()

    def chunks(self) -> Iterator[Buffer]:
        """Raises GivenUpError."""
        at = 0
        while True:
            with self._changed:
                while not (self._given_up or self._closed or self._content.size > at):
                    self._changed.wait()
                content, closed = self._content, self._closed
            for chunk in content.chunks(at):
                if self._given_up:
                    raise GivenUpError
                at += len(chunk)
                yield chunk
            if self._given_up:
                raise GivenUpError
            if closed:
                return


def begins_with(content: Sliceable, beginning: Sliceable) -> bool:
    """Are the first bytes of `content` those of `beginning`? Ranges of the same file are the same without being read."""
    if beginning.size > content.size:
        return False
    stretches = _stretches(content)
    ours: Sliceable = Joined([])
    for theirs in _stretches(beginning):
        while theirs.size:
            ours = ours if ours.size else next(stretches)
            size = min(theirs.size, ours.size)
            if not _same(ours.section(0, size), theirs.section(0, size)):
                return False
            theirs, ours = theirs.section(size, theirs.size), ours.section(size, ours.size)
    return True


def _stretches(content: Sliceable) -> Iterator[Sliceable]:
    if isinstance(content, Joined):
        for part in content.parts:
            yield from _stretches(part)
    elif content.size:
        yield content


def _same(one: Sliceable, other: Sliceable) -> bool:
    if isinstance(one, FileRange) and isinstance(other, FileRange):
        return one == other
    return read_at(one, 0, one.size) == read_at(other, 0, other.size)
