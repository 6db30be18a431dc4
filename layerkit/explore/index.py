"""Files as a tree that is looked at one directory at a time.

In: members of a layer, or of all of them. Out: what is in a directory, with what it costs. Members are kept in arrays, 21 bytes
each, sorted by their directory: a tree of 1,000,000 files takes 21 MB to walk through, whatever is looked at of it.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from layerkit.costs.directory_sums import DirectorySums
from layerkit.costs.folders import ROOT
from layerkit.costs.layer_files import LayerFiles, split_id

MAX_SHOWN = 500
"""Entries of a directory that are shown at first, and as many more each time that is asked for."""


class State(Enum):
    """Of a file, as against the layers below."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    SAME = "same"


class Shown(NamedTuple):
    """A file or directory in a list."""

    name: str
    folder: int | None
    """Its number, if it is a directory."""
    files: int
    size: int
    cost: int
    state: State


class Found(NamedTuple):
    """A member that is to be in the tree."""

    layer: LayerFiles
    number: int
    state: State


_STATES = tuple(State)
_NUMBERS = {state: number for number, state in enumerate(_STATES)}


class Index:
    """Of `members`: files, each once. What was removed costs what it did where it was."""

    def __init__(self, members: Iterable[Found]) -> None:
        self._sums = DirectorySums()
        self._layers: dict[int, LayerFiles] = {}
        self._ids = array("Q")
        self._folders = array("I")
        self._states = bytearray()
        for layer, number, state in members:
            self._layers[layer.index] = layer
            self._sums.add(layer, layer.folder[number], layer.sizes[number], layer.cost_of(number))
            self._folders.append(self._sums.number_of(layer, layer.folder[number]))
            self._ids.append(layer.id_of(number))
            self._states.append(_NUMBERS[state])
        self._sums.roll_up()
        folders = self._folders
        self._order = array("I", sorted(range(len(folders)), key=folders.__getitem__))
        self._sorted = array("I", (folders[at] for at in self._order))
        above = self._sums.folders.above
        self._below = array("I", sorted(range(1, len(above)), key=above.__getitem__))
        self._above = array("I", (above[number] for number in self._below))

    def __len__(self) -> int:
        """Files."""
        return len(self._ids)

    @property
    def root(self) -> Shown:
        return self._folder(ROOT)

    def children(self, folder: int, *, by_name: bool = False) -> list[Shown]:
        """What is in a directory: by cost, or by name."""
        found = [self._folder(number) for number in self._inside(folder)]
        begin, end = bisect_left(self._sorted, folder), bisect_right(self._sorted, folder)
        found += [self._file(at) for at in self._order[begin:end]]
        there = sorted((one for one in found if one.files), key=lambda one: one.name)
        return there if by_name else sorted(there, key=lambda one: -one.cost)

    def folder_of(self, path: str) -> int | None:
        """The number of a directory, by the names that lead to it; None when it isn't there."""
        at = ROOT
        for name in path.split("/") if path else ():
            inside = (number for number in self._inside(at) if _text(self._sums.folders.names[number]) == name)
            found = next(inside, None)
            if found is None:
                return None
            at = found
        return at

    def _inside(self, folder: int) -> Iterator[int]:
        begin, end = bisect_left(self._above, folder), bisect_right(self._above, folder)
        return iter(self._below[begin:end])

    def _folder(self, number: int) -> Shown:
        sums = self._sums
        name = _text(sums.folders.names[number])
        if number >= len(sums.files):  # nothing was added to it
            return Shown(name, number, 0, 0, 0, State.SAME)
        return Shown(name, number, sums.files[number], sums.sizes[number], sums.costs[number], State.SAME)

    def _file(self, at: int) -> Shown:
        index, number = split_id(self._ids[at])
        layer = self._layers[index]
        name = _text(layer.name_of(number))
        return Shown(name, None, 1, layer.sizes[number], layer.cost_of(number), _STATES[self._states[at]])


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
