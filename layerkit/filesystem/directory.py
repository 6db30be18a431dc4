"""What a tree is made of.

A `Directory` holds other directories, and whatever has to be found by its name or has several names, as objects; all other
files, which are most of what there is, as `Rows`: digests of what they are, without their names. That is enough to see that two
trees are the same. To say how they differ the layers are read again, and then entries are kept of those paths that do.

At a name there is the directory or inode called so; or else the file of the last row with its key; or else nothing.
"""

import secrets
import struct
from collections.abc import Collection, Container, Iterator, Mapping

from layerkit.filesystem.entry import NOTHING, Entry
from layerkit.filesystem.marks import NO_MARKS, Look
from layerkit.filesystem.rows import Row, Rows

_ROOT = secrets.token_bytes(8)
"""The root's key: one for all trees of a process, so that they can be compared, and nobody can choose names that share a key."""
_KEY = struct.Struct("q")


class Inode:
    """A symlink, or what hard links share: paths that are hard links of each other hold the same object."""

    __slots__ = ("attributes", "digest", "entry", "link", "origin", "whole")

    def __init__(self, attributes: int, digest: bytes, link: bytes | None = None, entry: Entry | None = None) -> None:
        self.attributes = attributes
        self.digest = digest
        self.link = link
        """A symlink's target."""
        self.entry = entry
        """All of it, if that is wanted."""
        self.origin: int | None = None
        """Key of the path that was linked to first; None as long as no hard link leads here."""
        self.whole: Inode | None = None
        """If some overlays don't see it at this path: the inode that they may see at others."""


class Directory:
    """A directory, of one layer or of several merged."""

    __slots__ = ("__dict__", "attributes", "children", "files", "implied", "key")
    # There may be as many directories as files: what few have is only stored for those. It takes half the memory.

    entry: Entry | None = None
    """All there is to say of itself, if that is wanted."""
    entries: dict[bytes, Entry] | None = None
    """Of the files in `files`, those that are wanted, by name."""
    opaque = False
    """Is everything hidden that lower layers have here?"""
    replaces = False
    """Is it on top of something else, so that lower layers' directories of this path don't count? Of merged layers only."""
    whiteouts: frozenset[bytes] = frozenset()
    """Names of lower layers that are hidden."""
    contested: Mapping[bytes, str] = NOTHING
    """Names that one layer both holds and hides, and how: appliers differ on them."""
    marks = NO_MARKS
    """What hides all that lower layers have here from some overlays."""
    looks: tuple[Look, ...] = ()
    """Of the root: what shows something of lower layers."""
    shown: Mapping[bytes, int] = NOTHING
    """Of the root: paths that do, and a digest of what they found in layers that were merged."""
    merged = False
    """Was it made by merging layers, and may be changed by merging another into it?"""

    def __init__(self, key: bytes = _ROOT) -> None:
        self.key = key
        """Stands for the directory's path, in all trees of this process."""
        self.attributes: int | None = None
        """Of the directory itself; None when no layer so far has an entry for it."""
        self.implied = True
        """Does the topmost layer that holds something here lack an entry for the directory? Appliers then differ: moby makes it
        0755 root, containerd copies the lower layer's, umoci leaves what is there."""
        self.children: dict[bytes, Directory | Inode] = {}
        self.files: Rows | None = None

    def key_of(self, name: bytes) -> int:
        """Stands for the path of `name` in this directory. 64 bits of SipHash, which is Python's hash of bytes."""
        return hash(self.key + name)

    def below(self, name: bytes) -> "Directory":
        """A new directory of that name, for `children`."""
        return Directory(_KEY.pack(self.key_of(name)))

    @property
    def place(self) -> int:
        """What `key_of` gives for this directory in the one above."""
        place: int = _KEY.unpack(self.key)[0]
        return place

    def own(self) -> "Directory":
        """One that may be changed by merging: this, if it was made by that, or else a copy."""
        if self.merged:
            return self
        own = self.copy()
        own.merged = True
        return own

    def copy(self) -> "Directory":
        """Another one of the same content, which can be changed; what is in it is shared."""
        other = Directory(self.key)
        vars(other).update(vars(self))
        other.attributes, other.implied = self.attributes, self.implied
        other.children = dict(self.children)
        if self.files is not None:
            other.files = Rows(self.files.width, self.files.data)
        if self.entries is not None:
            other.entries = dict(self.entries)
        return other

    def numbers(self) -> dict[int, int]:
        """The files that are there: key -> number of the row."""
        if self.files is None:
            return {}
        numbers = self.files.latest()
        for name in self.children:
            numbers.pop(self.key_of(name), None)
        return numbers

    def row(self, number: int | None) -> Row | None:
        return self.files[number] if number is not None and self.files is not None else None

    def holds(self, name: bytes) -> bool:
        """Is there anything of that name? Looks through all files."""
        return name in self.children or (self.files is not None and self.key_of(name) in self.files.all_keys())

    def remove(self, names: Collection[bytes]) -> None:
        """Whatever has one of these names is no longer there."""
        for name in names:
            self.children.pop(name, None)
            if self.entries is not None:
                self.entries.pop(name, None)
        if self.files is not None:
            self.files.remove({self.key_of(name) for name in names})


def directories(root: Directory) -> Iterator[Directory]:
    """All of a tree. Without recursion: paths may be as deep as a pax header is long."""
    waiting = [root]
    while waiting:
        directory = waiting.pop()
        yield directory
        waiting.extend(child for child in directory.children.values() if isinstance(child, Directory))


def holds_any(root: Directory, keys: Container[int]) -> bool:
    """Does a tree hold something at any of those paths, or hold what another path was linked from?"""
    for directory in directories(root):
        if any(directory.key_of(name) in keys for name in directory.children):
            return True
        if any(isinstance(child, Inode) and child.origin in keys for child in directory.children.values()):
            return True
        if directory.files is not None and any(key in keys for key in directory.files.all_keys()):
            return True
    return root.place in keys
