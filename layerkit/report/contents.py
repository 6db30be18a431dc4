"""What an image's layers hold: the largest files and directories, and bytes that nobody can see.

In: an `Image`; its layers are decoded, once each. Out: plain values. Bytes are wasted when a later layer replaces or deletes the
file they are of: they are pushed and pulled all the same. Sizes are those of the files, uncompressed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from layerkit.compression.decode import decoded_chunks
from layerkit.filesystem.directory import Directory, directories
from layerkit.filesystem.entry import Entry
from layerkit.filesystem.layer_tree import EVERYTHING, LayerTree
from layerkit.filesystem.marks import NO_MARKS
from layerkit.filesystem.view import overlay, walk
from layerkit.image.blob import Buffer
from layerkit.image.digest import Digest, short
from layerkit.image.image import Image, PlatformImage
from layerkit.image.media_types import is_ordinary_layer
from layerkit.progress import Progress, Task
from layerkit.report.content_types import HEAD_BYTES, types_of
from layerkit.tar.header import Kind

_NUMBER = 8
"""Bytes of the number of a file's first bytes."""

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


@dataclass
class _File:
    """A file's bytes, however many paths lead to them."""

    path: bytes
    size: int
    layer: int
    paths: int = 0


class _Heads:
    """Keeps the first bytes of files that are large enough to be classified: makes fingerprints that are the number of them."""

    def __init__(self) -> None:
        self._kept = [b""]

    def __call__(self, data: Buffer) -> "_Head":
        return _Head(self._kept, data)

    def of(self, entry: Entry) -> bytes:
        return self._kept[int.from_bytes(entry.digest)]


class _Head:
    def __init__(self, kept: list[bytes], data: Buffer) -> None:
        self._kept = kept
        self._head = bytes(data[:HEAD_BYTES])
        self._size = len(data)

    def update(self, data: Buffer, /) -> None:
        self._head += bytes(data[: HEAD_BYTES - len(self._head)])
        self._size += len(data)

    def digest(self) -> bytes:
        if self._size < MIN_CLASSIFIED:
            return bytes(_NUMBER)
        self._kept.append(self._head)
        return (len(self._kept) - 1).to_bytes(_NUMBER)


class Merged:
    """The filesystem that layers make, one put on the other, and what of them nobody sees."""

    def __init__(self) -> None:
        self.root = Directory()
        self.heads = _Heads()
        self.files: dict[Entry, _File] = {}
        """Those that can be seen."""
        self.wasted: list[Wasted] = []

    def tree(self, pieces: Iterable[Buffer], where: str) -> LayerTree:
        """A layer, from its raw tar. Raises DamagedError."""
        tree = LayerTree(where, self.heads, wanted=EVERYTHING)
        for piece in pieces:
            tree.feed(piece)
        for directory in directories(tree.close()):
            directory.marks = NO_MARKS  # what only some overlays hide counts as seen
        return tree

    def add(self, tree: LayerTree, layer: int) -> None:
        """The next layer."""
        gone: list[Directory | Entry] = []
        self.root = overlay(self.root, tree.root, gone=gone)
        for node in gone:
            for _, entry in _entries(b"", node):
                self._lose(entry, layer)
        seen: dict[Entry, _File] = {}
        for path, entry in _entries(b"", tree.root):
            file = seen.setdefault(entry, _File(path, entry.size, layer))
            file.path = min(file.path, path)
            file.paths += 1
        self.files.update(seen)
        replaced = {entry: path for above, node in tree.replaced for path, entry in _entries(above, node)}
        for entry, path in replaced.items():
            if entry not in seen and entry.size:
                self.wasted.append(Wasted(_text(path), entry.size, layer, layer))

    def _lose(self, entry: Entry, layer: int) -> None:
        """One path less leads there."""
        file = self.files[entry]
        file.paths -= 1
        if file.paths:
            return
        del self.files[entry]
        if file.size:
            self.wasted.append(Wasted(_text(file.path), file.size, file.layer, layer))


def _entries(above: bytes, node: Directory | Entry) -> Iterator[tuple[bytes, Entry]]:
    """The regular files of a tree, or the one that `node` is, each with its path below `above`."""
    if isinstance(node, Entry):
        nodes: Iterable[tuple[bytes, Directory | Entry]] = [(b"", node)]
    else:
        nodes = walk(node)
    for path, found in nodes:
        if isinstance(found, Entry) and found.kind is Kind.FILE:
            yield above + b"/" + path if above and path else above or path, found


def contents_of(image: Image, platform: PlatformImage, count: int, progress: Progress) -> Contents:
    """The `count` largest of everything. Raises ImageError for layers that are missing or damaged."""
    merged = Merged()
    trees: dict[Digest, LayerTree] = {}
    for number, layer in enumerate(platform.manifest.layers, start=1):
        if not is_ordinary_layer(layer.media_type):
            progress.warn(f"layer {number} ({layer.media_type}) is no ordinary layer, and left out")
            continue
        if layer.digest not in trees:
            label = f"layer {number} ({short(layer.digest)})"
            where = f"{image.name}: {label}"
            with progress.task(label, layer.size) as task:
                raw = decoded_chunks(_watched(image.blob(layer).verified(where), task), where)
                trees[layer.digest] = merged.tree(raw, where)
        merged.add(trees[layer.digest], number)
    return summarise_merged(merged, str(platform.platform), count)


def summarise_merged(merged: Merged, platform: str, count: int) -> Contents:
    seen, directories, tree = _measured(merged.root, count)
    files = sorted(
        ((merged.files[entry], merged.heads.of(entry)) for entry in seen if entry.size),
        key=lambda file: (-file[0].size, file[0].path),
    )
    types: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for (file, _), name in zip(files, types_of([head for _, head in files]), strict=True):
        types[name] += file.size
        numbers[name] += 1
    return Contents(
        platform=platform,
        size=sum(file.size for file, _ in files),
        files=len(seen),
        largest=tuple(FileFound(_text(file.path), file.size, file.layer) for file, _ in files[:count]),
        directories=directories,
        tree=tree,
        types=tuple(TypeFound(name, size, numbers[name]) for name, size in types.most_common(count)),
        wasted_size=sum(found.size for found in merged.wasted),
        wasted=tuple(sorted(merged.wasted, key=lambda found: (-found.size, found.path))[:count]),
    )


class _Measure:
    """A directory on the way to its size."""

    def __init__(self, directory: Directory, name: bytes, parent: "_Measure | None") -> None:
        self.directory = directory
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


def _measured(root: Directory, count: int) -> tuple[list[Entry], tuple[DirectoryFound, ...], tuple[DirectoryFound, ...]]:
    """All regular files, each once; the `count` largest directories that aren't explained by one directory in them; and the
    upper directories. A file with several paths counts where it is met first."""
    seen: dict[Entry, None] = {}
    order = [_Measure(root, b"", None)]
    for measure in order:  # grows while it is gone through: parents come before what is in them
        here = measure.directory
        entries = list((here.entries or {}).values())
        for name, child in here.children.items():
            if isinstance(child, Directory):
                order.append(_Measure(child, name, measure))
            elif child.entry is not None:
                entries.append(child.entry)
        for entry in entries:
            if entry.kind is Kind.FILE and entry not in seen:
                seen[entry] = None
                measure.size += entry.size
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


def _watched(chunks: Iterable[Buffer], task: Task) -> Iterator[Buffer]:
    for chunk in chunks:
        yield chunk
        task.advance(len(chunk))


def _text(path: bytes) -> str:
    """From the root, `/usr/bin/env`."""
    return "/" + path.decode("utf-8", "backslashreplace").lstrip("/")
