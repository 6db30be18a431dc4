"""What one layer's directory holds after an applier unpacked it, without unpacking it.

In: the bytes of a layer's tar, in order. Out: a tree of `Directory`s and `Entry`s, with the layer's whiteouts and opaque markers
beside them. The rules are those of containerd's archive.Apply and moby's UnpackLayer on overlay snapshotters, where every layer
gets a directory of its own: parents that are symlinks are followed and hard links resolved inside it, missing parents are made,
and the last entry of a path wins (image-spec layer.md, "Applying Changesets").
"""

import hashlib
from collections.abc import Callable, Container, Iterable, Mapping
from typing import NamedTuple, Protocol

from layerkit.errors import DamagedError
from layerkit.filesystem.attributes import attributes_in, attributes_of, kind_of, linked_attributes, plain_attributes
from layerkit.filesystem.directory import Directory, Inode
from layerkit.filesystem.entry import NOTHING, Entry, entry_of, globals_after, sparse_map
from layerkit.filesystem.marks import NO_MARKS, OVERLAY, joined_marks, take_marks
from layerkit.filesystem.rows import NUMBERS, Index, Row, Rows, pack_numbers
from layerkit.image.blob import Buffer
from layerkit.tar.folder_bound import SPELLED, FolderBound
from layerkit.tar.framing import Framer, Member, clean
from layerkit.tar.header import BLOCK, HeaderError, Kind

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
_RESERVED = b".wh..wh."
"""Markers of the AUFS storage driver. Appliers differ on them: they count as files here, so that none gets lost."""

_FILE, _DIRECTORY, _HARD_LINK, _SYMLINK, _GLOBAL = Kind.FILE, Kind.DIRECTORY, Kind.HARD_LINK, Kind.SYMLINK, Kind.GLOBAL
_NO_NAMES = (b"", b".", b"..")
"""What a path may end in without naming anything: see `clean`."""
_SPECIAL = (b"", b".")
"""What a name begins with that might be none, or a whiteout's."""
_SPARSE = ord("S")
_MAX_SYMLINKS = 255
"""Followed in one path (containerd's continuity, fs.RootPath)."""


class Fingerprint(Protocol):
    def update(self, data: Buffer, /) -> None: ...
    def digest(self) -> bytes:
        """Always as long, and a multiple of eight bytes."""


class Everything:
    """Of which every entry is wanted."""

    def __contains__(self, key: object) -> bool:
        return True


EVERYTHING: Container[int] = Everything()


class _File(NamedTuple):
    """A file whose data are next."""

    directory: Directory
    name: bytes
    attributes: int
    entry: Entry | None
    """If all of it is wanted."""


class _Unended(NamedTuple):
    """A file whose data haven't ended yet."""

    file: _File
    hasher: Fingerprint
    end: int
    """Offset."""


