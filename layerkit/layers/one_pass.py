"""The pass itself: bytes stream by, members are framed, the planner says what becomes of them, parts are summed up.

In: a track and constraints. Out: the parts' recipes, all of them at the end. Most are complete long before: each is offered as
soon as nothing more is expected for it, and what is certain of the part being filled is told as it grows. Something may
still arrive late (a hard link whose target went there); then the recipe at the end is another one. Raises what the planner
raises, and `Again` is the caller's to handle.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from layerkit.layers.part import PartBuilder, Piece, Recipe
from layerkit.layers.placement import Step, Tail
from layerkit.layers.planner import Actions, Constraints, Mark, Planner, Stuck
from layerkit.layers.track import Chunk, Track
from layerkit.tar.framing import Framer, Member
from layerkit.tar.header import END_OF_ARCHIVE

STEPS = 32
"""A part that is being filled is told of whenever it has grown by the limit divided by this, in raw bytes."""


class Complete(NamedTuple):
    """A part that nothing more is expected for."""

    number: int
    """From 0."""
    recipe: Recipe
    stuck: Stuck | None
    """What is in it, if it can't be cut any smaller."""


class Filling(NamedTuple):
    """The part that is being filled, as far as it is certain: its last piece may get longer, and others may follow."""

    number: int
    """From 0."""
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class PassOptions:
    warn: Callable[[str], None]
    see: Callable[[Chunk], None]
    """Is shown the whole raw tar."""
    offer: Callable[[Complete], None]
    """Is told of parts while the layer still streams by."""
    grow: Callable[[Filling], None]
    """Is told of the part being filled, now and then."""
    hashed: bool
    """Are the parts' diff_ids computed?"""


