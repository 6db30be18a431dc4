"""What an image's layers hold: the largest files and directories, and bytes that nobody can see.

In: an `Image`; its layers are decoded, once each. Out: plain values. Bytes are wasted when a later layer replaces or deletes the
file they are of: they are pushed and pulled all the same. Sizes are those of the files, uncompressed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from layerkit.compression.decode import decoded_chunks
from layerkit.image.blob import Blob, Buffer
from layerkit.image.digest import Digest, short
from layerkit.image.image import Image, PlatformImage
from layerkit.image.media_types import is_ordinary_layer
from layerkit.progress import Progress, Task
from layerkit.report.content_types import HEAD_BYTES, types_of
from layerkit.tar.framing import Framer, clean
from layerkit.tar.header import Kind

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
_RESERVED = b".wh..wh."
"""Other names that begin so are AUFS's own and hide nothing (image-spec layer.md, "Whiteouts")."""

MIN_CLASSIFIED = 16 << 10
"""Bytes; smaller files count as `small files`: there are many of them, and they matter little."""

DOMINATED = 0.9
"""A directory that owes so much of its size to one directory in it isn't listed: that one is."""


TREE_DEPTH = 4
TREE_SHARE = 0.003
"""Of the whole: what a map of the directories can still show."""


@dataclass(frozen=True)
class FileFound:
    path: str
    size: int
    layer: int
    """From 1, the bottom one."""


@dataclass(frozen=True)
class DirectoryFound:
    path: str
    size: int
    files: int


@dataclass(frozen=True)
class TypeFound:
    name: str
    size: int
    files: int


@dataclass(frozen=True)
class Wasted:
    path: str
    size: int
    layer: int
    """Where the bytes are."""
    by: int
    """The layer that replaces or deletes them."""


@dataclass(frozen=True)
class Contents:
    """Everything sorted by size, the largest first."""

    platform: str
    size: int
    """Bytes of all files that can be seen."""
    files: int
    largest: tuple[FileFound, ...]
    directories: tuple[DirectoryFound, ...]
    tree: tuple[DirectoryFound, ...]
    """The upper directories of any weight, each with all that is above it."""
    types: tuple[TypeFound, ...]
    wasted_size: int
    wasted: tuple[Wasted, ...]


class Entry(NamedTuple):
    """One member of a layer, as far as it matters here."""

    path: bytes
    kind: Kind
    size: int
    link: bytes
    head: bytearray
    """Its first bytes, when it is large enough to be classified."""


@dataclass(eq=False)
class Inode:
    """A file's bytes, however many paths lead to them."""

    path: bytes
    size: int
    layer: int
    head: bytearray
    is_file: bool
    """And not a link, device or pipe."""
    paths: int = 1


class Folder:
    """A directory of the merged filesystem."""

    def __init__(self) -> None:
        self.entries: dict[bytes, Folder | Inode] = {}


class Merged:
    """The filesystem that layers make, one put on the other."""

    def __init__(self) -> None:
        self.root = Folder()
        self.wasted: list[Wasted] = []

    def add(self, entries: Sequence[Entry], layer: int) -> None:
        """The next layer. Whiteouts hide what lower layers hold, wherever in the layer they stand."""
        for entry in entries:
            parent, _, name = entry.path.rpartition(b"/")
            folder = self._folder(parent, layer, create=False) if name.startswith(WHITEOUT) else None
            if folder is not None and name == OPAQUE:
                self._release(folder, layer)
                folder.entries.clear()
            elif folder is not None and not name.startswith(_RESERVED):
                self._release(folder.entries.pop(name.removeprefix(WHITEOUT), None), layer)
        for entry in entries:
            if entry.path and not entry.path.rpartition(b"/")[2].startswith(WHITEOUT):
                self._put(entry, layer)

    def _put(self, entry: Entry, layer: int) -> None:
        parent, _, name = entry.path.rpartition(b"/")
        folder = self._folder(parent, layer, create=True)
        assert folder is not None
        there = folder.entries.get(name)
        if entry.kind is Kind.DIRECTORY:
            if not isinstance(there, Folder):
                self._release(there, layer)
                folder.entries[name] = Folder()
            return
        target = self._find(entry.link) if entry.kind is Kind.HARD_LINK else None
        if target is not None and target is there:
            return
        if target is None:
            is_file = entry.kind is Kind.FILE
            target = Inode(entry.path, entry.size if is_file else 0, layer, entry.head, is_file)
        else:
            target.paths += 1
        self._release(there, layer)
        folder.entries[name] = target

    def _find(self, path: bytes) -> Inode | None:
        parent, _, name = path.rpartition(b"/")
        folder = self._folder(parent, 0, create=False)
        node = folder.entries.get(name) if folder is not None else None
        return node if isinstance(node, Inode) else None

    def _folder(self, path: bytes, layer: int, *, create: bool) -> Folder | None:
        folder = self.root
        for part in path.split(b"/") if path else ():
            node = folder.entries.get(part)
            if not isinstance(node, Folder):
                if not create:
                    return None
                self._release(node, layer)
                node = folder.entries[part] = Folder()
            folder = node
        return folder

    def _release(self, node: Folder | Inode | None, layer: int) -> None:
        """No path leads here any more, nor to what is below. Without recursion: paths may be as deep as a pax header is long."""
        waiting = [node] if node is not None else []
        while waiting:
            one = waiting.pop()
            if isinstance(one, Folder):
                waiting.extend(one.entries.values())
                continue
            one.paths -= 1
            if not one.paths and one.size:
                self.wasted.append(Wasted(_text(one.path), one.size, one.layer, layer))


