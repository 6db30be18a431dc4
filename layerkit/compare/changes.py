"""What `diff` tells: plain values, the most expensive first. Costs are compressed bytes, as `costs.contents` has them."""

from dataclasses import dataclass
from enum import Enum

from layerkit.costs.contents import GroupFound


class Change(Enum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    """It has another content. Owners, modes and times don't count here: `verify` compares those."""


@dataclass(frozen=True)
class FileChanged:
    path: str
    change: Change
    size_before: int
    """0: it wasn't there."""
    size: int
    """0: it is gone."""
    cost_before: int
    cost: int


@dataclass(frozen=True)
class PackageChanged:
    kind: str
    """As `PackageFound.kind`."""
    name: str
    version_before: str
    """Empty: it wasn't there."""
    version: str
    """Empty: it is gone."""
    cost_before: int
    cost: int


@dataclass(frozen=True)
class LayerCompared:
    number: int
    """From 1, in the new image."""
    digest: str
    size: int
    shared: bool
    """Has the old image got it?"""
    command: str
    unchanged: int
    """Of its cost, what files are that the old image has at the same path with the same content."""


@dataclass(frozen=True)
class Sums:
    files: int
    size: int
    cost: int


@dataclass(frozen=True)
class Changes:
    """Lists hold the most expensive of what there is; sums are of everything."""

    platform: str
    before: Sums
    """Files that can be seen."""
    after: Sums
    added: Sums
    removed: Sums
    changed_before: Sums
    changed: Sums
    files: tuple[FileChanged, ...]
    """By what of them is pushed anew, then by what is no longer."""
    arriving: tuple[GroupFound, ...]
    """Directories, with the files in them that were added or changed."""
    leaving: tuple[GroupFound, ...]
    """Directories, with the files that were removed, or what those were before that changed."""
    packages: tuple[PackageChanged, ...]
    layers: tuple[LayerCompared, ...]
    send: int
    """Bytes of layers that a push of the new image sends to where the old one is, each blob once."""
    unchanged: int
    """Of these, about so many are files that the old image has, too."""
