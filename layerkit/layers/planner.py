"""Where a layer is cut: members in, actions out, on line, without I/O.

Definitions. The *cost* at a member is how many compressed bytes of the layer come before it (measured or interpolated). A
part's *size* is the cost from its first member to here, plus what was repeated in it. A *candidate* is a member before which
the layer may be cut; at most one is kept.

The rule. In a window below the limit (its last `WINDOW`), the candidate is the member of the lowest rank (`ranking`), which is a
matter of its path: two releases that agree on the members in a window agree on the cut, so they share the parts before and
after it. Before the window a member that might not fit is a candidate of last resort. The cut is made at the candidate when
the part has grown over the limit, or before a member that might fit neither here nor in the part that begins at the
candidate; if one turns out not to, it was larger than the limit by itself.

What is known only later (did the member fit? is there a better candidate?) is settled by keeping two hypotheses at once: `main`
goes on without a cut, `fork` as if it had been cut at the candidate.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from layerkit.errors import UnsplittableError
from layerkit.layers.placement import Again, Placement, Step, Tail
from layerkit.layers.ranking import Rank, Ranking
from layerkit.layers.timeless import is_shelf
from layerkit.layers.tree import Located, Tree, show
from layerkit.tar.framing import Member
from layerkit.tar.header import Kind

WINDOW = 0.4
"""Share of the limit in which cuts are chosen by content; below a half, so that the next part's window can't begin before this
one ends. A change of size in a part moves its window, and with it the cut in about two of `WINDOW / change` cases; the price
is parts of about 80 % of the limit."""

MOST_SHELVES = 16
"""Of a layer's shelves (`timeless`) that get no times: each costs two searches for a block boundary."""

_DOUBT = 64 << 10
"""Bytes that a small layer's estimates may be off."""

FRAME = 64
"""Bytes of gzip header and trailer, final blocks and compressed end of archive."""


# Once: up to Python 3.11, looking up a member of an Enum takes as long as all else that is asked of most members of a layer.
_DIRECTORY, _GLOBAL, _HARD_LINK = Kind.DIRECTORY, Kind.GLOBAL, Kind.HARD_LINK


class Mark(NamedTuple):
    """The member is the candidate from now on; a part that begins here begins with `runs`."""

    runs: bytes


class Commit(NamedTuple):
    """The layer is cut at the candidate: `main` is what `fork` was, its tails for the part before are due."""


@dataclass
class Actions:
    """What follows from a member, in this order; all of it takes place at the member's start."""

    cuts: list[Mark | Commit] = field(default_factory=list)
    main: Step | None = None
    fork: Step | None = None
    """Only the tails for the part that `main` fills are news; the others `main` has too."""


