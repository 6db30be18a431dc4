"""What the members of one layer are to each other.

In: the members of a layer in order. Out, for each: the path it really has (parents that are symlinks in this layer followed, as
appliers do), what kind of marker it is, and the entries that every part must repeat before it (its ancestors, symlinked
ones with what they point to). Whiteouts: image-spec layer.md, "Whiteouts"; AUFS markers are what docker's aufs driver left.
"""

from typing import NamedTuple

from layerkit.errors import CannotFixError, DamagedError
from layerkit.plan.directory_times import timeless
from layerkit.plan.overlay_marks import without_marks
from layerkit.tar.folder_bound import SPELLED, FolderBound
from layerkit.tar.framing import MAX_PATH, Member, clean
from layerkit.tar.header import BLOCK, Kind

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
_AUFS = b".wh..wh."
_NO_NAMES = (b"", b".", b"..")
"""What a member's name may end in without naming anything: see `clean`."""
_DIRECTORY, _HARD_LINK, _SYMLINK = Kind.DIRECTORY, Kind.HARD_LINK, Kind.SYMLINK
_MAX_HOPS = 40
"""Symlinks followed in one path, as Linux does (MAXSYMLINKS)."""


class Located(NamedTuple):
    """A member, in the layer's tree."""

    path: bytes
    """With symlinked parents followed."""
    ancestors: tuple[bytes, ...]
    """Paths of the entries to repeat before it, outermost first: only those the layer holds before this member."""
    hides: bytes | None
    """The path a whiteout removes, or the directory whose lower content an opaque marker hides."""
    opaque: bool
    target: bytes | None
    """What a hard link points to, symlinked parents followed."""


class Span(NamedTuple):
    """The first and the last of the parts that hold something."""

    first: int
    last: int

    def and_of(self, other: "Span | None") -> "Span":
        return self if other is None else Span(min(self.first, other.first), max(self.last, other.last))


