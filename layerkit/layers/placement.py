"""Which part each member of a layer goes to.

In: members in order, located in their tree, and the number of the part being filled. Out: a `Step`: what must be repeated before
the member, whether it stays where it is, and what goes to the end of an earlier part instead. The rules are those of
image-spec layer.md and of what moby, containerd and containers/storage do (each is a comment where it is applied).

A placement can be forked: while it isn't known yet whether the layer is cut at some member, one placement goes on as if it were
not and another as if it were. Both write into overlays of what they have in common.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from layerkit.errors import CannotFixError
from layerkit.layers.tree import Located, Tree, show
from layerkit.tar.framing import Member
from layerkit.tar.header import Kind

_DIRECTORY, _SYMLINK = Kind.DIRECTORY, Kind.SYMLINK
K = TypeVar("K")
V = TypeVar("V")


class Again(Exception):  # noqa: N818 - not an error: it asks for another try
    """The layer has to be planned once more, knowing this: rare layouts of members can't be placed on line."""

    def __init__(
        self,
        *,
        glue: tuple[int, int] | None = None,
        hoist: tuple[bytes, bytes] | None = None,
        shrink: int = 0,
        uncut: bool = False,
    ) -> None:
        super().__init__(glue, hoist, shrink, uncut)
        self.glue = glue
        """No cut at offsets (a, b]."""
        self.hoist = hoist
        """(path, run): an opaque marker to be put at the head of the first part."""
        self.shrink = shrink
        """Bytes by which a part came out too large."""
        self.uncut = uncut
        """The layer wasn't cut: it should stay as it is."""


class Tail(NamedTuple):
    """Runs that go to the end of an earlier part."""

    part: int
    runs: bytes


@dataclass
class Step:
    """What to do with a member that isn't simply kept."""

    insert: bytes = b""
    keep: bool = True
    tails: list[Tail] = field(default_factory=list)


class Span(NamedTuple):
    """The parts, from `first` to `last`, that hold something, and the offset of its first member."""

    first: int
    last: int
    begin: int

    def and_in(self, part: int) -> "Span":
        return Span(min(self.first, part), max(self.last, part), self.begin)


class _Layered(Generic[K, V]):
    """A dict whose writes can be kept apart from what it shares."""

    def __init__(self, base: dict[K, V]) -> None:
        self.base = base
        self.own = base

    def get(self, key: K) -> V | None:
        found = self.own.get(key)
        return self.base.get(key) if found is None and self.own is not self.base else found

    def __setitem__(self, key: K, value: V) -> None:
        self.own[key] = value

    def __bool__(self) -> bool:
        return bool(self.base) or bool(self.own)

    def settle(self) -> None:
        if self.own is not self.base:
            self.base.update(self.own)
            self.own = self.base

    def branch(self) -> "_Layered[K, V]":
        """Another dict over the same base; from here on both write apart."""
        self.own = {}
        other = _Layered(self.base)
        other.own = {}
        return other


