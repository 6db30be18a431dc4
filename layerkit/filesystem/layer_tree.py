"""What one layer's directory holds after an applier unpacked it, without unpacking it.

In: the bytes of a layer's tar, in order. Out: a tree of `Directory`s and `Entry`s, with the layer's whiteouts and opaque markers
beside them. The rules are those of containerd's archive.Apply and moby's UnpackLayer on overlay snapshotters, where every layer
gets a directory of its own: parents that are symlinks are followed and hard links resolved inside it, missing parents are made,
and the last entry of a path wins (image-spec layer.md, "Applying Changesets").
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from layerkit.errors import DamagedError
from layerkit.filesystem.entry import NOTHING, Entry, entry_of, globals_after, sparse_map
from layerkit.image.blob import Buffer
from layerkit.tar.framing import Framer, Member, clean
from layerkit.tar.header import Kind

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
_RESERVED = b".wh..wh."
"""Markers of the AUFS storage driver. Appliers differ on them: they count as files here, so that none gets lost."""

_FILE, _DIRECTORY, _HARD_LINK, _GLOBAL = Kind.FILE, Kind.DIRECTORY, Kind.HARD_LINK, Kind.GLOBAL
_NO_NAMES = (b"", b".", b"..")
"""What a path may end in without naming anything: see `clean`."""
_MAX_SYMLINKS = 255
"""Followed in one path (containerd's continuity, fs.RootPath)."""


class Fingerprint(Protocol):
    def update(self, data: Buffer, /) -> None: ...
    def digest(self) -> bytes: ...


class Directory:
    """A directory, of one layer or of several merged."""

    __slots__ = ("children", "contested", "entry", "implied", "opaque", "replaces", "whiteouts")

    def __init__(self) -> None:
        self.entry: Entry | None = None
        """What is known of the directory itself; None when no layer so far has an entry for it."""
        self.implied = True
        """Does the topmost layer that holds something here lack an entry for the directory? Appliers then differ: moby makes it
        0755 root, containerd copies the lower layer's, umoci leaves what is there."""
        self.children: dict[bytes, Directory | Entry] = {}
        self.opaque = False
        """Is everything hidden that lower layers have here?"""
        self.replaces = False
        """Is it on top of something else, so that lower layers' directories of this path don't count? Of merged layers only."""
        self.whiteouts: frozenset[bytes] = frozenset()
        """Names of lower layers that are hidden."""
        self.contested: Mapping[bytes, str] = {}
        """Names that one layer both holds and hides, and how: appliers differ on them."""


class LayerTree:
    """`feed` it a layer's tar, then `close` it. `where` is what messages call the layer; `fingerprint` makes what tells contents
    apart: SHA-256, or something cheaper where the bytes are compared by other means."""

    def __init__(self, where: str, fingerprint: Callable[[bytes], Fingerprint] = hashlib.sha256) -> None:
        self.where = where
        self._fingerprint = fingerprint
        self._empty = fingerprint(b"").digest()
        self.root = Directory()
        self._framer = Framer(where)
        self._globals: Mapping[bytes, bytes] = NOTHING
        self._known: dict[bytes, Directory] = {b"": self.root}
        self._at = 0
        self._entry: Entry | None = None
        """The file whose data haven't ended yet."""
        self._hasher = fingerprint(b"")
        self._data_end = 0

    def feed(self, data: Buffer) -> None:
        """The next bytes of the tar. Raises DamagedError."""
        self.take(data, self._framer.feed(data))

    def take(self, data: Buffer, members: Iterable[Member]) -> None:
        """`feed` for bytes that are framed already: `members` are those whose headers end in `data`. That the tar has ended is
        then for the one who frames it to check. Raises DamagedError."""
        view = memoryview(data)
        start = self._at
        self._at = fed = start + len(view)
        if self._entry is not None:
            self._hasher.update(view[: self._data_end - start])
            if self._data_end <= fed:
                self._entry.digest = self._hasher.digest()
                self._entry = None
        for member in members:
            entry = self._add(member)
            if entry is None:
                continue
            stored = sparse_map(member)
            if not member.size:
                entry.digest = self._fingerprint(stored).digest() if stored else self._empty
                continue
            hasher = self._fingerprint(stored)
            end = member.data + member.size
            hasher.update(view[member.data - start : end - start])
            if end <= fed:  # most files are shorter than what comes at a time
                entry.digest = hasher.digest()
            else:
                self._entry, self._hasher, self._data_end = entry, hasher, end

    def close(self) -> Directory:
        """The tree. Raises DamagedError when the tar hasn't ended."""
        self._framer.close()
        return self.root

    def _add(self, member: Member) -> Entry | None:
        """Puts a member into the tree. Returns its entry if it is a file, whose data come next."""
        kind = member.kind
        if kind is _GLOBAL:
            self._globals = globals_after(member, self._globals, self.where)
            return None
        above, _, name = member.name.rpartition(b"/")
        if name in _NO_NAMES:
            above, _, name = member.path.rpartition(b"/")
        if name.startswith(WHITEOUT) and (name == OPAQUE or not name.startswith(_RESERVED)) and name != WHITEOUT:
            self._mark(self._directory(above, member), name)
            return None
        entry = entry_of(member, self._globals, self.where)
        if kind is _DIRECTORY:
            self._put_directory(above, name, entry, member)
            return None
        if not name:
            raise self._error(member, "a directory as the root", f"a {kind.value}")
        parent = self._directory(above, member)
        if name in parent.children or parent.contested:
            self._make_room(parent, name)
        if kind is _HARD_LINK:
            entry = self._linked(member, entry)
        parent.children[name] = entry
        return entry if kind is _FILE else None

    def _put_directory(self, above: bytes, name: bytes, entry: Entry, member: Member) -> None:
        """A directory over a directory only brings its attributes (the last entry's count)."""
        directory = self.root
        if name:
            parent = self._directory(above, member)
            child = parent.children.get(name)
            if isinstance(child, Directory):
                directory = child
            else:
                self._make_room(parent, name, directory=True)
                directory = parent.children[name] = Directory()
        directory.entry = entry
        directory.implied = False

    def _mark(self, directory: Directory, name: bytes) -> None:
        if name == OPAQUE:
            directory.opaque = True
            return
        hidden = name[len(WHITEOUT) :]
        if hidden in directory.children:
            directory.contested = {**directory.contested, hidden: "held, then hidden by a whiteout of its own layer"}
        directory.whiteouts |= {hidden}

    def _make_room(self, parent: Directory, name: bytes, *, directory: bool = False) -> None:
        """Something else takes the place of whatever `name` was. Anything but a directory hides what is below by itself, so that
        a whiteout beside it says nothing more."""
        if directory and name in parent.whiteouts and name not in parent.children:
            parent.contested = {**parent.contested, name: "hidden by a whiteout of its own layer, then held"}
        elif not directory and name in parent.contested:
            parent.contested = {other: how for other, how in parent.contested.items() if other != name}
        before = parent.children.pop(name, None)
        if isinstance(before, Directory) or (before is not None and before.kind is Kind.SYMLINK):
            self._known = {b"": self.root}

    def _linked(self, member: Member, link: Entry) -> Entry:
        """The inode that a hard link shares. Appliers set the link's own attributes on it (createTarFile)."""
        target_path = clean(member.link)
        parent_path, _, name = target_path.rpartition(b"/")
        parent = self._walk(parent_path, member, create=False)
        target = parent.children.get(name) if parent is not None else None
        if not isinstance(target, Entry):
            link.link = target_path
            return link
        target.linked = True
        if target.kind is not Kind.SYMLINK:
            target.mode, target.mtime = link.mode, link.mtime
        target.uid, target.gid = link.uid, link.gid
        if link.xattrs:
            target.xattrs = {**target.xattrs, **link.xattrs}
        return target

    def _directory(self, path: bytes, member: Member) -> Directory:
        """The directory that `path`, as spelled, leads to; what is missing on the way is made."""
        known = self._known.get(path)
        if known is None:
            known = self._walk(clean(path), member, create=True)
            assert known is not None
            self._known[path] = known
        return known

    def _walk(self, path: bytes, member: Member, *, create: bool) -> Directory | None:
        here = [self.root]
        todo = path.split(b"/")[::-1]
        followed = 0
        while todo:
            name = todo.pop()
            if name in (b"", b"."):
                continue
            if name == b"..":
                here = here[:-1] or here
                continue
            child = here[-1].children.get(name)
            if child is None:
                if not create:
                    return None
                self._make_room(here[-1], name, directory=True)
                child = here[-1].children[name] = Directory()
            if isinstance(child, Directory):
                here.append(child)
                continue
            if child.kind is not Kind.SYMLINK:
                if not create:
                    return None
                raise self._error(member, "a directory above it", f"a {child.kind.value}, {name.decode(errors='replace')!r}")
            followed += 1
            if followed > _MAX_SYMLINKS:
                raise self._error(member, f"at most {_MAX_SYMLINKS} symlinks above it", "more (they lead to each other)")
            if child.link.startswith(b"/"):
                here = [self.root]
            todo.extend(child.link.split(b"/")[::-1])
        return here[-1]

    def _error(self, member: Member, expected: str, found: str) -> DamagedError:
        name = member.name.decode(errors="backslashreplace")
        return DamagedError.mismatch(f"{self.where}: offset {member.start:,}: {name}", expected=expected, found=found)
