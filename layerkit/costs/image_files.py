"""The layers of one platform put on each other: which files can be seen, and which layer took the others away.

In: layers in columns, from the bottom up. Out: their files, each seen or lost. A file with several paths counts once, and is
seen as long as one of them is. A layer that is listed twice is pushed once: what it takes away of itself is not lost.
"""

import functools
from array import array
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from layerkit.costs.folders import ROOT, Folders
from layerkit.costs.layer_files import FILE, NO_MEMBER, LayerFiles, id_in, split_id
from layerkit.filesystem.directory import Directory, Inode, directories
from layerkit.filesystem.marks import NO_MARKS
from layerkit.filesystem.rows import Row
from layerkit.filesystem.view import overlay


class Placed(NamedTuple):
    """A layer at its place in the image."""

    number: int
    """From 1, the bottom one."""
    files: LayerFiles
    repeated: bool
    """Is it below, too?"""


class Lost(NamedTuple):
    """A file that is pushed and never seen."""

    files: LayerFiles
    number: int
    """Of the member."""
    layer: int
    by: int


class ImageFiles:
    """`add` it each layer, from the bottom up."""

    def __init__(self) -> None:
        self.root = Directory()
        """The tree of all layers."""
        self.placed: list[Placed] = []
        self._layers: dict[int, LayerFiles] = {}
        """By their index, the lowest first."""
        self.number = 0
        """Of layers so far."""
        self._seen: dict[int, bytearray] = {}
        """By index: is the member a file that can be seen?"""
        self._places: dict[int, int] = {}
        """By index: the layer's number, at its highest place so far."""
        self._paths: Counter[Inode] = Counter()
        """How many lead to what has several."""
        self._lost = array("Q"), array("I"), array("I")
        """Ids, layers, and the layers that took them away first. What another copy of the layer brings back is seen again."""
        self._told: dict[int, bytearray] = {}
        """By index: is the member among those lost?"""

    def add(self, files: LayerFiles) -> None:
        """The next layer, which is closed."""
        repeated = files.index in self._layers
        number = self._next()
        if not repeated:
            self._layers[files.index] = files
            self._told[files.index] = bytearray(len(files))
            for directory in directories(files.root):
                directory.marks = NO_MARKS  # what only some overlays hide counts as seen
        self.placed.append(Placed(number, files, repeated))
        self.root = overlay(self.root, files.root, gone=self._gone)
        seen = bytearray(len(files))
        for found in self._found(files.root):
            seen[found] = 1
        self._seen[files.index] = seen
        self._places[files.index] = number
        for member in range(len(files)):
            if files.kinds[member] == FILE and not seen[member]:
                self._lose(files.id_of(member), number, number)

    @property
    def distinct(self) -> list[LayerFiles]:
        return list(self._layers.values())

    def has(self, files: LayerFiles) -> bool:
        return files.index in self._layers

    def skip(self) -> None:
        """The next layer is none whose files are looked at."""
        self._next()

    def _next(self) -> int:
        self.number += 1
        return self.number

    def seen(self) -> Iterator[tuple[LayerFiles, int]]:
        """Files that can be seen: the layer's columns, and the member's number."""
        for index, seen in self._seen.items():
            files = self._layers[index]
            for number in range(len(seen)):
                if seen[number]:
                    yield files, number

    def is_seen(self, files: LayerFiles, number: int) -> bool:
        """Also of a layer that this image hasn't got."""
        seen = self._seen.get(files.index)
        return seen is not None and bool(seen[number])

    def place_of(self, files: LayerFiles) -> int:
        """The number of the layer in which these files are seen."""
        return self._places[files.index]

    def path_of(self, files: LayerFiles, number: int) -> bytes:
        """Of a file that can be seen: where it is in its layer, or the first of several paths that lead there."""
        return self._linked.get(files.id_of(number)) or files.path_of(number)

    @functools.cached_property
    def _linked(self) -> dict[int, bytes]:
        """Once all layers are added: the ids of files with several paths, and the first of these that is still there."""
        found: dict[int, bytes] = {}
        folders = Folders()
        waiting = [(ROOT, self.root)]
        while waiting:
            number, directory = waiting.pop()
            above = folders.path(number) if any(isinstance(child, Inode) for child in directory.children.values()) else b""
            for name, child in directory.children.items():
                if isinstance(child, Directory):
                    waiting.append((folders.child(number, name), child))
                elif (member := id_in(child.digest)) != NO_MEMBER:
                    path = above + b"/" + name if above else name
                    found[member] = min(found.get(member, path), path)
        return found

    def lost(self) -> Iterator[Lost]:
        """Empty files left out."""
        return (lost for at in range(len(self._lost[0])) if (lost := self.lost_at(at)) is not None)

    def lost_at(self, at: int) -> Lost | None:
        """One of as many as `loses`; None when it is seen after all, or empty."""
        ids, layers, takers = self._lost
        index, number = split_id(ids[at])
        files = self._layers[index]
        return Lost(files, number, layers[at], takers[at]) if files.sizes[number] and not self._seen[index][number] else None

    @property
    def loses(self) -> int:
        return len(self._lost[0])

    def _found(self, root: Directory) -> Iterator[int]:
        """The members of a layer that its own tree leads to."""
        for directory in directories(root):
            if directory.files is not None:
                rows = directory.files
                for number in directory.numbers().values():
                    if (found := id_in(rows[number].digest)) != NO_MEMBER:
                        yield split_id(found)[1]
            for child in directory.children.values():
                if isinstance(child, Inode) and (found := id_in(child.digest)) != NO_MEMBER:
                    self._paths[child] += 1
                    yield split_id(found)[1]

    def _gone(self, node: Directory | Inode | Row) -> None:
        if isinstance(node, Row):
            self._lose_seen(node.digest)
        elif isinstance(node, Inode):
            if id_in(node.digest) != NO_MEMBER:
                self._paths[node] -= 1
                if not self._paths[node]:
                    del self._paths[node]
                    self._lose_seen(node.digest)
        else:
            for directory in directories(node):
                if directory.files is not None:
                    for number in directory.numbers().values():
                        self._lose_seen(directory.files[number].digest)
                for child in directory.children.values():
                    if isinstance(child, Inode):
                        self._gone(child)

    def _lose_seen(self, digest: bytes) -> None:
        found = id_in(digest)
        if found == NO_MEMBER:
            return
        index, number = split_id(found)
        if self._seen[index][number]:
            self._seen[index][number] = 0
            self._lose(found, self._places[index], self.number)

    def _lose(self, found: int, layer: int, by: int) -> None:
        index, number = split_id(found)
        if not self._told[index][number]:
            self._told[index][number] = 1
            for column, value in zip(self._lost, (found, layer, by), strict=True):
                column.append(value)