@dataclass(frozen=True)
class Constraints:
    """What a plan has to observe; earlier tries at the same layer add to it."""

    limit: int
    """Bytes of a part, compressed, that are aimed at: the real limit less what estimates may be off."""
    hard_limit: int
    """Bytes of a part's blob that are allowed."""
    allow_oversized: bool = False
    dropped: frozenset[bytes] = frozenset()
    """Paths of members to leave out."""
    glued: tuple[tuple[int, int], ...] = ()
    """No cut at offsets (a, b]."""
    hoisted: tuple[tuple[bytes, bytes], ...] = ()
    """(path, runs): opaque markers that the first part begins with."""
    uncut: bool = False
    """The layer needn't be cut: nothing is prepared for that."""

    def learned(self, again: Again) -> "Constraints":
        glued = (*self.glued, again.glue) if again.glue else self.glued
        hoisted = (*self.hoisted, again.hoist) if again.hoist else self.hoisted
        # Somewhat more than it was too much, because the next plan's edges are elsewhere; at worst parts of half the size.
        limit = max(self.limit - again.shrink * 5 // 4, self.limit // 2) if again.shrink else self.limit
        return replace(self, glued=glued, hoisted=hoisted, limit=limit, uncut=self.uncut or again.uncut)


class Stuck(NamedTuple):
    """A part that can't be cut any smaller."""

    first: Member
    members: int


def too_large(where: str, stuck: Stuck, size: int, limit: int) -> UnsplittableError:
    """The error for a part of `size` compressed bytes over the limit."""
    what = show(stuck.first.path)
    if stuck.members > 1:
        what += f" and {stuck.members - 1:,} members that must stay with it"
    return UnsplittableError(
        f"{where}: {what} is {size:,} bytes compressed ({stuck.first.size:,} bytes as a file), over the limit of {limit:,} "
        "bytes. One file can't be split over layers: raise --max-layer-size, make the file smaller, or pass --allow-oversized to "
        "leave this one layer above the limit"
    )


@dataclass
class _Hypothesis:
    """A part being filled."""

    placement: Placement
    begin: int
    """Cost at its first member."""
    extra: int
    """Bytes of what was repeated in it, compressed."""
    first: Member | None = None
    members: int = 0

    def size(self, cost: int) -> int:
        return cost - self.begin + self.extra

    def begun(self, member: Member) -> None:
        if self.first is None:
            self.first = member
        self.members += 1


@dataclass
class _Candidate:
    rank: Rank | None
    """None for one of last resort, which any with a rank replaces."""
    fork: _Hypothesis = field(repr=False)


class Planner:
    """`where` names the layer. `warn` gets a line for each thing the user should know."""

    def __init__(self, where: str, constraints: Constraints, warn: Callable[[str], None]) -> None:
        self.where = where
        self.stuck: dict[int, Stuck] = {}
        """Number of a part that can't be cut any smaller -> what is in it."""
        self._limit = constraints.limit
        self._window = int(constraints.limit * (1 - WINDOW))
        self._constraints = constraints
        self._warn = warn
        self._tree = Tree(where)
        hoisted = frozenset(path for path, _ in constraints.hoisted)
        self._globals: list[bytes] = []
        self.head = b"".join(runs for _, runs in constraints.hoisted)
        """Runs that the first part begins with."""
        self._leading = not constraints.uncut
        """Have there been only directories so far? They are above most of the layer: no part has their times."""
        self._shelves = 0
        self._untimed = False
        """Is there an entry whose times only the last words have?"""
        self._main = _Hypothesis(Placement(self._tree, hoisted), 0, FRAME + _deflated(self.head))
        self._candidate: _Candidate | None = None
        self._ranking = Ranking()

    @property
    def part(self) -> int:
        """Number of the part that `main` fills."""
        return self._main.placement.part

    def add(self, member: Member, cost: int) -> Actions | None:
        """The next member, with the cost at its start. None: it stays where it is in every hypothesis. Raises
        UnsplittableError, CannotFixError, Again."""
        if member.kind is _GLOBAL:
            return self._add_global(member, cost)
        located = self._tree.locate(member)
        path = located.path
        cuts = self._cut(member, path, located.ancestors, cost)
        self._ranking.see(path)
        if path in self._constraints.dropped:
            return Actions(cuts, Step(keep=False), Step(keep=False))
        candidate = self._candidate
        main = self._place(self._main, member, located)
        fork = self._place(candidate.fork, member, located) if candidate is not None else None
        self._tree.record(member, located)
        if member.kind is not _DIRECTORY or candidate is not None:
            self._leading = False
        if self._leading or (member.kind is _DIRECTORY and self._takes_times_from(located)):
            self._untimed = True
            entry = self._tree.repeat(path)
            main = _instead(main, entry)
            fork = _instead(fork, entry) if candidate is not None else None
        return Actions(cuts, main, fork) if cuts or main is not None or fork is not None else None

    def _add_global(self, member: Member, cost: int) -> Actions | None:
        cuts = self._cut(member, member.path, (), cost)
        self._main.begun(member)
        if self._candidate is not None:
            self._candidate.fork.begun(member)
        self._globals.append(member.head)
        return Actions(cuts) if cuts else None

    def _takes_times_from(self, located: Located) -> bool:
        """Is it a directory whose time changes with every package in it, most of which will be in other parts?"""
        if self._constraints.uncut or self._shelves == MOST_SHELVES:
            return False
        found = is_shelf(located.path)
        self._shelves += found
        return found

    def finish(self, cost: int) -> Actions:
        """No more members; `cost` is the layer's. The last part may have to be cut once more. Raises Again when a layer that is
        prepared for being cut isn't."""
        cuts: list[Mark | Commit] = []
        if self._main.size(cost) > self._limit:
            self._overflow((), cost, cuts, may_cut=False)
        self._candidate = None
        if self._untimed and not self.part:
            raise Again(uncut=True)
        return Actions(cuts)

    def last_words(self) -> bytes:
        """The runs of a part above all others: the entries that they have without times, as they are. A part of its own, because
        dockerd and podman refuse a layer that holds a path twice (tar-split, ErrDuplicatePath). None for a layer left whole."""
        return self._tree.last_words() if self.part else b""

    def _place(self, hypothesis: _Hypothesis, member: Member, located: Located) -> Step | None:
        hypothesis.begun(member)
        step = hypothesis.placement.place(member, located)
        if step is not None:
            hypothesis.extra += _deflated(step.insert)
            if step.tails and self._globals:
                state = b"".join(self._globals)
                step.tails = [Tail(tail.part, state + tail.runs) for tail in step.tails]
        return step

    def _cut(self, member: Member, path: bytes, ancestors: tuple[bytes, ...], cost: int) -> list[Mark | Commit]:
        """Decides about cutting at the candidate or before `member`."""
        cuts: list[Mark | Commit] = []
        may_cut = self._may_cut(member)
        if self._main.size(cost) > self._limit:
            self._overflow(ancestors, cost, cuts, may_cut=may_cut)
        if not self._main.members or not may_cut:
            return cuts
        if self._main.size(cost) >= self._window:
            rank = self._ranking.rank_below(self._candidate.rank if self._candidate is not None else None, path)
            if rank is not None:
                self._mark(rank, ancestors, cost, cuts)
            assert self._candidate is not None
            if self._might_not_fit(self._main, member, cost) and self._might_not_fit(self._candidate.fork, member, cost):
                self._commit(cuts)
        is_last_resort = self._candidate is None or self._candidate.rank is None
        if is_last_resort and self._main.members and self._might_not_fit(self._main, member, cost):
            self._mark(None, ancestors, cost, cuts)
        return cuts

    def _overflow(self, ancestors: tuple[bytes, ...], cost: int, cuts: list[Mark | Commit], *, may_cut: bool) -> None:
        """The part has grown over the limit: the cut is at the candidate, or there is something too large in it."""
        if self._candidate is not None:
            self._commit(cuts)
        # A part of nothing but repeated entries can't be cut: whatever comes next stays with them.
        if self._main.size(cost) > self._limit and self._main.first is not None:
            self._give_up(self._main.size(cost))
            if may_cut:
                self._mark(None, ancestors, cost, cuts)
                self._commit(cuts)

    def _give_up(self, size: int) -> None:
        """What is in the part can't be cut. Whether it is too large is settled by its blob, unless that is beyond doubt."""
        first = self._main.first
        assert first is not None
        stuck = Stuck(first, self._main.members)
        self.stuck[self.part] = stuck
        hard = self._constraints.hard_limit
        if not self._constraints.allow_oversized and size > hard + 2 * (hard - self._limit) + hard // 50 + _DOUBT:
            raise too_large(self.where, stuck, size, hard)

    def _might_not_fit(self, hypothesis: _Hypothesis, member: Member, cost: int) -> bool:
        end = member.end
        if self._constraints.glued:
            end = max([end, *(end for begin, end in self._constraints.glued if begin <= member.start < end)])
        run = end - member.start
        # Stored deflate blocks cost 5 bytes in 65,535, zstd's raw blocks 3 in 128 KiB.
        return hypothesis.size(cost) + run + run // 8192 + FRAME > self._limit

    def _may_cut(self, member: Member) -> bool:
        if member.kind is _HARD_LINK:
            return False  # it would follow its target to the part before the cut
        return not self._constraints.glued or not any(begin < member.start <= end for begin, end in self._constraints.glued)

    def _mark(self, rank: Rank | None, ancestors: tuple[bytes, ...], cost: int, cuts: list[Mark | Commit]) -> None:
        placement = self._main.placement.fork()
        runs = b"".join(self._globals) + placement.repeat(ancestors)
        self._candidate = _Candidate(rank, _Hypothesis(placement, cost, FRAME + _deflated(runs)))
        cuts.append(Mark(runs))

    def _commit(self, cuts: list[Mark | Commit]) -> None:
        assert self._candidate is not None
        self._main = self._candidate.fork
        self._main.placement.settle()
        self._candidate = None
        cuts.append(Commit())


def _instead(step: Step | None, entry: bytes) -> Step:
    """What `step` repeats, and `entry` in the member's place."""
    return Step((step.insert if step is not None else b"") + entry, keep=False)


def _deflated(runs: bytes) -> int:
    return len(zlib.compress(runs, 1)) if runs else 0
