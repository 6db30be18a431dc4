"""One layer's members in columns: what they are called, how large they are, and what they cost.

In: the layer's raw tar in batches, with marks of what it takes compressed (`compression.metering`). Out: a number for each
member, in the order of the tar, and beside it the layer's tree, whose rows hold these numbers in place of digests. A file takes
47 bytes and its name in columns, and 24 in the tree: 1,000,000 of them are well within what a command may take.
"""

import struct
from array import array
from collections.abc import Iterable, Iterator
from typing import Protocol

from xxhash import xxh3_128

from layerkit.compression.metering import Mark
from layerkit.costs.folders import ROOT, Folders
from layerkit.costs.positions import Positions
from layerkit.errors import CannotFixError
from layerkit.filesystem.directory import Directory
from layerkit.filesystem.entry import mode_and_owner, split_head
from layerkit.filesystem.layer_tree import LayerTree, is_whiteout
from layerkit.image.blob import Buffer
from layerkit.tar.framing import Framer, Member
from layerkit.tar.header import BLOCK, HeaderError, Kind

_ID = struct.Struct(">Q")
_LAYER_SHIFT = 40
"""An id is a layer's index and a member's number in it."""
NO_MEMBER = (1 << 64) - 1
"""The id of what isn't a file."""
MAX_MEMBERS = 4_000_000
MAX_NAMES = 128 << 20
"""Of one layer, and bytes of all their names: five times what the largest images have, and within the memory of a command."""

_DIGEST = 16
_NO_DIGEST = bytes(_DIGEST)
_KINDS = tuple(Kind)
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}
FILE = _NUMBERS[Kind.FILE]
DIRECTORY = _NUMBERS[Kind.DIRECTORY]
WHITEOUT = len(_KINDS)
"""A file that hides something of lower layers, and is none itself."""


class Reader(Protocol):
    """Is shown the content of one file."""

    def update(self, data: Buffer, /) -> None: ...
    def close(self) -> None:
        """That was all of it."""


class Readers(Protocol):
    def reader(self, layer: "LayerFiles", number: int, path: bytes) -> Reader | None:
        """For the content of a file, which comes next; None: it isn't wanted."""


