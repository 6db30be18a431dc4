"""Two merged trees, side by side.

In: two views. Out: the keys of the paths that differ; or, if the views have those paths' entries, every difference a container
could notice, one per path and property, in the order of paths. A directory that is missing with all below it is one difference.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from layerkit.filesystem.attributes import kind_of
from layerkit.filesystem.difference import ABSENT, Difference, show, show_marks, show_mode, show_path, show_time, show_value
from layerkit.filesystem.directory import Directory, Inode, directories
from layerkit.filesystem.entry import Entry
from layerkit.filesystem.rows import Row
from layerkit.tar.header import Kind

_TOLD = ("attributes", "implied", "contested", "marks", "shown")
"""What of a directory is compared, besides what is in it."""

Node = Directory | Inode | Row


class _Place(NamedTuple):
    """A path at which there is a difference."""

    inside: tuple[Directory, Directory]
    """What it is in, on both sides."""
    above: bytes
    """Path of that."""
    name: bytes | None
    """None: a file that only its key is known of. Empty: the directory itself."""
    key: int
    before: Node | None
    after: Node | None
    firsts: tuple[bytes, bytes] | None = None
    """If it is other paths that share its inode: the first of them on both sides."""


def differing(before: Directory, after: Directory) -> frozenset[int]:
    """Keys of the paths whose entries it takes to say what differs between two filesystems; none when they are the same."""
    keys: set[int] = set()
    for place in _differing(before, after):
        keys.add(place.key)
        for node in (place.before, place.after):
            if isinstance(node, Inode) and node.origin is not None:
                keys.add(node.origin)
    return frozenset(keys)


def compare(before: Directory, after: Directory) -> list[Difference]:
    """What differs between two filesystems; nothing when they are the same. Of files that have no entry in the tree it is only
    said how many there are."""
    found: list[Difference] = []
    unknown: Counter[bytes] = Counter()
    names = _Names()
    for place in _differing(before, after):
        name = names.of(place) if place.name is None else place.name
        if name is None:
            unknown[place.above] += 1
            continue
        path = _joined(place.above, name)
        if place.firsts is not None:
            firsts = (show_path(first) if first != path else "no earlier path" for first in place.firsts)
            found.append(Difference(show_path(path), "shares its inode with", *firsts))
        elif not name:
            _compare_directories(path, *place.inside, found)
        elif (kind := _kind(place.before)) is not _kind(place.after) or kind is Kind.DIRECTORY:
            found.append(Difference(show_path(path), "type", _describe(place.before), _describe(place.after)))
        else:
            one, other = (_entry(side, name, node) for side, node in zip(place.inside, place[4:6], strict=True))
            if one is None or other is None:
                unknown[place.above] += 1
            else:
                _compare_entries(path, one, other, found)
    for above, count in unknown.items():
        found.append(Difference(show_path(above), "files", "as they were", f"{count:,} that differ"))
    return sorted(found)


def _differing(before: Directory, after: Directory) -> Iterator[_Place]:
    links = _Links()
    waiting: list[tuple[bytes, Directory, Directory]] = [(b"", before, after)]
    while waiting:
        path, left, right = waiting.pop()
        if left is right and not left.children:
            continue
        if any(getattr(left, told) != getattr(right, told) for told in _TOLD):
            yield _Place((left, right), path, b"", left.place, left, right)
        odd: list[bytes] = []
        for name in left.children.keys() | right.children.keys():
            one, other = left.children.get(name), right.children.get(name)
            if isinstance(one, Directory) and isinstance(other, Directory):
                waiting.append((_joined(path, name), one, other))
            elif isinstance(one, Inode) and isinstance(other, Inode):
                if (one.attributes, one.digest) != (other.attributes, other.digest):
                    yield _Place((left, right), path, name, left.key_of(name), one, other)
                if one.origin is not None or other.origin is not None:
                    links.add(_Place((left, right), path, name, left.key_of(name), one, other))
            else:
                odd.append(name)
        if odd or (left.files.data if left.files else b"") != (right.files.data if right.files else b""):
            yield from _differing_files(path, left, right, odd, links)
    yield from links.differing()


def _differing_files(path: bytes, left: Directory, right: Directory, odd: list[bytes], links: "_Links") -> Iterator[_Place]:
    """Of the names that lead to rows, at least on one side; `odd`: those that lead to something else on the other."""
    before, after = left.numbers(), right.numbers()
    for name in odd:
        key = left.key_of(name)
        one: Node | None = left.children.get(name) or left.row(before.pop(key, None))
        other: Node | None = right.children.get(name) or right.row(after.pop(key, None))
        place = _Place((left, right), path, name, key, one, other)
        if one is None or other is None or isinstance(one, Directory) or isinstance(other, Directory):
            yield place
            continue
        if (one.attributes, one.digest) != (other.attributes, other.digest):
            yield place
        if any(isinstance(node, Inode) and node.origin is not None for node in (one, other)):
            links.add(place)
    for key in before.keys() | after.keys():
        row, new = left.row(before.get(key)), right.row(after.get(key))
        if row != new:
            yield _Place((left, right), path, None, key, row, new)


class _Links:
    """Which paths share an inode."""

    def __init__(self) -> None:
        self._places: list[_Place] = []

    def add(self, place: _Place) -> None:
        """A path with inodes or files on both sides, one of them with other paths."""
        self._places.append(place)

    def differing(self) -> Iterator[_Place]:
        """Two partitions of the same paths are the same when each path has the same first."""
        firsts: tuple[dict[int, _Place], ...] = {}, {}
        for place in self._places:
            for first, node in zip(firsts, (place.before, place.after), strict=True):
                known = first.setdefault(_identity(node), place)
                if (place.above, place.name) < (known.above, known.name):
                    first[_identity(node)] = place
        for place in self._places:
            one, other = firsts[0][_identity(place.before)], firsts[1][_identity(place.after)]
            if one is not other:
                yield place._replace(firsts=(_joined(one.above, one.name), _joined(other.above, other.name)))


def _identity(node: Node | None) -> int:
    return id(node.whole or node) if isinstance(node, Inode) else id(node)


class _Names:
    """Of files, from the entries that were kept of them."""

    def __init__(self) -> None:
        self._directories: tuple[Directory, Directory] | None = None
        self._names: dict[int, bytes] = {}

    def of(self, place: _Place) -> bytes | None:
        if self._directories is not place.inside:
            self._directories = place.inside
            self._names = {side.key_of(name): name for side in place.inside for name in side.entries or ()}
        return self._names.get(place.key)


def _joined(above: bytes, name: bytes | None) -> bytes:
    return above + b"/" + name if above and name else above or name or b""


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
    if before.entry is not None and after.entry is not None:
        _compare_entries(path, before.entry, after.entry, found)
    elif (before.attributes is None) != (after.attributes is None):
        if before.implied == after.implied:
            found.append(Difference(show_path(path), "directory entry", _presence(before), _presence(after)))
    elif before.attributes != after.attributes:
        found.append(Difference(show_path(path), "directory entry", "as it was", "changed"))
    if before.marks != after.marks:
        found.append(Difference(show_path(path), "overlay mark", show_marks(before.marks), show_marks(after.marks)))
    for shown in before.shown.keys() | after.shown.keys():
        if before.shown.get(shown) != after.shown.get(shown):
            found.append(
                Difference(show_path(shown), "redirect or metacopy", "finds what it should below", "finds something else")
            )
    for name in before.contested.keys() | after.contested.keys():
        if before.contested.get(name) != after.contested.get(name):
            place = show_path(_joined(path, name))
            how = (side.contested.get(name, "not in the layer of a whiteout for it") for side in (before, after))
            found.append(Difference(place, "whiteout", *how))


def _compare_entries(path: bytes, before: Entry, after: Entry, found: list[Difference]) -> None:
    """Properties of one path that exists in both."""
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
    differ.extend(_records("pax global", before.globals, after.globals))
    if before.hidden != after.hidden:
        differ.append(("hidden by a layer above", show_marks(before.hidden), show_marks(after.hidden)))
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


def _presence(directory: Directory) -> str:
    return ABSENT if directory.attributes is None else "present"


def _entry(side: Directory, name: bytes, node: Node | None) -> Entry | None:
    if isinstance(node, Row):
        return (side.entries or {}).get(name)
    return node.entry if node is not None else None


def _kind(node: Node | None) -> Kind | None:
    if isinstance(node, Directory):
        return Kind.DIRECTORY
    return kind_of(node.attributes) if node is not None else None


def _describe(node: Node | None) -> str:
    if node is None:
        return ABSENT
    if not isinstance(node, Directory):
        return kind_of(node.attributes).value
    below = sum(len(directory.children) + len(directory.numbers()) for directory in directories(node))
    return f"directory with {below:,} below it" if below else "empty directory"