def contents_of(image: Image, platform: PlatformImage, count: int, progress: Progress) -> Contents:
    """The `count` largest of everything. Raises ImageError for layers that are missing or damaged."""
    merged = Merged()
    scanned: dict[Digest, list[Entry]] = {}
    for number, layer in enumerate(platform.manifest.layers, start=1):
        if not is_ordinary_layer(layer.media_type):
            progress.warn(f"layer {number} ({layer.media_type}) is no ordinary layer, and left out")
            continue
        if layer.digest not in scanned:
            label = f"layer {number} ({short(layer.digest)})"
            with progress.task(label, layer.size) as task:
                scanned[layer.digest] = list(scan(image.blob(layer), f"{image.name}: {label}", task))
        merged.add(scanned[layer.digest], number)
    return summarise_merged(merged, str(platform.platform), count)


def scan(blob: Blob, where: str, task: Task) -> Iterator[Entry]:
    """The members of a layer; heads are filled while the next ones are asked for. Raises DamagedError."""
    framer = Framer(where)
    at = 0
    wanting: list[tuple[int, Entry]] = []
    for chunk in decoded_chunks(_watched(blob.verified(where), task), where):
        for member in framer.feed(chunk):
            if member.kind is Kind.GLOBAL:
                continue
            entry = Entry(member.path, member.kind, member.size, clean(member.link), bytearray())
            if member.kind is Kind.FILE and member.size >= MIN_CLASSIFIED:
                wanting.append((member.data, entry))
            yield entry
        wanting = [item for item in wanting if not _filled(item, chunk, at)]
        at += len(chunk)
    framer.close()


def summarise_merged(merged: Merged, platform: str, count: int) -> Contents:
    inodes, directories, tree = _measured(merged.root, count)
    files = sorted((inode for inode in inodes if inode.size), key=lambda inode: (-inode.size, inode.path))
    types: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for inode, name in zip(files, types_of([bytes(inode.head) for inode in files]), strict=True):
        types[name] += inode.size
        numbers[name] += 1
    return Contents(
        platform=platform,
        size=sum(inode.size for inode in files),
        files=len(inodes),
        largest=tuple(FileFound(_text(inode.path), inode.size, inode.layer) for inode in files[:count]),
        directories=directories,
        tree=tree,
        types=tuple(TypeFound(name, size, numbers[name]) for name, size in types.most_common(count)),
        wasted_size=sum(found.size for found in merged.wasted),
        wasted=tuple(sorted(merged.wasted, key=lambda found: (-found.size, found.path))[:count]),
    )


class _Measure:
    """A directory on the way to its size."""

    def __init__(self, folder: Folder, name: bytes, parent: "_Measure | None") -> None:
        self.folder = folder
        self.name = name
        self.parent = parent
        self.depth: int = parent.depth + 1 if parent is not None else 0
        self.size = self.files = self.largest = 0

    @property
    def path(self) -> bytes:
        parts = []
        at: _Measure | None = self
        while at is not None:
            parts.append(at.name)
            at = at.parent
        return b"/".join(reversed(parts))


def _measured(root: Folder, count: int) -> tuple[list[Inode], tuple[DirectoryFound, ...], tuple[DirectoryFound, ...]]:
    """All regular files, each once; the `count` largest directories that aren't explained by one directory in them; and the
    upper directories. A file with several paths counts where it is met first."""
    seen: dict[Inode, None] = {}
    order = [_Measure(root, b"", None)]
    for measure in order:  # grows while it is gone through: parents come before what is in them
        for name, node in measure.folder.entries.items():
            if isinstance(node, Folder):
                order.append(_Measure(node, name, measure))
            elif node.is_file and node not in seen:
                seen[node] = None
                measure.size += node.size
                measure.files += 1
    for measure in reversed(order):
        if measure.parent is not None:
            measure.parent.size += measure.size
            measure.parent.files += measure.files
            measure.parent.largest = max(measure.parent.largest, measure.size)
    telling = [one for one in order if one.parent is not None and one.size and one.largest < DOMINATED * one.size]
    telling.sort(key=lambda one: -one.size)
    upper = [one for one in order if one.depth <= TREE_DEPTH and one.size >= TREE_SHARE * order[0].size and one.size]
    return list(seen), _found(telling[:count]), _found(upper)


def _found(measures: Iterable[_Measure]) -> tuple[DirectoryFound, ...]:
    return tuple(DirectoryFound(_text(one.path), one.size, one.files) for one in measures)


def _filled(item: tuple[int, Entry], chunk: Buffer, at: int) -> bool:
    """Takes what `chunk`, which begins at offset `at`, has of the file's first bytes. Is that all?"""
    start, entry = item
    wanted = min(HEAD_BYTES, entry.size)
    begin = start + len(entry.head) - at
    if begin < len(chunk):
        entry.head.extend(memoryview(chunk)[begin : begin + wanted - len(entry.head)])
    return len(entry.head) >= wanted


def _watched(chunks: Iterable[Buffer], task: Task) -> Iterator[Buffer]:
    for chunk in chunks:
        yield chunk
        task.advance(len(chunk))


def _text(path: bytes) -> str:
    """From the root, `/usr/bin/env`."""
    return "/" + path.decode("utf-8", "backslashreplace").lstrip("/")
