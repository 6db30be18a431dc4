"""Two merged trees, side by side.

In: two views. Out: every difference a container could notice, one per path and property, in the order of paths. A directory
that is missing with all below it is one difference.
"""

from collections.abc import Mapping
from operator import attrgetter

from layerkit.filesystem.difference import ABSENT, Difference, show, show_mode, show_path, show_time, show_value
from layerkit.filesystem.entry import Entry
from layerkit.filesystem.layer_tree import Directory
from layerkit.filesystem.view import walk
from layerkit.tar.header import Kind

Node = Directory | Entry

_PROPERTIES = attrgetter(*(name for name in Entry.__slots__ if name != "linked"))
"""All there is to compare of two entries; whether a link leads there, `_compare_links` sees."""

_REPEATED = (Kind.DIRECTORY, Kind.SYMLINK)
"""A part repeats those of other parts as its parents, maybe after a pax global header that came later; Go's reader, which is
everyone's, applies none of them."""


def compare(before: Directory, after: Directory) -> list[Difference]:
    """What differs between two filesystems; nothing when they are the same."""
    found: list[Difference] = []
    links = _Links(), _Links()
    waiting: list[tuple[bytes, Directory, Directory]] = [(b"", before, after)]
    while waiting:
        path, left, right = waiting.pop()
        if left is right and not (left.children or right.children):
            continue
        _compare_directories(path, left, right, found)
        prefix = path + b"/" if path else b""
        for name in left.children.keys() | right.children.keys():
            one, other = left.children.get(name), right.children.get(name)
            if isinstance(one, Entry) and isinstance(other, Entry):
                if one is not other and _PROPERTIES(one) != _PROPERTIES(other):  # most are the same
                    _compare_entries(prefix + name, one, other, found)
                if one.linked or other.linked:
                    links[0].add(prefix + name, one)
                    links[1].add(prefix + name, other)
            elif isinstance(one, Directory) and isinstance(other, Directory):
                waiting.append((prefix + name, one, other))
            else:
                found.append(Difference(show_path(prefix + name), "type", _describe(one), _describe(other)))
    _compare_links(links[0].firsts(), links[1].firsts(), found)
    return sorted(found)


def same_markers(before: Directory, after: Directory) -> bool:
    """Do two trees of equal contents also hide the same of the layers below them? For merged runs of layers; see `compare`."""
    waiting = [(before, after)]
    while waiting:
        left, right = waiting.pop()
        if (left.opaque, left.replaces, left.whiteouts) != (right.opaque, right.replaces, right.whiteouts):
            return False
        for name, child in left.children.items():
            other = right.children.get(name)
            if isinstance(child, Directory) and isinstance(other, Directory):
                waiting.append((child, other))
    return True


def _compare_directories(path: bytes, before: Directory, after: Directory, found: list[Difference]) -> None:
    if before.implied != after.implied:
        names = {False: "as its entry says", True: "left to the applier (made for what is below it)"}
        found.append(Difference(show_path(path), "attributes", names[before.implied], names[after.implied]))
    one, other = before.entry, after.entry
    if one is not None and other is not None:
        if one is not other:
            _compare_entries(path, one, other, found)
    elif one is not other and before.implied == after.implied:
        found.append(Difference(show_path(path), "directory entry", _presence(one), _presence(other)))
    if before.contested != after.contested:
        for name in before.contested.keys() | after.contested.keys():
            if before.contested.get(name) != after.contested.get(name):
                place = show_path(path + b"/" + name if path else name)
                how = (side.contested.get(name, "not in the layer of a whiteout for it") for side in (before, after))
                found.append(Difference(place, "whiteout", *how))


def _compare_entries(path: bytes, before: Entry, after: Entry, found: list[Difference]) -> None:
    """Properties of one path that exists in both."""
    if before.kind is not after.kind:
        found.append(Difference(show_path(path), "type", before.kind.value, after.kind.value))
        return
    differ: list[tuple[str, str, str]] = []
    if before.mode != after.mode and before.kind is not Kind.SYMLINK:  # a symlink has no mode of its own
        differ.append(("mode", show_mode(before.mode), show_mode(after.mode)))
    if before.uid != after.uid:
        differ.append(("uid", str(before.uid), str(after.uid)))
    if before.gid != after.gid:
        differ.append(("gid", str(before.gid), str(after.gid)))
    if before.mtime != after.mtime:
        differ.append(("mtime", show_time(before.mtime), show_time(after.mtime)))
    if before.size != after.size:
        differ.append(("size", f"{before.size:,} bytes", f"{after.size:,} bytes"))
    if before.digest != after.digest:
        differ.append(("content", f"sha256:{before.digest.hex()}", f"sha256:{after.digest.hex()}"))
    if before.link != after.link:
        differ.append(("target", show(before.link), show(after.link)))
    if before.device != after.device:
        differ.append(("device", _device(before), _device(after)))
    differ.extend(_records("xattr", before.xattrs, after.xattrs))
    if before.kind not in _REPEATED:
        differ.extend(_records("pax global", before.globals, after.globals))
    found.extend(Difference(show_path(path), *difference) for difference in differ)


def _records(what: str, before: Mapping[bytes, bytes], after: Mapping[bytes, bytes]) -> list[tuple[str, str, str]]:
    if before is after or before == after:
        return []
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return [(f"{what} {show(name)}", _value(before.get(name)), _value(after.get(name))) for name in names]


def _value(value: bytes | None) -> str:
    return ABSENT if value is None else show_value(value)


def _device(entry: Entry) -> str:
    return "none" if entry.device is None else "{}:{}".format(*entry.device)


def _presence(entry: Entry | None) -> str:
    return ABSENT if entry is None else "present"


def _describe(node: Node | None) -> str:
    if node is None:
        return ABSENT
    if isinstance(node, Entry):
        return node.kind.value
    below = sum(1 for _ in walk(node)) - 1
    return f"directory with {below:,} below it" if below else "empty directory"


class _Links:
    """Which paths share an inode."""

    def __init__(self) -> None:
        self._paths: dict[int, list[bytes]] = {}
        self._entries: list[Entry] = []

    def add(self, path: bytes, entry: Entry) -> None:
        if id(entry) not in self._paths:
            self._entries.append(entry)  # holds it, so that its id stays its own
        self._paths.setdefault(id(entry), []).append(path)

    def firsts(self) -> dict[bytes, bytes]:
        """Each path -> the first of those that share its inode, which may be itself."""
        return {path: first for paths in self._paths.values() for first in (min(paths),) for path in paths}


def _compare_links(before: dict[bytes, bytes], after: dict[bytes, bytes], found: list[Difference]) -> None:
    """Two partitions of the same paths are the same when each path has the same first."""
    for path in before:
        if before[path] != after[path]:
            found.append(Difference(show_path(path), "shares its inode with", _first(path, before), _first(path, after)))


def _first(path: bytes, firsts: dict[bytes, bytes]) -> str:
    return show_path(firsts[path]) if firsts[path] != path else "no earlier path"
