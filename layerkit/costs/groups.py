"""Files that have something in common. In: files, one at a time. Out: how many there are of each group, their bytes and costs."""

import heapq
import re
from collections.abc import Iterable

from layerkit.costs.contents import GroupFound

MAX_GROUPS = 50_000
"""Distinct names; a hostile image may have one for each file. Those that come later count as `OTHERS`."""
OTHERS = "others"
NO_SUFFIX = "no suffix"

_SUFFIX = re.compile(rb"[A-Za-z][A-Za-z0-9_+-]{0,11}")
_VERSION = re.compile(rb"(\.\d+)+\Z")
_PACKED = {b"gz", b"xz", b"bz2", b"zst", b"lz4", b"lzma", b"z", b"br"}


class Sums:
    """Of one group."""

    __slots__ = ("cost", "files", "size")

    def __init__(self) -> None:
        self.files = self.size = self.cost = 0

    def add(self, size: int, cost: int) -> None:
        self.files += 1
        self.size += size
        self.cost += cost


class Groups:
    def __init__(self) -> None:
        self._sums: dict[str, Sums] = {}

    def add(self, name: str, size: int, cost: int) -> None:
        sums = self._sums.get(name)
        if sums is None:
            if len(self._sums) >= MAX_GROUPS:
                name = OTHERS
            sums = self._sums.setdefault(name, Sums())
        sums.add(size, cost)

    def largest(self, count: int) -> tuple[GroupFound, ...]:
        """By cost."""
        return largest_groups((GroupFound(name, one.files, one.size, one.cost) for name, one in self._sums.items()), count)


def largest_groups(groups: Iterable[GroupFound], count: int) -> tuple[GroupFound, ...]:
    return tuple(heapq.nsmallest(count, groups, key=lambda group: (-group.cost, -group.size, group.name)))


def suffix_of(name: bytes) -> str:
    """What a file's name ends with, from its dot on: `.py`, `.tar.gz`, `.so` for `libc.so.6`. `NO_SUFFIX` for a name without, or
    with something long or odd behind its last dot."""
    stem, _, suffix = name.rpartition(b".")
    if suffix.isdigit():
        stem, _, suffix = _VERSION.sub(b"", name).rpartition(b".")
    if not stem or not _SUFFIX.fullmatch(suffix):
        return NO_SUFFIX
    if suffix.lower() in _PACKED:
        under, _, inner = stem.rpartition(b".")
        if under and _SUFFIX.fullmatch(inner):
            suffix = inner + b"." + suffix
    return "." + suffix.decode().lower()
