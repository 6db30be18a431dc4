"""What is to be said of a platform's files. In: all of them, read. Out: `Contents`, with the most expensive of everything."""

import heapq
from collections.abc import Iterator, Sequence
from typing import Protocol

from layerkit.costs.content_types import MAX_CLASSIFIED, SMALL, types_of
from layerkit.costs.contents import Contents, FileFound, GroupFound, LayerFound
from layerkit.costs.directory_sums import DirectorySums
from layerkit.costs.groups import Groups, Sums, suffix_of
from layerkit.costs.image_files import ImageFiles
from layerkit.costs.layer_files import FILE
from layerkit.costs.owning import PackageSums
from layerkit.costs.permissions import privileged, writable
from layerkit.costs.reading import PlatformFiles
from layerkit.costs.shown import shown
from layerkit.costs.waste import duplicates, rewritten, wasted


class Watcher(Protocol):
    """Is told of every file that can be seen, once."""

    def add(self, path: bytes, layer: int, size: int, cost: int) -> None:
        """`path`: without a leading slash."""


def contents_of(read: PlatformFiles, count: int, watchers: Sequence[Watcher] = ()) -> Contents:
    """The `count` most expensive of everything."""
    files = read.files
    total, suffixes, directories, packages = Sums(), Groups(), DirectorySums(), PackageSums(read)
    for layer, number in files.seen():
        size, cost = layer.sizes[number], layer.cost_of(number)
        total.add(size, cost)
        suffixes.add(suffix_of(layer.name_of(number)), size, cost)
        directories.add(layer, layer.folder[number], size, cost)
        path = files.path_of(layer, number)
        packages.add(path, size, cost)
        for watcher in watchers:
            watcher.add(path, files.place_of(layer), size, cost)
    directories.roll_up()
    waste, copies = wasted(files, count), duplicates(files, count)
    run, written = privileged(files, count), writable(files, count)
    layers, owning = tuple(_layers(read)), packages.found()
    return Contents(
        platform=read.platform,
        layers=layers,
        cost=sum(layer.cost for layer in layers),
        files=total.files,
        size=total.size,
        files_cost=total.cost,
        largest=tuple(_largest(files, count)),
        directories=directories.largest(count),
        types=_types(read, count),
        suffixes=suffixes.largest(count),
        packages=tuple(owning[:count]),
        package_count=len(owning),
        packaged_cost=sum(package.cost for package in owning),
        wasted_size=waste.size,
        wasted_cost=waste.cost,
        wasted=waste.largest,
        wasted_between=waste.between,
        rewritten=rewritten(files),
        duplicated_size=copies.size,
        duplicated_cost=copies.cost,
        duplicates=copies.largest,
        privileged=run.found,
        writable=written.found,
        privileged_count=run.number,
        writable_count=written.number,
        notes=(*read.notes, *packages.notes()),
    )


def _layers(read: PlatformFiles) -> Iterator[LayerFound]:
    placed = {place.number: place for place in read.files.placed}
    for number, (layer, command) in enumerate(zip(read.layers, read.commands, strict=True), start=1):
        place = placed.get(number)
        if place is None:
            yield LayerFound(number, layer.digest, layer.size, layer.size, False, 0, 0, 0, command)
            continue
        files = place.files
        regular = [member for member in range(len(files)) if files.kinds[member] == FILE]
        yield LayerFound(
            number=number,
            digest=layer.digest,
            size=layer.size,
            cost=0 if place.repeated else files.cost,
            estimated=files.estimated,
            raw_size=files.raw_size,
            files=len(regular),
            files_cost=sum(map(files.cost_of, regular)),
            command=command,
            zstd_cost=None if place.repeated else files.zstd_cost,
        )


def _largest(files: ImageFiles, count: int) -> Iterator[FileFound]:
    found = ((layer.cost_of(n), layer.sizes[n], layer, n) for layer, n in files.seen() if layer.sizes[n])
    for cost, size, layer, number in heapq.nlargest(count, found, key=lambda file: file[:2]):
        yield FileFound(shown(files.path_of(layer, number)), size, cost, files.place_of(layer))


def _types(read: PlatformFiles, count: int) -> tuple[GroupFound, ...]:
    """Of the most expensive files whose beginnings were kept; the others count as small."""
    heads = read.kept.heads()
    known = [(layer, n) for layer, n in read.files.seen() if (layer.index, n) in heads]
    looked = heapq.nlargest(MAX_CLASSIFIED, known, key=lambda file: file[0].cost_of(file[1]))
    names = types_of([heads[layer.index, number] for layer, number in looked])
    kinds = {(layer.index, number): name for (layer, number), name in zip(looked, names, strict=True)}
    groups = Groups()
    for layer, number in read.files.seen():
        if layer.sizes[number]:
            groups.add(kinds.get((layer.index, number), SMALL), layer.sizes[number], layer.cost_of(number))
    return groups.largest(count)
