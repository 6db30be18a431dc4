"""Where a layer is cut: members in, steps out, decided as each member's header goes by, without I/O.

Definitions. The *cost* at a member is how many compressed bytes of the layer come before it (measured or interpolated). A
part's *size* is the cost from its first member to here, plus what was repeated in it. The *bar* is what a member has to be for
the layer to be cut before it.

The rule. Nothing is cut below `WINDOW` of the limit; from there on the bar falls as the part fills, until before `ANY` of the
limit it lets every member pass. What a member has to be is a matter of its path (`ranking`) and of the paths before it: two
releases that agree on the members in a window agree on the cut, so they share the parts before and after it. A file
that might not fit, because as a file it is larger than what is left, begins another part: from `WARY` on always, below if it
wouldn't fit if it compressed like what came before it.

What is left isn't cut when all of it fits, as far as that is known.

A cut is never taken back. A file that was expected to fit and turns out not to has made a part that is too large: then the layer
is planned once more, and from that file on it is cut before every file that might not fit.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from layerkit.errors import UnsplittableError
from layerkit.plan.directory_times import is_shelf
from layerkit.plan.overlay_marks import hides_below
from layerkit.plan.placement import Glue, Placement, Replan, Step, Tail
from layerkit.plan.ranking import Ranking
from layerkit.plan.tree import Located, Tree, show
from layerkit.tar.framing import Member
from layerkit.tar.header import Kind

WARY = 0.40
"""Share of the limit from which on a file that might not fit begins another part."""
OBSERVED = 0.20
"""From here on it is noted how near the root members are: what a window's members are measured by."""
WINDOW = 0.60
"""Share of the limit below which nothing is cut without need."""
PACKAGES = 0.80
"""Up to here only those members pass that are as near the root as any and don't go on with the name before them: half of them,
by their hashes, so that it isn't always the first; from here on all of those, and those that go on."""
HIGHEST = 0.85
"""From here on, of members that are one directory further down, half pass."""
ANY = 0.92
"""From here on, of any others, a quarter passes."""
LAST = 0.97
"""From here on all do."""

MOST_SHELVES = 16
"""Of a layer's shelves (`directory_times`) that get no times: each costs two searches for a block boundary."""

_DOUBT = 64 << 10
"""Bytes that a small layer's estimates may be off."""

FRAME = 64
"""Bytes of gzip header and trailer, final blocks and compressed end of archive."""

# Once: up to Python 3.11, looking up a member of an Enum takes as long as all else that is asked of most members of a layer.
_DIRECTORY, _GLOBAL, _HARD_LINK = Kind.DIRECTORY, Kind.GLOBAL, Kind.HARD_LINK