def run_pass(track: Track, where: str, constraints: Constraints, options: PassOptions) -> list[Complete]:
    """One pass. Raises DamagedError, CannotFixError, Again, SeveralMembers."""
    planner = Planner(where, constraints, options.warn)
    framer = Framer(where)
    parts = _Parts(planner, track, constraints.hard_limit // STEPS, hashed=options.hashed)
    cost = 0
    for chunk in track.chunks():
        options.see(chunk)
        members = framer.feed(chunk.data)
        parts.arrive(chunk)
        for member in members:
            actions = planner.add(member, _cost_at(member, chunk))
            if actions:
                parts.apply(actions, member)
        if framer.end is None:
            parts.pass_by(chunk, framer.settled)
        else:
            parts.pass_end(chunk, framer.end)
        for complete in parts.complete():
            options.offer(complete)
        filling = parts.filling()
        if filling is not None:
            options.grow(filling)
        cost = chunk.cost_after
    framer.close()
    parts.apply(planner.finish(cost), None)
    return parts.finish(planner.last_words())


def _cost_at(member: Member, chunk: Chunk) -> int:
    """Interpolated; a member whose headers began in the chunk before counts from this one's beginning."""
    into = max(member.start - chunk.start, 0)
    return chunk.cost + (chunk.cost_after - chunk.cost) * into // max(len(chunk.data), 1)


class _Parts:
    """The parts that are finished but for late arrivals, the one being filled, and what it would be if it were cut."""

    def __init__(self, planner: Planner, track: Track, step: int, *, hashed: bool) -> None:
        """`step`: raw bytes by which the part being filled has grown when it is told of again."""
        self._planner = planner
        self._track = track
        self._step = step
        self._hashed = hashed
        self._candidate: int | None = None
        """Offset of the candidate."""
        self._closed: list[PartBuilder] = []
        self._unoffered: deque[int] = deque()
        """Numbers of closed parts."""
        self._main = PartBuilder(0, hashed=hashed)
        self._main.insert(planner.head)
        self._before: PartBuilder | None = None
        """The part being filled, as it was at the candidate."""
        self._fork: PartBuilder | None = None
        self._due: list[Tail] = []
        """What `before` gets if the cut is made."""
        self._whole: PartBuilder | None = None
        """The layer uncut, with what follows the archive's end."""
        self._held = b""
        """Source bytes of a run whose headers aren't complete yet."""
        self._held_at = 0
        self._data = memoryview(b"")
        self._at = 0
        self._told = 0
        """Offset up to which somebody knows what is certain."""

    def arrive(self, chunk: Chunk) -> None:
        self._data = memoryview(chunk.data)
        self._at = chunk.start

    def apply(self, actions: Actions, member: Member | None) -> None:
        """What the planner said of a member; None: of the layer's end."""
        if member is not None:
            self._advance(member.start)
        for cut in actions.cuts:
            if isinstance(cut, Mark):
                assert member is not None
                if self._candidate is not None:
                    self._track.forget(self._candidate)
                self._candidate = member.start
                self._track.remember(member.start)
                self._before = self._main.copy()
                self._fork = PartBuilder(member.start, hashed=self._hashed)
                self._fork.insert(cut.runs)
                self._due = []
            else:
                assert self._before is not None and self._fork is not None
                for tail in self._due:
                    self._before.insert(tail.runs)
                self._unoffered.append(len(self._closed))
                self._closed.append(self._before)
                self._main = self._fork
                self._before = self._fork = self._candidate = None
        if member is None:
            self._main.insert(actions.main.insert if actions.main is not None else b"")
            return
        if actions.main is not None or actions.fork is not None:
            self._track.remember(member.start)
            self._track.remember(member.end)
        if actions.main is not None:
            _step(self._main, actions.main, member)
            for tail in actions.main.tails:
                self._closed[tail.part].insert(tail.runs)
        if actions.fork is not None and self._fork is not None:
            _step(self._fork, actions.fork, member)
            self._due.extend(tail for tail in actions.fork.tails if tail.part == self._planner.part)

    def pass_by(self, chunk: Chunk, settled: int | None) -> None:
        """The chunk is over; up to `settled` (all of it: None) its bytes are accounted for."""
        end = chunk.start + len(self._data)
        settled = end if settled is None else settled
        self._advance(settled)
        if settled < chunk.start:
            self._held = self._held[settled - self._held_at :] + bytes(self._data)
        else:
            self._held = bytes(self._data[settled - chunk.start :]) if settled < end else b""
        self._held_at = settled

    def pass_end(self, chunk: Chunk, archive_end: int) -> None:
        """The chunk is over, the archive ended before its end. What follows belongs to the layer only if it stays whole."""
        if self._whole is None:
            self._track.remember(archive_end)
            self._advance(archive_end)
            self._whole = self._main.copy()
            self._held = self._held if archive_end < chunk.start else b""
        if self._whole.at < chunk.start:
            self._whole.advance(memoryview(self._held), self._held_at, chunk.start)
        self._whole.advance(self._data, self._at, chunk.start + len(self._data))

    def complete(self) -> Iterator[Complete]:
        """The parts, each once, that are closed and can be put together."""
        while self._unoffered and self._track.settled(self._closed[self._unoffered[0]].at):
            number = self._unoffered.popleft()
            yield self._completed(number, self._closed[number].copy())

    def filling(self) -> Filling | None:
        """The part being filled, up to the candidate if there is one; None when there is little to add to what was told."""
        part = self._before or self._main
        if part.at < self._told + self._step:
            return None
        self._told = part.at
        return Filling(len(self._closed), part.pieces)

    def finish(self, last_words: bytes) -> list[Complete]:
        """No more bytes. `last_words` are the runs of one more part."""
        if not self._closed and (self._whole is None or self._whole.is_source):
            return [Complete(0, (self._whole or self._main).finish(), self._planner.stuck.get(0))]
        parts = [*self._closed, self._main]
        if last_words:
            parts.append(PartBuilder(0, hashed=self._hashed))
            parts[-1].insert(last_words)
        return [self._completed(number, part) for number, part in enumerate(parts)]

    def _completed(self, number: int, part: PartBuilder) -> Complete:
        part.insert(END_OF_ARCHIVE)
        return Complete(number, part.finish(), self._planner.stuck.get(number))

    def _advance(self, upto: int) -> None:
        for builder in (self._main, self._fork):
            if builder is None:
                continue
            if builder.at < self._at:
                builder.advance(memoryview(self._held), self._held_at, min(upto, self._at))
            builder.advance(self._data, self._at, upto)


def _step(builder: PartBuilder, step: Step, member: Member) -> None:
    builder.insert(step.insert)
    if not step.keep:
        builder.skip_to(member.end)