class LayerFiles:
    """`feed` it all batches of a layer, then `close` it. Other threads may read the columns meanwhile: they only grow, and costs
    are known for the first `costed` members."""

    def __init__(self, where: str, index: int, readers: Readers) -> None:
        """`where` is what messages call the layer; `index`: its number among all that are read, from 0."""
        self.where = where
        self.index = index
        self.folders = Folders()
        """Those that members are in."""
        self.folder = array("I")
        """Of each member: the number of the one it is in."""
        self.kinds = bytearray()
        self.modes = array("H")
        """The lowest twelve bits."""
        self.sizes = array("Q")
        self.contents = bytearray()
        """XXH3-128 of what each file holds; zeros for anything else."""
        self.raw_size = 0
        """Bytes of the tar so far."""
        self.cost = 0
        """Bytes of the compressed layer, once it is closed."""
        self.estimated = False
        """Is the layer uncompressed, so that what it takes as gzip is an estimate?"""
        self.zstd_cost: int | None = None
        """What it would take as zstd, if that was estimated."""
        self.root = Directory()
        """The layer's tree, once it is closed."""
        self._readers = readers
        self._positions = Positions()
        self._costs = self._positions.known
        self._last = ROOT, b""
        """The folder that was asked about last, and its path: members of one come one after the other."""
        self._names = bytearray()
        self._name_ends = array("Q")
        self._framer = Framer(where)
        self._current = -1
        self._path = b""
        """The member that the tree is being given, and its path."""
        self._tree = LayerTree(where, self._fingerprint, each=True)

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def costed(self) -> int:
        """How many members' costs are known."""
        return max(len(self._costs) - 1, 0)

    def cost_of(self, number: int) -> int:
        """Compressed bytes of a member's run: extension headers, header, data and padding."""
        return self._costs[number + 1] - self._costs[number]

    def name_of(self, number: int) -> bytes:
        """The last part of its path."""
        return bytes(self._names[self._name_ends[number - 1] if number else 0 : self._name_ends[number]])

    def path_of(self, number: int) -> bytes:
        """As the layer has it, without a leading slash."""
        folder, name = self.folder[number], self.name_of(number)
        last = self._last
        if folder != last[0]:
            last = self._last = folder, self.folders.path(folder)
        above = last[1]
        return above + b"/" + name if above else name

    def place_of(self, number: int) -> int:
        """Stands for a member's path, in all layers of this process: 64 bits."""
        return hash(self.folders.key(self.folder[number]) + b"/" + self.name_of(number))

    def content_of(self, number: int) -> bytes:
        return bytes(self.contents[number * _DIGEST : (number + 1) * _DIGEST])

    def id_of(self, number: int) -> int:
        return self.index << _LAYER_SHIFT | number

    def feed(self, data: bytes, marks: Iterable[Mark]) -> None:
        """Raises DamagedError."""
        members = self._framer.feed(data)
        self._tree.take(data, self._added(members))
        self._positions.reach(marks)
        self.raw_size += len(data)

    def close(self, cost: int | None) -> None:
        """`cost`: compressed bytes of all of it; None: what the last mark said. Raises DamagedError when the tar hasn't ended."""
        self._positions.add(self._framer.close())  # the archive's end costs something, too
        cost = self._positions.end(self.raw_size, cost)
        self.root = self._tree.close()
        self.cost = cost
        del self._tree, self._framer  # what they remember isn't needed any more, and the tree leads back here

    def _added(self, members: Iterable[Member]) -> Iterator[Member]:
        """Each member when the tree asks for it, already in the columns."""
        for member in members:
            above, _, name = member.path.rpartition(b"/")
            try:
                block = member.head if len(member.head) == BLOCK else split_head(member.head)[0]
                mode = mode_and_owner(block[100:124])[0]
            except HeaderError:
                mode = 0  # the tree says what is wrong with it
            self._current, self._path = len(self.kinds), member.path
            if self._current >= MAX_MEMBERS or len(self._names) > MAX_NAMES:
                raise CannotFixError(_too_many(self.where))
            self.folder.append(self.folders.number_of(above))
            self._names += name
            self._name_ends.append(len(self._names))
            self.modes.append(mode)
            self.sizes.append(member.size)
            self.contents += _NO_DIGEST
            self._positions.add(member.start)
            self.kinds.append(WHITEOUT if member.kind is Kind.FILE and is_whiteout(name) else _NUMBERS[member.kind])
            yield member

    def _fingerprint(self, data: Buffer) -> "_Content":
        return _Content(self, self._current, data)

    def reader(self, number: int) -> Reader | None:
        return self._readers.reader(self, number, self._path)


class _Content:
    """A file's content going by: its digest goes into the columns, its id into the tree."""

    __slots__ = ("_hasher", "_layer", "_number", "_reader")

    def __init__(self, layer: LayerFiles, number: int, data: Buffer) -> None:
        self._layer = layer
        self._number = number
        self._hasher = xxh3_128(data)
        self._reader = layer.reader(number) if number >= 0 else None
        if self._reader is not None:
            self._reader.update(data)

    def update(self, data: Buffer, /) -> None:
        self._hasher.update(data)
        if self._reader is not None:
            self._reader.update(data)

    def digest(self) -> bytes:
        if self._number < 0:
            return _ID.pack(NO_MEMBER)
        if self._reader is not None:
            self._reader.close()
        at = self._number * _DIGEST
        self._layer.contents[at : at + _DIGEST] = self._hasher.digest()
        return _ID.pack(self._layer.id_of(self._number))


def _too_many(where: str) -> str:
    return (
        f"{where}: more than {MAX_MEMBERS:,} files, or {MAX_NAMES >> 20} MiB of names; "
        "their costs can't be told (leave --files out: everything else works)"
    )


def split_id(found: int) -> tuple[int, int]:
    """A layer's index and a member's number."""
    return found >> _LAYER_SHIFT, found & (1 << _LAYER_SHIFT) - 1


def id_in(digest: bytes) -> int:
    """Of a row or inode of the tree."""
    found: int = _ID.unpack(digest)[0]
    return found
