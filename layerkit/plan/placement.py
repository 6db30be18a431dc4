"""Which part each member of a layer goes to.

In: members in order, located in their tree, and the number of the part being filled. Out: a `Step`: what must be repeated before
the member, whether it stays where it is, and what goes to the end of an earlier part instead. The rules are those of
image-spec layer.md and of what moby, containerd and containers/storage do (each is a comment where it is applied).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from layerkit.errors import CannotFixError
from layerkit.plan.overlay_marks import hides_below, reads_below
from layerkit.plan.tree import Located, Span, Tree, show
from layerkit.tar.framing import Member
from layerkit.tar.header import Kind

_DIRECTORY, _SYMLINK = Kind.DIRECTORY, Kind.SYMLINK


class Glue(NamedTuple):
    """No cut between two members: behind the first that is at `path` or below it (None: behind offset `begin`), up to and at
    `end`."""

    path: bytes | None
    begin: int
    end: int


class Replan(Exception):  # noqa: N818 - not an error: it asks for another try
    """The layer has to be planned once more, knowing this: rare layouts of members can't be placed on line."""

    def __init__(
        self,
        *,
        glue: Glue | None = None,
        hoist: tuple[bytes, bytes] | None = None,
        shrink: int = 0,
        wary_from: int | None = None,
        uncut: bool = False,
        holds_globals: bool = False,
        trimmed: bool = False,
    ) -> None:
        asked = {
            "glue": glue,
            "hoist": hoist and hoist[0],
            "shrink": shrink,
            "wary from": wary_from,
            "uncut": uncut,
            "holds globals": holds_globals,
            "trimmed": trimmed,
        }
        super().__init__(", ".join(f"{what} {value!r}" for what, value in asked.items() if value not in (None, 0, False)))
        self.glue = glue
        self.hoist = hoist
        """(path, run): an opaque marker to be put at the head of the first part."""
        self.shrink = shrink
        """Bytes by which a part came out too large."""
        self.wary_from = wary_from
        """Offset from which on the layer is cut before every file that might not fit."""
        self.uncut = uncut
        """The layer wasn't cut: it should stay as it is."""
        self.trimmed = trimmed
        """The layer is only too large for what follows the archive's end, which no applier reads."""
        self.holds_globals = holds_globals
        """A part would end with a global header: those should wait for a member that stays behind them."""


class Tail(NamedTuple):
    """Runs that go to the end of an earlier part."""

    part: int
    runs: bytes


@dataclass
class Step:
    """What to do with a member that isn't simply kept."""

    head: bytes | None = None
    """The layer is cut before the member; the new part begins with these runs."""
    insert: bytes = b""
    """Runs that come before the member."""
    keep: bool = True
    tails: list[Tail] = field(default_factory=list)