class Placement:
    """One hypothesis about where the layer is cut."""

    def __init__(self, tree: Tree, hoisted: frozenset[bytes] = frozenset()) -> None:
        self.tree = tree
        self.part = 0
        self._hoisted = hoisted
        self._placed: _Layered[bytes, Span] = _Layered({})
        """Path -> parts that hold an entry of it; `last` is the latest one's."""
        self._under: _Layered[bytes, Span] = _Layered({})
        """Directory -> parts that hold anything below it."""
        self._repeated: _Layered[tuple[int, bytes], bool] = _Layered({})
        """(part, path): the part holds the directory's or symlink's entry."""
        self._removed: _Layered[bytes, tuple[int, int]] = _Layered({})
        """Path -> part and offset of its whiteout."""
        self._opaque: _Layered[bytes, int] = _Layered({})
        """Directory -> part of its opaque marker."""
        self._there: tuple[bytes, ...] = ()
        """The ancestors that were asked for last: the part has them all."""

    def fork(self) -> "Placement":
        """The placement in which a new part begins here; self goes on without."""
        self.settle()
        other = Placement.__new__(Placement)
        other.tree = self.tree
        other.part = self.part + 1
        other._hoisted = self._hoisted
        other._placed = self._placed.branch()
        other._under = self._under.branch()
        other._repeated = self._repeated.branch()
        other._removed = self._removed.branch()
        other._opaque = self._opaque.branch()
        other._there = ()
        return other

    def settle(self) -> None:
        """This is the hypothesis that holds; the other one, if any, must not be used any more."""
        for table in (self._placed, self._under, self._repeated, self._removed, self._opaque):
            table.settle()

    def repeat(self, ancestors: tuple[bytes, ...], part: int | None = None) -> bytes:
        """The runs of those entries that the part doesn't hold yet."""
        part = self.part if part is None else part
        runs = []
        for path in ancestors:
            if not self._repeated.get((part, path)):
                self._repeated[part, path] = True
                runs.append(self.tree.repeat(path))
        return b"".join(runs)

    def place(self, member: Member, at: Located) -> Step | None:
        """None: kept where it is, nothing to repeat. Raises Again and CannotFixError."""
        if at.hides is not None:
            return self._marker(member, at, at.hides)
        if at.target is not None:
            # A hard link is created inside its own layer's directory by every applier (moby, containerd, containers/storage):
            # it goes where its target is. It is only a header.
            target = self._placed.get(at.target)
            if target is None or not self.tree.holds(at.target):
                self.tree.dangles(member, at)
            elif target.last != self.part:
                return self._link_late(member, at, target.last)
        elif member.kind is _DIRECTORY or member.kind is _SYMLINK:
            if member.kind is _DIRECTORY and self.tree.is_other(at.path):
                self._keep_together(member, at)
            self._repeated[self.part, at.path] = True
        self._put(at.path, self.part, member.start)
        if at.ancestors is self._there:  # as for nearly every member that follows another in its directory
            return None
        insert = self.repeat(at.ancestors)
        self._there = at.ancestors
        return Step(insert) if insert else None

    def _marker(self, member: Member, at: Located, hides: bytes) -> Step | None:
        part = self.part
        if at.opaque:
            if at.path in self._hoisted:
                return Step(keep=False)
            # An opaque marker hides all that lower layers, earlier parts included, hold below: it belongs to the first part
            # that holds anything there.
            under = self._under.get(hides)
            if under is not None:
                part = under.first
            self._opaque[hides] = part
        else:
            span = self._span(hides)
            if span is not None:
                # `x` and then `.wh.x` in one layer: appliers differ, so both stay in one part in the source's order.
                if span.first != span.last:
                    raise Again(glue=(span.begin, member.start))
                part = span.last
            self._removed[hides] = (part, member.start)
        self._put_parents(at.path, part, member.start)
        if part == self.part:
            insert = self.repeat(at.ancestors)
            return Step(insert) if insert else None
        runs = self.repeat(at.ancestors, part) + member.head
        return Step(keep=False, tails=[Tail(part, runs)])

    def _link_late(self, member: Member, at: Located, part: int) -> Step:
        """A hard link whose target went to an earlier part follows it. Raises when something put in between would hide it."""
        self._check_moves(member, at, part)
        self._put(at.path, part, member.start)
        runs = self.repeat(at.ancestors, part) + member.head
        return Step(keep=False, tails=[Tail(part, runs)])

    def _check_moves(self, member: Member, at: Located, part: int) -> None:
        earlier = self._span(at.path)
        if earlier is not None and earlier.last > part:
            raise self._refusal(member, "replaces an entry of the same path")
        for path in (at.path, *_parents(at.path)):
            removed = self._removed.get(path)
            if removed is not None and removed[0] > part:
                raise self._refusal(member, f"follows a whiteout of {show(path)}")
            if path in self.tree.changed:
                raise self._refusal(member, f"{show(path)} is both a directory and something else")
            opaque = self._opaque.get(path)
            if opaque is not None and opaque > part:
                marker = self.tree.markers.get(path)
                if marker is None:
                    raise self._refusal(member, f"follows an opaque marker of {show(path)}, which is named through a symlink,")
                # Without the entries above it, which are in other parts or come later: no part may hold a path twice.
                raise Again(hoist=marker)

    def _keep_together(self, member: Member, at: Located) -> None:
        """`x` and then `x/` in one layer: on an overlay the directory merges with what lower layers have there; above a part
        that holds the file it wouldn't."""
        earlier = self._span(at.path)
        if earlier is not None and earlier.first != self.part:
            raise Again(glue=(earlier.begin, member.start))

    def _refusal(self, member: Member, why: str) -> CannotFixError:
        return CannotFixError(
            f"{self.tree.where}: the hard link {show(member.name)} -> {show(member.link)} has to move to its target's part, "
            f"but {why} in the same layer; the layer can't be split safely here. Try another --max-layer-size, or build the "
            "layer without it"
        )

    def _span(self, path: bytes) -> Span | None:
        """The parts that hold `path` or anything below it."""
        own = self._placed.get(path)
        under = self._under.get(path)
        if own is None or under is None:
            return own or under
        return Span(min(own.first, under.first), max(own.last, under.last), min(own.begin, under.begin))

    def _put(self, path: bytes, part: int, start: int) -> None:
        """`part` holds `path`, and all directories above it hold something there."""
        if self._removed:
            self._check_removed(path, part, start)
        span = self._placed.get(path)
        self._placed[path] = Span(part, part, start) if span is None else Span(min(span.first, part), part, span.begin)
        self._put_parents(path, part, start)

    def _put_parents(self, path: bytes, part: int, start: int) -> None:
        """All directories above `path` hold something in `part`, even if it is a marker: appliers make them for it."""
        under = self._under
        while path:
            path = parent = path.rpartition(b"/")[0]
            span = under.get(parent)
            if span is None:
                if self._removed:
                    self._check_removed(parent, part, start)
                under[parent] = Span(part, part, start)
            elif part == span.last:
                return  # and so it is for all above
            else:
                under[parent] = span.and_in(part)

    def _check_removed(self, path: bytes, part: int, start: int) -> None:
        """`.wh.x` and then `x` in one layer: on an overlay, x replaces the whiteout when both are in one part, and stands above
        it when they aren't; so they stay together."""
        removed = self._removed.get(path)
        if removed is not None and removed[0] != part and self._span(path) is None:
            raise Again(glue=(removed[1], start))


def _parents(path: bytes) -> Iterator[bytes]:
    """The directories above `path`, the nearest first, the root last. The root is above itself for no one."""
    while path:
        path = path.rpartition(b"/")[0]
        yield path
