"""What anyone may run as somebody else, or write. In: all files of an image. Out: those that can be seen, by path."""

import heapq
from collections.abc import Iterable
from typing import NamedTuple

from layerkit.costs.contents import PermissionFound
from layerkit.costs.image_files import ImageFiles
from layerkit.costs.layer_files import DIRECTORY, LayerFiles
from layerkit.costs.shown import shown
from layerkit.filesystem.directory import Directory

_SETUID, _SETGID, _STICKY = 0o4000, 0o2000, 0o1000
_RUN, _RUN_BY_GROUP = 0o111, 0o010
_WRITTEN_BY_ALL = 0o002


class Permissions(NamedTuple):
    number: int
    """Of all there are."""
    found: tuple[PermissionFound, ...]


def privileged(files: ImageFiles, count: int) -> Permissions:
    """Files that run as their owner or group, whoever runs them."""
    return _first(files, ((layer, n) for layer, n in files.seen() if _is_privileged(layer.modes[n])), count)


def _is_privileged(mode: int) -> bool:
    return bool((mode & _SETUID and mode & _RUN) or (mode & _SETGID and mode & _RUN_BY_GROUP))


def writable(files: ImageFiles, count: int) -> Permissions:
    """Files and directories that anyone may write. In a sticky directory nobody can touch what is another's."""
    found = [(layer, number) for layer, number in files.seen() if layer.modes[number] & _WRITTEN_BY_ALL]
    return _first(files, [*found, *_writable_directories(files)], count)


def _writable_directories(files: ImageFiles) -> Iterable[tuple[LayerFiles, int]]:
    """A directory has the mode that the topmost layer gives it."""
    last: dict[int, tuple[LayerFiles, int]] = {}
    for place in files.placed:
        layer = place.files
        for number in range(len(layer)):
            if layer.kinds[number] == DIRECTORY:
                key = layer.place_of(number)
                if _is_open(layer.modes[number]):
                    last[key] = layer, number
                else:
                    last.pop(key, None)
    return [(layer, number) for layer, number in last.values() if _is_directory(files.root, layer.path_of(number))]


def _is_open(mode: int) -> bool:
    return bool(mode & _WRITTEN_BY_ALL) and not mode & _STICKY


def _is_directory(root: Directory, path: bytes) -> bool:
    at: Directory | None = root
    for name in path.split(b"/") if path else ():
        child = at.children.get(name) if at is not None else None
        at = child if isinstance(child, Directory) else None
    return at is not None


def _first(files: ImageFiles, members: Iterable[tuple[LayerFiles, int]], count: int) -> Permissions:
    found = list(members)
    first = heapq.nsmallest(count, found, key=lambda member: files.path_of(*member))
    return Permissions(
        len(found),
        tuple(PermissionFound(shown(files.path_of(layer, n)), layer.modes[n], files.place_of(layer)) for layer, n in first),
    )