class Placement:
    """Of one layer, in `tree`. `hoisted`: the opaque markers that the first part begins with."""

    def __init__(self, tree: Tree, hoisted: frozenset[bytes] = frozenset()) -> None:
        self.tree = tree
        self.part = 0
        """The part being filled."""
        self._hoisted = hoisted
        self._under: dict[bytes, Span] = {}
        """Directory -> parts that hold anything below it."""
        self._repeated: set[tuple[int, bytes]] = set()
        """(part, path): the part holds the directory's or symlink's entry."""
        self._removed: dict[bytes, tuple[int, int]] = {}
        """Path -> part and offset of its whiteout."""
        self._opaque: dict[bytes, int] = {}
        """Directory -> part of its opaque marker."""
        self._there: tuple[bytes, ...] = ()
        """The ancestors that were asked for last: the part has them all."""

    def cut(self) -> None:
        """A new part begins."""
        self.part += 1
        self._there = ()

    def repeat(self, ancestors: tuple[bytes, ...], part: int | None = None) -> bytes:
        """The runs of those entries that the part doesn't hold yet."""
        part = self.part if part is None else part
        runs = []
        for path in ancestors:
            if (part, path) not in self._repeated:
                self._repeated.add((part, path))
                runs.append(self.tree.repeat(path))
        return b"".join(runs)

    def place(self, member: Member, at: Located) -> Step | None:
        """Places a member, and records it in the tree. None: kept where it is, nothing to repeat. Raises Replan and
        CannotFixError."""
        if at.hides is not None:
            return self._marker(member, at, at.hides)
        if at.target is not None:
            # A hard link is created inside its own layer's directory by every applier (moby, containerd, containers/storage):
            # it goes where its target is. It is only a header.
            target = self.tree.part_of(at.target)
            if target is None:
                self.tree.dangles(member, at)
            elif target != self.part:
                return self._link_late(member, at, target)
        elif member.kind is _DIRECTORY or member.kind is _SYMLINK:
            if member.kind is _DIRECTORY and self.tree.is_other(at.path):
                self._keep_together(member, at)
            if hides_below(member):
                self._hide(member, at)
            self._repeated.add((self.part, at.path))
        if self.part and reads_below(member):
            # What it shows is in lower layers: earlier parts of its own layer aren't meant.
            raise Replan(glue=Glue(None, 0, member.start))
        self._put(member, at, self.part)
        if at.ancestors is self._there:  # as for nearly every member that follows another in its directory
            return None
        insert = self.repeat(at.ancestors)
        self._there = at.ancestors
        return Step(insert=insert) if insert else None

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
                    raise Replan(glue=Glue(hides, 0, member.start))
                part = span.last
            self._removed[hides] = (part, member.start)
        self._put_parents(at.path, part, member.start)
        self.tree.record(member, at, part)
        if part == self.part:
            insert = self.repeat(at.ancestors)
            return Step(insert=insert) if insert else None
        runs = self.repeat(at.ancestors, part) + member.head
        return Step(keep=False, tails=[Tail(part, runs)])

    def _link_late(self, member: Member, at: Located, part: int) -> Step:
        """A hard link whose target went to an earlier part follows it. Raises when something put in between would hide it."""
        self._check_moves(member, at, part)
        self._put(member, at, part)
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
                raise Replan(hoist=marker)

    def _keep_together(self, member: Member, at: Located) -> None:
        """`x` and then `x/` in one layer: on an overlay the directory merges with what lower layers have there; above a part
        that holds the file it wouldn't."""
        earlier = self._span(at.path)
        if earlier is not None and earlier.first != self.part:
            raise Replan(glue=Glue(at.path, 0, member.start))

    def _hide(self, member: Member, at: Located) -> None:
        """A directory's entry with an overlay's mark hides all that lower layers, earlier parts included, hold below it, like an
        opaque marker: it stays in one part with the first of that."""
        under = self._under.get(at.path)
        if (under is not None and under.first != self.part) or self._opaque.get(at.path, self.part) != self.part:
            raise Replan(glue=Glue(at.path, 0, member.start))
        self._opaque[at.path] = self.part

    def _refusal(self, member: Member, why: str) -> CannotFixError:
        return CannotFixError(
            f"{self.tree.where}: the hard link {show(member.name)} -> {show(member.link)} has to move to its target's part, "
            f"but {why} in the same layer; the layer can't be split safely here. Try another --max-layer-size, or build the "
            "layer without it"
        )

    def _span(self, path: bytes) -> Span | None:
        """The parts that hold `path` or anything below it."""
        own = self.tree.span(path)
        under = self._under.get(path)
        return under if own is None else own.and_of(under)

    def _put(self, member: Member, at: Located, part: int) -> None:
        """`part` holds the member, and all directories above it hold something there."""
        if self._removed:
            self._check_removed(at.path, part, member.start)
        self._put_parents(at.path, part, member.start)
        self.tree.record(member, at, part)

    def _put_parents(self, path: bytes, part: int, start: int) -> None:
        """All directories above `path` hold something in `part`, even if it is a marker: appliers make them for it."""
        under = self._under
        while path:
            path = parent = path.rpartition(b"/")[0]
            span = under.get(parent)
            if span is None:
                if self._removed:
                    self._check_removed(parent, part, start)
                under[parent] = Span(part, part)
            elif part == span.last:
                return  # and so it is for all above
            else:
                under[parent] = Span(part, part).and_of(span)

    def _check_removed(self, path: bytes, part: int, start: int) -> None:
        """`.wh.x` and then `x` in one layer: on an overlay, x replaces the whiteout when both are in one part, and stands above
        it when they aren't; so they stay together."""
        removed = self._removed.get(path)
        if removed is not None and removed[0] != part and self._span(path) is None:
            raise Replan(glue=Glue(None, removed[1], start))


def _parents(path: bytes) -> Iterator[bytes]:
    """The directories above `path`, the nearest first, the root last. The root is above itself for no one."""
    while path:
        path = path.rpartition(b"/")[0]
        yield path