@dataclass(frozen=True)
class Constraints:
    """What a plan has to observe; earlier tries at the same layer add to it."""

    limit: int
    """Bytes of a part, compressed, that are aimed at: the real limit less what estimates may be off."""
    hard_limit: int
    """Bytes of a part's blob that are allowed."""
    total: int | None = None
    """What the whole layer costs, if that is known: what is left isn't cut when it fits."""
    allow_oversized: bool = False
    dropped: frozenset[bytes] = frozenset()
    """Paths of members to leave out."""
    glued: tuple[Glue, ...] = ()
    hoisted: tuple[tuple[bytes, bytes], ...] = ()
    """(path, runs): opaque markers that the first part begins with."""
    wary_from: int | None = None
    """Offset from which on every file that might not fit begins another part."""
    shrunk: int = 0
    """How often the limit was lowered."""
    uncut: bool = False
    """The layer needn't be cut: nothing is prepared for that."""
    trimmed: bool = False
    """What follows the archive's end is left out, even if nothing else changes."""
    holds_globals: bool = False
    """Global headers are put before the next member that stays in their part."""
    keeps_times: bool = False
    """Directories are repeated with their times, and no part above all has them: the layer is a part itself."""

    def learned(self, replan: Replan) -> "Constraints":
        # Somewhat more than it was too much, because the next plan's edges are elsewhere; at worst parts of half the size. A
        # little less may leave every cut where it is: each further time it is twice as much at least.
        least = self.limit >> 7 - min(self.shrunk, 6) if self.shrunk else 0
        limit = max(self.limit - max(replan.shrink * 5 // 4, least), self.limit // 2) if replan.shrink else self.limit
        return replace(
            self,
            glued=(*self.glued, replan.glue) if replan.glue else self.glued,
            hoisted=(*self.hoisted, replan.hoist) if replan.hoist else self.hoisted,
            limit=limit,
            wary_from=self.wary_from if replan.wary_from is None else replan.wary_from,
            shrunk=self.shrunk + (replan.shrink > 0),
            uncut=self.uncut or replan.uncut,
            holds_globals=self.holds_globals or replan.holds_globals,
            trimmed=self.trimmed or replan.trimmed,
        )


class Stuck(NamedTuple):
    """A part that can't be cut any smaller."""

    first: Member
    members: int


def too_large(where: str, stuck: Stuck, size: int, limit: int, *, advice: bool = True) -> UnsplittableError:
    """The error for a part of `size` compressed bytes over the limit."""
    what, why = show(stuck.first.path), "One file"
    if stuck.members > 1:
        what += f" and {stuck.members - 1:,} members that must stay with it are"
        why = "What belongs together (hard links, what they link to, overlay's marks)"
        first = ""
    else:
        what += " is"
        first = f" ({stuck.first.size:,} bytes as a file)"
    found = f"{where}: {what} {size:,} bytes compressed{first}, over the limit of {limit:,} bytes"
    more = (
        f". {why} can't be split over layers: raise --max-layer-size, make it smaller, or pass --allow-oversized to leave this "
        "one layer above the limit"
    )
    return UnsplittableError(found + more if advice else found)


@dataclass
class _Part:
    """The part being filled."""

    begin: int
    """Cost at its first member."""
    extra: int
    """Bytes of what was repeated in it, compressed."""
    first: Member | None = None
    members: int = 0
    depth: int | None = None
    """Of its members since OBSERVED, the fewest directories above one."""
    last_start: int = 0
    """Offset of the last member before which it could have been cut."""
    is_one: bool = True
    """Is its first member the only one before which it could have been cut?"""
    is_doubtful: bool = False
    """Might the last such member not have fitted?"""

    def size(self, cost: int) -> int:
        return cost - self.begin + self.extra


class Planner:
    """`where` names the layer. `warn` gets a line for each thing the user should know."""

    def __init__(self, where: str, constraints: Constraints, warn: Callable[[str], None]) -> None:
        self.where = where
        self.stuck: dict[int, Stuck] = {}
        """Number of a part that can't be cut any smaller -> what is in it."""
        self.head = b"".join(runs for _, runs in constraints.hoisted)
        """Runs that the first part begins with."""
        self._limit = constraints.limit
        self._constraints = constraints
        self._warn = warn
        self._tree = Tree(where, keeps_times=constraints.keeps_times)
        self._placement = Placement(self._tree, frozenset(path for path, _ in constraints.hoisted))
        self._ranking = Ranking()
        self._part = _Part(0, FRAME + _deflated(self.head))
        self._globals: list[bytes] = []
        self._after_global = False
        """No part ends with a global header: it says something of members behind it."""
        self._held: list[bytes] = []
        """Global headers that wait for a member."""
        self._seen: dict[int, int] = {}
        """Earlier part -> how many global headers it has."""
        self._glued = [(glue.begin, glue.end) for glue in constraints.glued if glue.path is None]
        """No cut at offsets (a, b]."""
        self._sticky = [glue for glue in constraints.glued if glue.path is not None]
        self._leading = not constraints.uncut and not constraints.keeps_times
        """Have there been only directories so far? They are above most of the layer: no part has their times."""
        self._shelves = 0
        self._untimed = False
        """Is there an entry whose times only the last words have?"""

    @property
    def part(self) -> int:
        """Number of the part that is being filled."""
        return self._placement.part

    def add(self, member: Member, cost: int) -> Step | None:
        """The next member, with the cost at its start. None: it simply stays where it is. Raises UnsplittableError,
        CannotFixError, Replan."""
        if member.kind is _GLOBAL:
            return self._add_global(member, cost)
        located = self._tree.locate(member)
        path = located.path
        if self._sticky:
            self._stick(path, member)
        head = self._begin(located.ancestors, cost) if self._cuts_before(member, path, cost) else None
        self._ranking.see(path)
        if path in self._constraints.dropped:
            return Step(head, keep=False)
        self._begun(member)
        step = self._placement.place(member, located)
        if member.kind is not _DIRECTORY or head is not None:
            self._leading = False
        # An entry that hides what is below has to be there as it is, once.
        if (self._leading or (member.kind is _DIRECTORY and self._takes_times_from(located))) and not hides_below(member):
            self._untimed = True
            step = Step(insert=(step.insert if step is not None else b"") + self._tree.repeat(path), keep=False)
        if step is None or step.keep or step.insert:  # and not only what moves to another part
            self._after_global = False
            if self._held:
                step = step or Step()
                step.insert, self._held = b"".join(self._held) + step.insert, []
        if step is not None:
            self._part.extra += _deflated(step.insert)
            if step.tails and self._globals:
                step.tails = [Tail(tail.part, self._unseen(tail.part) + tail.runs) for tail in step.tails]
        if head is not None:
            step = step or Step()
            step.head = head
        return step

    def finish(self, cost: int) -> None:
        """No more members; `cost` is the layer's. Raises UnsplittableError for a last part that is too large beyond doubt, Replan
        when it can be made smaller, or when a layer that is prepared for being cut wasn't."""
        if self._part.size(cost) > self._limit:
            self._overflow(cost)
        if self._untimed and not self.part:
            raise Replan(uncut=True)
        if self._after_global and self.part:
            raise Replan(holds_globals=True)

    def last_words(self) -> bytes:
        """The runs of a part above all others: the entries that they have without times, as they are. A part of its own, because
        dockerd and podman refuse a layer that holds a path twice (tar-split, ErrDuplicatePath). None for a layer left whole."""
        return self._tree.last_words() if self.part else b""

    def _add_global(self, member: Member, cost: int) -> Step | None:
        if self._constraints.holds_globals:
            self._globals.append(member.head)
            self._held.append(member.head)
            return Step(keep=False)
        head = self._begin((), cost) if self._cuts_before(member, None, cost) else None
        self._begun(member)
        self._globals.append(member.head)
        self._after_global = True
        return Step(head) if head is not None else None

    def _begin(self, ancestors: tuple[bytes, ...], cost: int) -> bytes:
        """A new part begins, with these runs."""
        self._seen[self.part] = len(self._globals) - len(self._held)
        self._placement.cut()
        self._held = []
        head = b"".join(self._globals) + self._placement.repeat(ancestors)
        self._part = _Part(cost, FRAME + _deflated(head))
        return head

    def _unseen(self, part: int) -> bytes:
        """The global headers since an earlier part ended, or got something late."""
        seen, self._seen[part] = self._seen[part], len(self._globals)
        return b"".join(self._globals[seen:])

    def _begun(self, member: Member) -> None:
        part = self._part
        if part.first is None:
            part.first = member
            part.last_start = member.start
        part.members += 1

    def _stick(self, path: bytes, member: Member) -> None:
        """The first member of a path that mustn't be parted from what comes later has come."""
        for glue in self._sticky:
            assert glue.path is not None
            if path == glue.path or path.startswith(glue.path + b"/"):
                self._glued.append((member.start, glue.end))
                self._sticky = [other for other in self._sticky if other is not glue]

    def _takes_times_from(self, located: Located) -> bool:
        """Is it a directory whose time changes with every package in it, most of which will be in other parts?"""
        if self._constraints.uncut or self._constraints.keeps_times or self._shelves == MOST_SHELVES:
            return False
        found = is_shelf(located.path)
        self._shelves += found
        return found

    def _cuts_before(self, member: Member, path: bytes | None, cost: int) -> bool:
        """Is the layer cut before the member? `path` is None for one that has none."""
        part = self._part
        size = part.size(cost)
        limit = self._limit
        if part.first is None or not self._may_cut(member):
            return False
        total = self._constraints.total
        if total is not None and size + max(total - cost, 0) <= limit:
            return False
        is_over = size > limit
        if is_over:
            self._overflow(cost)
        depth = path.count(b"/") if path is not None else None
        cuts = is_over or self._is_above_the_bar(path, depth, size)
        might_not_fit = not cuts and self._might_not_fit(member, size)
        if might_not_fit:
            cuts = size >= WARY * limit or self._will_not_fit(member, size, cost)
        if depth is not None and size >= OBSERVED * limit and (part.depth is None or depth < part.depth):
            part.depth = depth
        part.last_start = member.start
        part.is_one = False
        part.is_doubtful = might_not_fit
        return cuts

    def _is_above_the_bar(self, path: bytes | None, depth: int | None, size: int) -> bool:
        limit = self._limit
        if size < WINDOW * limit:
            return False
        if size >= LAST * limit:
            return True
        if path is None or depth is None:
            return False
        highest = self._part.depth
        further = 0 if highest is None else max(depth - highest, 0)
        if size < (WINDOW, HIGHEST, ANY)[min(further, 2)] * limit:
            return False
        rank = self._ranking.rank(path)
        if further:
            return rank.hash % (2 if further == 1 else 4) == 0
        return size >= PACKAGES * limit or (not rank.goes_on and rank.hash % 2 == 0)

    def _overflow(self, cost: int) -> None:
        """The part has grown over the limit. Raises Replan when it could have been cut before a file that was a doubtful one;
        otherwise what is in it can't be cut, unless it is only that estimates were off."""
        part = self._part
        if part.first is None:
            return  # nothing but repeated entries: whatever comes next stays with them
        wary_from = self._constraints.wary_from
        if part.is_doubtful and (wary_from is None or part.last_start < wary_from):
            raise Replan(wary_from=part.last_start)
        if part.is_one:
            self._give_up(part.first, part.size(cost))

    def _give_up(self, first: Member, size: int) -> None:
        """What is in the part can't be cut. Whether it is too large is settled by its blob, unless that is beyond doubt."""
        stuck = self.stuck[self.part] = Stuck(first, self._part.members)
        hard = self._constraints.hard_limit
        if not self._constraints.allow_oversized and size > hard + 2 * (hard - self._limit) + hard // 50 + _DOUBT:
            raise too_large(self.where, stuck, size, hard)

    def _might_not_fit(self, member: Member, size: int) -> bool:
        end = member.end
        if self._glued:
            end = max([end, *(end for begin, end in self._glued if begin <= member.start < end)])
        run = end - member.start
        # Stored deflate blocks cost 5 bytes in 65,535, zstd's raw blocks 3 in 128 KiB.
        return size + run + run // 8192 + FRAME > self._limit

    def _will_not_fit(self, member: Member, size: int, cost: int) -> bool:
        """Of a member that might not: does it compress like the layer did so far, or did the plan before fail here?"""
        wary_from = self._constraints.wary_from
        if wary_from is not None and member.start >= wary_from:
            return True
        return size + (member.end - member.start) * cost // max(member.start, 1) > self._limit

    def _may_cut(self, member: Member) -> bool:
        if member.kind is _HARD_LINK or self._after_global:
            return False  # a link would follow its target to the part before the cut
        return not self._glued or not any(begin < member.start <= end for begin, end in self._glued)


def _deflated(runs: bytes) -> int:
    return len(zlib.compress(runs, 1)) if runs else 0