class LayerTree:
    """`feed` it a layer's tar, then `close` it."""

    def __init__(
        self,
        where: str,
        fingerprint: Callable[[Buffer], Fingerprint] = hashlib.sha256,
        wanted: Container[int] | None = None,
        *,
        each: bool = False,
    ) -> None:
        """`where` is what messages call the layer; `fingerprint` makes what tells contents apart: SHA-256, or something cheaper
        where the bytes are compared by other means. `wanted`: keys of the paths whose entries are to be kept. Directories and
        inodes then have theirs, too. `each`: empty files have fingerprints of their own, which tell files apart and not
        contents."""
        self.where = where
        self.root = Directory()
        self._fingerprint = fingerprint
        self._empty = fingerprint(b"").digest()
        self._each = each
        self._width = NUMBERS + len(self._empty)
        self._wanted = wanted
        self._framer = Framer(where)
        self._globals: Mapping[bytes, bytes] = NOTHING
        self._known: dict[bytes, Directory] = {b"": self.root}
        """Parents, as they were spelled."""
        self._spelled = 0
        """Bytes of these paths."""
        self._indexes: dict[Directory, Index] = {}
        """Of directories in which files were looked for."""
        self._bound = FolderBound(where)
        self._at = 0
        self._unended: _Unended | None = None

    def feed(self, data: Buffer) -> None:
        """The next bytes of the tar. Raises DamagedError."""
        self.take(data, self._framer.feed(data))

    def take(self, data: Buffer, members: Iterable[Member]) -> None:
        """`feed` for bytes that are framed already: `members` are those whose headers end in `data`. That the tar has ended is
        then for the one who frames it to check. Raises DamagedError."""
        view = memoryview(data)
        start = self._at
        self._at = fed = start + len(view)
        if self._unended is not None:
            self._go_on(self._unended, view, start)
        fingerprint, empty, width, known = self._fingerprint, self._empty, self._width, self._known
        each = self._each
        plain_only = self._wanted is None and not self._globals
        for member in members:
            _, begin, size, _, kind, path, _, head, pax = member
            above, _, name = path.rpartition(b"/")
            directory = known.get(above)
            if (  # what most members are goes by in few steps
                plain_only
                and directory is not None
                and kind is _FILE
                and not pax
                and len(head) == BLOCK
                and head[156] != _SPARSE
                and name[:1] not in _SPECIAL
                and name not in directory.children
                and not directory.contested
            ):
                try:
                    attributes = plain_attributes(head[100:124], head[136:148])
                except HeaderError as error:
                    raise DamagedError(f"{self.where}: offset {member.start:,}: {error}") from None
                entry = None
                hasher = None
            else:
                file = self._add(member)
                known = self._known
                plain_only = self._wanted is None and not self._globals
                if file is None:
                    continue
                directory, name, attributes, entry = file
                stored = sparse_map(member)
                hasher = fingerprint(stored) if stored else None
            if size:
                end = begin + size
                piece = view[begin - start : end - start]
                if hasher is None:
                    hasher = fingerprint(piece)
                else:
                    hasher.update(piece)
                if end > fed:
                    self._unended = _Unended(_File(directory, name, attributes, entry), hasher, end)
                    continue  # there is no other: its header would be behind the data
            if hasher is None and each:
                hasher = fingerprint(b"")
            digest = empty if hasher is None else hasher.digest()
            files = directory.files
            if files is None:
                files = directory.files = Rows(width)
            files.data += pack_numbers(hash(directory.key + name), attributes) + digest
            if entry is not None:
                entry.digest = digest

    def close(self) -> Directory:
        """The tree. Raises DamagedError when the tar hasn't ended."""
        self._framer.close()
        self._indexes.clear()
        return self.root

    def _go_on(self, unended: _Unended, view: memoryview, start: int) -> None:
        file, hasher, end = unended
        hasher.update(view[: end - start])
        if end > start + len(view):
            return
        digest = hasher.digest()
        self._row(file.directory, file.name, Row(file.attributes, digest))
        if file.entry is not None:
            file.entry.digest = digest
        self._unended = None

    def _row(self, directory: Directory, name: bytes, row: Row) -> None:
        if directory.files is None:
            directory.files = Rows(self._width)
        directory.files.add(directory.key_of(name), row)

    def _add(self, member: Member) -> _File | None:
        """Puts a member into the tree. Returns it if it is a file, for its data come next."""
        kind = member.kind
        if kind is _GLOBAL:
            self._globals = globals_after(member, self._globals, self.where)
            return None
        above, _, name = member.name.rpartition(b"/")
        if name in _NO_NAMES:
            above, _, name = member.path.rpartition(b"/")
        if is_whiteout(name):
            self._mark(self._directory(above, member), name)
            return None
        if not name and kind is not _DIRECTORY:
            raise self._error(member, "a directory as the root", f"a {kind.value}")
        kept = self._wanted is not None
        marks = NO_MARKS
        entry = None
        if not kept and not member.pax and kind is not _HARD_LINK:
            attributes = attributes_in(member, self._globals, self.where)
        else:
            entry = entry_of(member, self._globals, self.where)
            if entry.xattrs and OVERLAY in b" ".join(entry.xattrs):
                marks, look = take_marks(entry, member.path)
                if look is not None:
                    self.root.looks += (look,)
            attributes = attributes_of(entry, kind) if kind is not _HARD_LINK else 0  # they are its target's
        if kind is _DIRECTORY:
            directory = self._put_directory(above, name, member)
            directory.attributes = attributes
            if kept:
                directory.entry = entry
            if marks:
                directory.marks = joined_marks(directory.marks, set(marks).difference(directory.marks))
            return None
        parent = self._directory(above, member)
        if name in parent.children or parent.contested or parent.entries is not None:
            self._make_room(parent, name)
        if entry is not None and kind is _HARD_LINK:
            inode = self._linked(parent, name, member, entry)
            if inode is not None:
                parent.children[name] = inode
                return None
            attributes = attributes_of(entry, kind)
        if not kept:
            entry = None
        if kind is _SYMLINK:
            parent.children[name] = Inode(attributes, self._empty, member.link, entry)
            return None
        if entry is not None and self._wanted is not None and parent.key_of(name) in self._wanted:
            if parent.entries is None:
                parent.entries = {}
            parent.entries[name] = entry
        if kind is _FILE:
            return _File(parent, name, attributes, entry)
        self._row(parent, name, Row(attributes, self._empty))
        return None

    def _put_directory(self, above: bytes, name: bytes, member: Member) -> Directory:
        """A directory over a directory only brings its attributes (the last entry's count)."""
        directory = self.root
        if name:
            parent = self._directory(above, member)
            child = parent.children.get(name)
            if isinstance(child, Directory):
                directory = child
            else:
                self._make_room(parent, name, directory=True)
                directory = parent.children[name] = parent.below(name)
        directory.implied = False
        return directory

    def _mark(self, directory: Directory, name: bytes) -> None:
        if name == OPAQUE:
            directory.opaque = True
            return
        hidden = name[len(WHITEOUT) :]
        if hidden in directory.children or self._find(directory, hidden) is not None:
            directory.contested = {**directory.contested, hidden: "held, then hidden by a whiteout of its own layer"}
        directory.whiteouts |= {hidden}

    def _make_room(self, parent: Directory, name: bytes, *, directory: bool = False) -> None:
        """Something else takes the place of whatever `name` was. Anything but a directory hides what is below by itself, so that
        a whiteout beside it says nothing more. A file's row may stay: whatever comes counts before it."""
        if directory and name in parent.whiteouts and name not in parent.children and self._find(parent, name) is None:
            parent.contested = {**parent.contested, name: "hidden by a whiteout of its own layer, then held"}
        elif not directory and name in parent.contested:
            parent.contested = {other: how for other, how in parent.contested.items() if other != name}
        before = parent.children.pop(name, None)
        if parent.entries is not None:
            parent.entries.pop(name, None)
        if before is not None and (isinstance(before, Directory) or before.link is not None):
            self._known = {b"": self.root}

    def _linked(self, above: Directory, own: bytes, member: Member, link: Entry) -> Inode | None:
        """The inode that a hard link shares. Appliers set the link's own attributes on it (createTarFile). None, with the target
        in the entry: there is none."""
        above_target, _, name = member.link.rpartition(b"/")
        parent = self._known.get(above_target)
        if parent is None or name in _NO_NAMES:
            above_target, _, name = clean(member.link).rpartition(b"/")
            parent = self._walk(above_target, member, create=False)
        inode = None
        itself = parent is above and name == own  # which is gone: appliers make room first
        if parent is not None and not itself:
            inode = self._inode(parent, name)
        if inode is None:
            link.link = clean(member.link)
            return None
        inode.attributes = linked_attributes(inode.attributes, link)
        target = inode.entry
        if target is not None:
            if target.kind is not _SYMLINK:
                target.mode, target.mtime = link.mode, link.mtime
            target.uid, target.gid = link.uid, link.gid
            if link.xattrs:
                target.xattrs = {**target.xattrs, **link.xattrs}
        return inode

    def _inode(self, parent: Directory, name: bytes) -> Inode | None:
        """What a hard link leads to, found by its name from now on."""
        inode = parent.children.get(name)
        if isinstance(inode, Directory):
            return None
        if inode is None:
            row = self._find(parent, name)
            if row is None:
                return None
            entry = parent.entries.pop(name, None) if parent.entries is not None else None
            inode = parent.children[name] = Inode(row.attributes, row.digest, entry=entry)
        if inode.origin is None:
            inode.origin = parent.key_of(name)
        return inode

    def _find(self, directory: Directory, name: bytes) -> Row | None:
        """The file of that name, if it has a row."""
        if directory.files is None:
            return None
        index = self._indexes.get(directory)
        if index is None:
            index = self._indexes[directory] = Index(directory.files)
        return index.find(directory.key_of(name))

    def _directory(self, path: bytes, member: Member) -> Directory:
        """The directory that `path`, as spelled, leads to; what is missing on the way is made."""
        known = self._known.get(path)
        if known is None:
            known = self._walk(clean(path), member, create=True)
            assert known is not None
            self._spelled += len(path)
            if self._spelled > SPELLED:
                self._known, self._spelled = {b"": self.root}, 0
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
                file = self._find(here[-1], name)
                if file is not None and create:
                    raise self._in_the_way(member, name, file.attributes)
                if not create:
                    return None
                self._make_room(here[-1], name, directory=True)
                self._bound.add(len(name), member)
                child = here[-1].children[name] = here[-1].below(name)
            if isinstance(child, Directory):
                here.append(child)
                continue
            if child.link is None:
                if not create:
                    return None
                raise self._in_the_way(member, name, child.attributes)
            followed += 1
            if followed > _MAX_SYMLINKS:
                raise self._error(member, f"at most {_MAX_SYMLINKS} symlinks above it", "more (they lead to each other)")
            if child.link.startswith(b"/"):
                here = [self.root]
            names = child.link.split(b"/")
            self._bound.follow(len(names), member)
            todo.extend(names[::-1])
        return here[-1]

    def _in_the_way(self, member: Member, name: bytes, attributes: int) -> DamagedError:
        found = f"a {kind_of(attributes).value}, {name.decode(errors='replace')!r}"
        return self._error(member, "a directory above it", found)

    def _error(self, member: Member, expected: str, found: str) -> DamagedError:
        name = member.name.decode(errors="backslashreplace")
        return DamagedError.mismatch(f"{self.where}: offset {member.start:,}: {name}", expected=expected, found=found)


def is_whiteout(name: bytes) -> bool:
    """Does a member of that name hide something of lower layers (image-spec layer.md, "Whiteouts")? Other names that AUFS had for
    itself hide nothing."""
    return name.startswith(WHITEOUT) and (name == OPAQUE or not name.startswith(_RESERVED)) and name != WHITEOUT
