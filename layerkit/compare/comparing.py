"""What one release adds to another. In: the files of two images, of one platform each. Out: `Changes`.

Files are the same when their path and content are. What both have in a layer that both have isn't looked at; of the rest, the old
image's files are found by 64 bits of the hash of their paths, so that two images of 1,000,000 files fit into memory.
"""

import heapq
from collections.abc import Iterator
from typing import NamedTuple

from layerkit.compare.changes import Change, Changes, FileChanged, LayerCompared, Sums
from layerkit.compare.packages import packages_changed
from layerkit.costs.directory_sums import DirectorySums
from layerkit.costs.groups import Sums as Summing
from layerkit.costs.layer_files import LayerFiles, split_id
from layerkit.costs.owning import packages_of
from layerkit.costs.reading import PlatformFiles
from layerkit.costs.shown import shown


class _Pair(NamedTuple):
    """One file, before and after: a layer's columns and the member's number."""

    before: tuple[LayerFiles, int] | None
    after: tuple[LayerFiles, int] | None


def changes_of(old: PlatformFiles, new: PlatformFiles, count: int) -> Changes:
    """The `count` most expensive of everything. The layers of both were read by one `Layers`."""
    added, removed, changed_before, changed = Summing(), Summing(), Summing(), Summing()
    arriving, leaving = DirectorySums(), DirectorySums()
    unchanged: dict[int, int] = {}
    largest = _Largest(count)
    for pair in _pairs(old, new):
        before, after = pair
        if before is not None and after is not None and _content(before) == _content(after):
            if not old.files.has(after[0]):
                unchanged[after[0].index] = unchanged.get(after[0].index, 0) + _cost(after)
            continue
        if before is not None:
            (removed if after is None else changed_before).add(_size(before), _cost(before))
            leaving.add(before[0], before[0].folder[before[1]], _size(before), _cost(before))
        if after is not None:
            (added if before is None else changed).add(_size(after), _cost(after))
            arriving.add(after[0], after[0].folder[after[1]], _size(after), _cost(after))
        largest.add(pair)
    arriving.roll_up()
    leaving.roll_up()
    layers = tuple(_layers(old, new, unchanged))
    there = {layer.digest for layer in old.layers}
    return Changes(
        platform=new.platform,
        before=_seen(old),
        after=_seen(new),
        added=_sums(added),
        removed=_sums(removed),
        changed_before=_sums(changed_before),
        changed=_sums(changed),
        files=tuple(_changed(old, new, pair) for pair in largest.found()),
        arriving=arriving.largest(count),
        leaving=leaving.largest(count),
        packages=tuple(packages_changed(packages_of(old), packages_of(new))[:count]),
        layers=layers,
        send=sum({layer.digest: layer.size for layer in new.layers if layer.digest not in there}.values()),
        unchanged=sum(unchanged.values()),
    )


def _pairs(old: PlatformFiles, new: PlatformFiles) -> Iterator[_Pair]:
    """Files with something to say: all but those that both images show of one layer."""
    waiting: dict[int, int] = {}
    for layer, number in old.files.seen():
        if not new.files.is_seen(layer, number):
            waiting[layer.place_of(number)] = layer.id_of(number)
    columns = {layer.index: layer for layer in old.files.distinct}
    for layer, number in new.files.seen():
        if not old.files.is_seen(layer, number):
            found = waiting.pop(layer.place_of(number), None)
            yield _Pair(_member(columns, found) if found is not None else None, (layer, number))
    for found in waiting.values():
        yield _Pair(_member(columns, found), None)


def _member(columns: dict[int, LayerFiles], found: int) -> tuple[LayerFiles, int]:
    index, number = split_id(found)
    return columns[index], number


class _Largest:
    """The pairs that cost most to push, and then those that cost most before."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[int, int, int, _Pair]] = []
        self._added = 0

    def add(self, pair: _Pair) -> None:
        self._added += 1
        item = _cost(pair.after), _cost(pair.before), -self._added, pair
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, item)
        elif item > self._heap[0]:
            heapq.heapreplace(self._heap, item)

    def found(self) -> list[_Pair]:
        return [pair for *_, pair in sorted(self._heap, reverse=True)]


def _changed(old: PlatformFiles, new: PlatformFiles, pair: _Pair) -> FileChanged:
    before, after = pair
    change = Change.ADDED if before is None else Change.REMOVED if after is None else Change.CHANGED
    path = new.files.path_of(*after) if after is not None else old.files.path_of(*before) if before is not None else b""
    return FileChanged(shown(path), change, _size(before), _size(after), _cost(before), _cost(after))


def _layers(old: PlatformFiles, new: PlatformFiles, unchanged: dict[int, int]) -> Iterator[LayerCompared]:
    there = {layer.digest for layer in old.layers}
    placed = {place.number: place for place in new.files.placed}
    for number, (layer, command) in enumerate(zip(new.layers, new.commands, strict=True), start=1):
        place = placed.get(number)
        same = unchanged.get(place.files.index, 0) if place is not None and not place.repeated else 0
        yield LayerCompared(number, layer.digest, layer.size, layer.digest in there, command, same)


def _seen(read: PlatformFiles) -> Sums:
    found = Summing()
    for layer, number in read.files.seen():
        found.add(layer.sizes[number], layer.cost_of(number))
    return _sums(found)


def _sums(found: Summing) -> Sums:
    return Sums(found.files, found.size, found.cost)


def _content(member: tuple[LayerFiles, int]) -> bytes:
    layer, number = member
    return layer.content_of(number)


def _cost(member: tuple[LayerFiles, int] | None) -> int:
    return member[0].cost_of(member[1]) if member is not None else 0


def _size(member: tuple[LayerFiles, int] | None) -> int:
    return member[0].sizes[member[1]] if member is not None else 0
