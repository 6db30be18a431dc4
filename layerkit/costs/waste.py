"""Bytes that are pushed and that nobody needs.

In: all files of an image. Out: those that a later layer replaces or deletes, those that it holds again unchanged, and those whose
content others have, too.
"""

import heapq
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from layerkit.costs.contents import DuplicateFound, RewrittenFound, WastedBetween, WastedFound
from layerkit.costs.groups import Sums
from layerkit.costs.image_files import ImageFiles, Lost
from layerkit.costs.layer_files import FILE, LayerFiles
from layerkit.costs.shown import shown

MIN_DUPLICATE = 4096
"""Bytes of a file: smaller ones are many, and equal by chance (licences, empty modules)."""
MAX_PATHS = 5
"""That are told of one content."""


class Waste(NamedTuple):
    size: int
    cost: int
    largest: tuple[WastedFound, ...]
    between: tuple[WastedBetween, ...]


def wasted(files: ImageFiles, count: int) -> Waste:
    between: dict[tuple[int, int], Sums] = {}
    costs = array("Q")
    for lost in files.lost():
        costs.append(lost.files.cost_of(lost.number))
        between.setdefault((lost.layer, lost.by), Sums()).add(lost.files.sizes[lost.number], costs[-1])
    dearest = set(heapq.nlargest(count, range(len(costs)), key=costs.__getitem__))
    largest = [_wasted(lost) for at, lost in enumerate(files.lost()) if at in dearest] if dearest else []
    pairs = [WastedBetween(layer, by, one.files, one.size, one.cost) for (layer, by), one in between.items()]
    return Waste(
        size=sum(pair.size for pair in pairs),
        cost=sum(pair.cost for pair in pairs),
        largest=tuple(sorted(largest, key=lambda one: (-one.cost, one.path))),
        between=tuple(heapq.nsmallest(count, pairs, key=lambda pair: (-pair.cost, pair.layer, pair.by))),
    )


def _wasted(lost: Lost) -> WastedFound:
    layer, number = lost.files, lost.number
    return WastedFound(shown(layer.path_of(number)), layer.sizes[number], layer.cost_of(number), lost.layer, lost.by)


def rewritten(files: ImageFiles) -> tuple[RewrittenFound, ...]:
    """Pairs of layers of which the upper one holds files of the lower one again, with the content that they had."""
    sums: dict[tuple[int, int], Sums] = {}
    placed = {place.number: place.files for place in files.placed}
    for taker in sorted({lost.by for lost in files.lost() if lost.by != lost.layer}):
        above = placed[taker]
        gone = _paths_lost(files, taker)
        for number in range(len(above)):
            at = gone.get(above.place_of(number)) if above.kinds[number] == FILE else None
            lost = files.lost_at(at) if at is not None else None
            if lost is not None and lost.files.content_of(lost.number) == above.content_of(number):
                sums.setdefault((taker, lost.layer), Sums()).add(above.sizes[number], above.cost_of(number))
    found = (RewrittenFound(layer, of, one.files, one.size, one.cost) for (layer, of), one in sums.items())
    return tuple(sorted(found, key=lambda one: (-one.cost, one.layer, one.of)))


def _paths_lost(files: ImageFiles, taker: int) -> dict[int, int]:
    """The hash of the path of each file that a layer took away -> its number among the lost."""
    found = {}
    for at in range(files.loses):
        lost = files.lost_at(at)
        if lost is not None and lost.by == taker != lost.layer:
            found[lost.files.place_of(lost.number)] = at
    return found


class Duplicates(NamedTuple):
    size: int
    cost: int
    largest: tuple[DuplicateFound, ...]


class _Copies:
    """Files of one content."""

    __slots__ = ("dearest", "members", "sums")

    def __init__(self) -> None:
        self.sums = Sums()
        self.dearest = 0
        self.members: list[tuple[LayerFiles, int]] = []

    def add(self, layer: LayerFiles, number: int) -> None:
        cost = layer.cost_of(number)
        self.dearest = max(self.dearest, cost)
        self.sums.add(layer.sizes[number], cost)
        if len(self.members) < MAX_PATHS:
            self.members.append((layer, number))

    @property
    def size(self) -> int:
        return self.sums.size // self.sums.files * (self.sums.files - 1)

    @property
    def cost(self) -> int:
        """Of all but one. A copy that is near another costs next to nothing, so that the dearest is the one that stays."""
        return self.sums.cost - self.dearest


def duplicates(files: ImageFiles, count: int) -> Duplicates:
    """Of files that can be seen, by content; one with several paths is one."""
    once: set[int] = set()
    again: set[int] = set()
    for layer, number in _large(files):
        key = hash(layer.content_of(number))
        (again if key in once else once).add(key)
    del once
    copies: dict[bytes, _Copies] = {}
    for layer, number in _large(files):
        content = layer.content_of(number)
        if hash(content) in again:
            copies.setdefault(content, _Copies()).add(layer, number)
    largest = heapq.nsmallest(count, copies.values(), key=lambda one: (-one.cost, -one.size, one.members[0][1]))
    return Duplicates(
        sum(one.size for one in copies.values()),
        sum(one.cost for one in copies.values()),
        tuple(_duplicate(files, one) for one in largest),
    )


def _large(files: ImageFiles) -> Iterator[tuple[LayerFiles, int]]:
    return ((layer, number) for layer, number in files.seen() if layer.sizes[number] >= MIN_DUPLICATE)


def _duplicate(files: ImageFiles, one: _Copies) -> DuplicateFound:
    paths = tuple(shown(files.path_of(layer, number)) for layer, number in one.members)
    return DuplicateFound(paths, one.sums.files, one.size, one.cost)
