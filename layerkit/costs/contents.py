"""What is said of one platform's files: plain values, everything sorted by cost, the most expensive first.

A *size* is a file's own bytes. A *cost* is what it takes of the blobs that are pushed: its headers, data and padding, as the
layer's compression made them. Costs of files and the rest of a layer add up to its blob, to the byte. Of uncompressed layers,
costs are estimates of what they take as gzip, which is how registries get them: then `LayerFound.estimated` is true.
"""

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class LayerFound:
    number: int
    """From 1, the bottom one."""
    digest: str
    size: int
    """Bytes of the blob, as it is."""
    cost: int
    """Bytes it takes to push: `size`, or an estimate of the layer as gzip; 0 for one that stands below, too."""
    estimated: bool
    raw_size: int
    """Bytes of its tar."""
    files: int
    files_cost: int
    """What its regular files cost. The rest are directories, links, devices and the archive itself."""
    command: str
    """The Dockerfile's line that made it, as far as the history tells."""
    zstd_cost: int | None = None
    """What it would cost as zstd, estimated from samples; None where that isn't known: it is zstd, or too small to tell."""


@dataclass(frozen=True)
class FileFound:
    path: str
    """From the root: `/usr/bin/env`."""
    size: int
    cost: int
    layer: int


@dataclass(frozen=True)
class GroupFound:
    """Files that have something in common: a directory above them, a type, a suffix."""

    name: str
    files: int
    size: int
    cost: int


@dataclass(frozen=True)
class PackageFound:
    kind: str
    """`deb`, `rpm`, `apk`, `python`, `npm`, `conda`, `go`, `java`."""
    name: str
    version: str
    files: int
    size: int
    cost: int


@dataclass(frozen=True)
class WastedFound:
    """A file that is pushed and never seen."""

    path: str
    size: int
    cost: int
    layer: int
    """Where the bytes are."""
    by: int
    """The layer that replaces or deletes them."""


@dataclass(frozen=True)
class WastedBetween:
    """All that one layer takes away of another."""

    layer: int
    by: int
    files: int
    size: int
    cost: int


@dataclass(frozen=True)
class DuplicateFound:
    """Files of the same content, each with bytes of its own."""

    paths: tuple[str, ...]
    """The first few of them."""
    copies: int
    size: int
    """Bytes of all but one."""
    cost: int


@dataclass(frozen=True)
class RewrittenFound:
    """Files that a layer holds again with the content that they had: their owner, mode or time was changed."""

    layer: int
    of: int
    """The layer that had them first."""
    files: int
    size: int
    cost: int
    """What the second copies cost."""


@dataclass(frozen=True)
class PermissionFound:
    path: str
    mode: int
    """The lowest twelve bits."""
    layer: int


@dataclass(frozen=True)
class Contents:
    """Lists hold the most expensive of what there is; totals are of everything."""

    platform: str
    layers: tuple[LayerFound, ...]
    cost: int
    """Bytes of all layers, each blob once."""
    files: int
    """Regular files that can be seen."""
    size: int
    """Their bytes."""
    files_cost: int
    largest: tuple[FileFound, ...]
    directories: tuple[GroupFound, ...]
    """Those that aren't explained by one directory in them."""
    types: tuple[GroupFound, ...]
    suffixes: tuple[GroupFound, ...]
    packages: tuple[PackageFound, ...]
    package_count: int
    packaged_cost: int
    """What all packages' files cost."""
    wasted_size: int
    wasted_cost: int
    wasted: tuple[WastedFound, ...]
    wasted_between: tuple[WastedBetween, ...]
    rewritten: tuple[RewrittenFound, ...]
    duplicated_size: int
    duplicated_cost: int
    duplicates: tuple[DuplicateFound, ...]
    privileged: tuple[PermissionFound, ...]
    """setuid and setgid files that can be run, by path."""
    writable: tuple[PermissionFound, ...]
    """Files and directories that anyone may write, but for sticky directories, by path."""
    privileged_count: int
    writable_count: int
    notes: tuple[str, ...] = ()
    """What couldn't be told, a line each."""

    def first(self, count: int) -> "Contents":
        """With no more of anything than that; notes and layers are all there."""
        lists = {
            field.name: getattr(self, field.name)[:count]
            for field in fields(self)
            if field.name not in ("layers", "notes") and isinstance(getattr(self, field.name), tuple)
        }
        return replace(self, **lists)


@dataclass(frozen=True)
class Node:
    """A directory or file of a tree in which what costs little is drawn together."""

    name: str
    """The last part of its path; the root's is empty, and what was drawn together is called `…`."""
    files: int
    size: int
    cost: int
    children: tuple["Node", ...] = ()
    """The most expensive first; none for a file."""