class Tree:
    """`where` is what messages call the layer."""

    def __init__(self, where: str, *, keeps_times: bool = False) -> None:
        """`keeps_times`: entries are repeated as they are, and there are no last words."""
        self.where = where
        self._keeps_times = keeps_times
        self.changed: set[bytes] = set()
        """Paths that occur twice and changed between directory and something else."""
        self.markers: dict[bytes, tuple[bytes, bytes]] = {}
        """Directory -> path and run of its opaque marker, unless that is named through a symlink."""
        self._repeated: dict[bytes, None] = {}
        """Entries that some part has without their times, in the order in which they were needed."""
        self._directories: dict[bytes, bytes] = {}
        self._symlinks: dict[bytes, tuple[bytes, bytes]] = {}
        self._resolved: dict[bytes, tuple[bytes, tuple[bytes, ...]]] = {}
        """A parent, as it was spelled -> the directory it leads to, and the entries on the way."""
        self._spelled = 0
        """Bytes of what is in `_resolved`."""
        self._bound = FolderBound(where)
        self._prefixes: set[bytes] = set()
        self._part: dict[bytes, int] = {}
        """Path -> the part that holds its latest entry. The one table with an entry for every file of a layer."""
        self._spread: dict[bytes, Span] = {}
        """Those paths that several parts hold, or whose entry is gone from the filesystem but not from its part."""
        self._linked: set[bytes] = set()
        """Symlinks that have hard links, and those."""
        self._followed: set[bytes] = set()
        """Symlinks that are parents of something."""
        self._above: set[bytes] = set()
        """Directories that hold something, with or without an entry of their own."""
        self._dangling: dict[bytes, bytes] = {}
        self._named_through: dict[bytes, dict[bytes, tuple[bytes, bytes]] | None] = {}
        """Directory or symlink -> the symlinks that its own entry's name leads through: where it is repeated, so are they.
        None: some of them are gone already."""

    def locate(self, member: Member) -> Located:
        """Where `member` is, given the members recorded so far. Raises CannotFixError for AUFS markers."""
        parent, _, name = member.name.rpartition(b"/")
        known = self._resolved.get(parent)
        if known is None or name in _NO_NAMES:
            spelled = parent
            parent, _, name = member.path.rpartition(b"/")
            if not name:
                return Located(b"", (), None, False, None)
            known = self._parent(parent, member)
            if clean(spelled) == parent:
                self._resolved[spelled] = known
        resolved, ancestors = known
        path = resolved + b"/" + name if resolved else name
        hides: bytes | None = None
        opaque = False
        if name.startswith(WHITEOUT):
            if name == OPAQUE:
                hides, opaque = resolved, True
            elif name.startswith(_AUFS):
                raise CannotFixError(
                    f"{self.where}: {show(member.name)} is a marker of the old AUFS storage driver, which appliers treat "
                    "differently; the layer can't be split safely. Build the image again with a current docker"
                )
            else:
                hidden = name[len(WHITEOUT) :]
                hides = resolved + b"/" + hidden if resolved else hidden
        target: bytes | None = None
        if member.kind is _HARD_LINK:
            link = clean(member.link)
            link_parent, _, link_name = link.rpartition(b"/")
            link_resolved, _ = self._parent(link_parent, member)
            target = link_resolved + b"/" + link_name if link_resolved else link_name
        return Located(path, ancestors, hides, opaque, target)

    def record(self, member: Member, located: Located, part: int) -> None:
        """`member` is part of the tree from now on, and goes to `part`."""
        path = located.path
        parent = path.rpartition(b"/")[0]
        while parent not in self._above:
            self._above.add(parent)
            self._bound.add(len(parent), member)
            parent = parent.rpartition(b"/")[0]
        if member.kind is _DIRECTORY:
            if self.is_other(path):
                self.changed.add(path)
                self._symlinks.pop(path, None)
            self._forget(path)
            self._directories[path] = _compact(member.head)
            self._note_name(member, located)
        elif located.hides is not None:
            if located.opaque and member.path == path:
                self.markers[located.hides] = (path, member.head)
            return
        else:
            self._record_other(member, located)
        before = self._part.get(path)
        if before is not None and before != part:
            self._spread[path] = Span(min(before, part), max(before, part)).and_of(self._spread.get(path))
        self._part[path] = part

    def _record_other(self, member: Member, located: Located) -> None:
        path = located.path
        if self._directories.pop(path, None) is not None:
            self.changed.add(path)
            self._forget(path)
        if path in self._above:
            self._replace(path)
        if located.target is not None and (located.target in self._symlinks or located.target in self._linked):
            self._linked.update((located.target, path))
            self._refuse_linked(located.target)
        if member.kind is _SYMLINK:
            self._forget(path)
            self._symlinks[path] = (member.link, _compact(member.head))
            self._note_name(member, located)
        elif self._symlinks.pop(path, None) is not None:
            self._forget(path)

    def _note_name(self, member: Member, located: Located) -> None:
        self._named_through.pop(located.path, None)
        if member.path != located.path:
            through = {path: self._symlinks[path] for path in located.ancestors if path in self._symlinks}
            is_its_own = located.path in located.ancestors  # it took the place of what its name led through
            self._named_through[located.path] = through if through and not is_its_own else None

    def _need(self, path: bytes, needed: dict[bytes, None]) -> None:
        """The entry at `path` is needed, and before it what its name leads through."""
        through = self._named_through.get(path, {})
        if through is None or any(self._symlinks.get(symlink) is not entry for symlink, entry in through.items()):
            raise CannotFixError(
                f"{self.where}: the entry of {show(path)} is named through a symlink that is another now; the layer can't be "
                "split safely. Build the image again"
            )
        for symlink in through:
            if symlink not in needed:
                self._need(symlink, needed)
        needed[path] = None

    def dangles(self, member: Member, located: Located) -> None:
        """`member` is a hard link whose target hasn't come: appliers will fail on it, or find a lower layer's file. Raises
        CannotFixError when such links point at each other."""
        assert located.target is not None
        target = located.target
        for _ in range(len(self._dangling) + 1):
            if target == located.path:
                raise CannotFixError(
                    f"{self.where}: the hard link {show(member.name)} -> {show(member.link)} leads back to itself; no "
                    "applier can create it. Build the image again"
                )
            if target not in self._dangling:
                break
            target = self._dangling[target]
        self._dangling[located.path] = located.target

    def holds(self, path: bytes) -> bool:
        """Is there anything at `path`? What was below a directory is gone when something else takes its place."""
        return path in self._part

    def is_other(self, path: bytes) -> bool:
        """Is there something at `path` that is no directory?"""
        return path in self._part and path not in self._directories

    def span(self, path: bytes) -> "Span | None":
        """The parts that hold an entry of `path`."""
        part = self._part.get(path)
        found = self._spread.get(path)
        return found if part is None else Span(part, part).and_of(found)

    def part_of(self, path: bytes) -> int | None:
        """The part that holds the latest entry of `path`, if that is still there."""
        return self._part.get(path)

    def entry(self, path: bytes) -> bytes:
        """The member run of a directory or symlink, as it was last seen, but for marks that would hide what other parts hold."""
        stored = self._directories.get(path)
        if stored is None:
            stored = self._symlinks[path][1]
        return without_marks(stored.ljust(-(-len(stored) // BLOCK) * BLOCK, b"\0"))

    def repeat(self, path: bytes) -> bytes:
        """The entry without its times, for a part that needs it above its members; see `timeless`."""
        if self._keeps_times:
            return self.entry(path)
        self._repeated[path] = None
        return timeless(self.entry(path))

    def last_words(self) -> bytes:
        """Every repeated entry as it is, below the entries of its parents."""
        paths: dict[bytes, None] = {}
        for path in self._repeated:
            if path in self._directories or path in self._symlinks:
                above = (path[:at] for at in range(len(path)) if at == 0 or path[at : at + 1] == b"/")
                for parent in above:
                    if parent in self._directories:
                        self._need(parent, paths)
                self._need(path, paths)
        return b"".join(map(self.entry, paths))

    def _parent(self, parent: bytes, member: Member) -> tuple[bytes, tuple[bytes, ...]]:
        """The directory a spelled parent leads to, and the entries on the way."""
        known = self._resolved.get(parent)
        if known is not None:
            return known
        needed: dict[bytes, None] = {b"": None} if b"" in self._directories else {}
        here = b""
        self._prefixes.add(b"")
        todo = parent.split(b"/")[::-1]
        hops = 0
        while todo:
            name = todo.pop()
            if name in (b"", b"."):
                continue
            if name == b"..":
                here = here.rpartition(b"/")[0]
                continue
            path = here + b"/" + name if here else name
            if len(path) > MAX_PATH:
                raise DamagedError.mismatch(
                    f"{self.where}: offset {member.start:,}: {show(member.name[:60])}",
                    expected=f"symlinks above it that lead to a path of at most {MAX_PATH:,} bytes",
                    found="a longer one",
                )
            self._prefixes.add(path)
            symlink = self._symlinks.get(path)
            if symlink is not None or path in self._linked:
                self._followed.add(path)
                self._refuse_linked(path)
            if symlink is not None and hops < _MAX_HOPS:
                hops += 1
                self._need(path, needed)
                if symlink[0].startswith(b"/"):
                    here = b""
                names = symlink[0].split(b"/")
                self._bound.follow(len(names), member)
                todo.extend(names[::-1])
                continue
            if path in self._directories:
                self._need(path, needed)
            here = path
        found = (here, tuple(needed))
        self._spelled += len(parent)
        if self._spelled > SPELLED:
            self._resolved.clear()
            self._spelled = 0
        self._resolved[parent] = found
        return found

    def _replace(self, path: bytes) -> None:
        """A directory became something else: what it held is gone, for every applier."""
        self.changed.add(path)
        below = path + b"/"
        for table in (self._directories, self._symlinks, self._repeated):
            for gone in [entry for entry in table if entry.startswith(below)]:
                del table[gone]
        self._above.difference_update([entry for entry in self._above if entry.startswith(below)])
        for gone in [entry for entry in self._part if entry.startswith(below)]:
            part = self._part.pop(gone)
            self._spread[gone] = Span(part, part).and_of(self._spread.get(gone))
        self._above.discard(path)
        self._resolved.clear()
        self._prefixes.clear()

    def _refuse_linked(self, path: bytes) -> None:
        """A symlink is repeated in parts that need it as a parent, which would part it from its hard links."""
        if path in self._linked and path in self._followed:
            raise CannotFixError(
                f"{self.where}: {show(path)} is a symlink that has a hard link and is the parent of other members; the layer "
                "can't be split safely. Build it without that hard link"
            )

    def _forget(self, path: bytes) -> None:
        """An entry at `path` is new or changed: resolutions that passed it are void. In a depth-first tar none did."""
        if path in self._prefixes and path not in self._directories:
            self._resolved.clear()
            self._prefixes.clear()


def _compact(head: bytes) -> bytes:
    """Header blocks end in zeros; a layer may hold 100,000 directories."""
    return head.rstrip(b"\0")


def show(path: bytes) -> str:
    """A path for people: undecodable bytes and control characters escaped."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
