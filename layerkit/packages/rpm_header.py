"""An rpm header, as databases hold it. In: its bytes. Out: the package's name, version and files.

Two numbers (entries, bytes of data), an entry of 16 bytes for each tag (tag, type, offset, count), then data; all big-endian.
Files are three columns: base names, directories, and for each base name the number of its directory.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from layerkit.packages.paths import MAX_PATH

_INT32, _STRING, _STRINGS = 4, 6, 8
_NAME, _VERSION, _RELEASE, _EPOCH = 1000, 1001, 1002, 1003
_OLD_FILES, _NUMBERS, _NAMES, _FOLDERS = 1027, 1116, 1117, 1118
_TAGS = frozenset((_NAME, _VERSION, _RELEASE, _EPOCH, _OLD_FILES, _NUMBERS, _NAMES, _FOLDERS))
_MAX_ENTRIES = 0xFFFF
"""As rpm has it."""
_MAX_FOLDERS = 200_000
_ENTRY = struct.Struct(">IIII")
_Entry = tuple[int, int, int]
"""Type, offset, count."""


class Header(NamedTuple):
    name: bytes
    version: bytes
    """`[EPOCH:]VERSION-RELEASE`"""
    paths: Iterator[bytes]


def read_header(blob: bytes) -> Header | None:
    """None for what isn't the header of a package."""
    if len(blob) < 8:
        return None
    entries, size = struct.unpack_from(">II", blob)
    begin = 8 + entries * _ENTRY.size
    if entries > _MAX_ENTRIES or begin + size > len(blob):
        return None
    found: dict[int, _Entry] = {}
    for tag, kind, offset, count in _ENTRY.iter_unpack(blob[8:begin]):
        if tag in _TAGS and offset < size:
            found.setdefault(tag, (kind, offset, count))
    data = blob[begin : begin + size]
    name, version, release = (_string(data, found.get(tag)) for tag in (_NAME, _VERSION, _RELEASE))
    if not name:
        return None
    epoch = next(_numbers(data, found.get(_EPOCH)), None)
    full = (b"%d:" % epoch if epoch is not None else b"") + version + (b"-" + release if release else b"")
    return Header(name, full, _paths(data, found))


def _paths(data: bytes, found: dict[int, _Entry]) -> Iterator[bytes]:
    if _OLD_FILES in found:
        yield from _strings(data, found.get(_OLD_FILES))
    folders = list(islice(_strings(data, found.get(_FOLDERS)), _MAX_FOLDERS))
    numbers = _numbers(data, found.get(_NUMBERS))
    for name, number in zip(_strings(data, found.get(_NAMES)), numbers, strict=False):
        if number < len(folders) and len(folders[number]) <= MAX_PATH:
            yield folders[number] + name


def _string(data: bytes, entry: _Entry | None) -> bytes:
    if entry is None or entry[0] != _STRING:
        return b""
    end = data.find(b"\0", entry[1])
    return data[entry[1] : end] if end >= 0 else b""


def _strings(data: bytes, entry: _Entry | None) -> Iterator[bytes]:
    if entry is None or entry[0] != _STRINGS:
        return
    _, at, count = entry
    for _ in range(count):
        end = data.find(b"\0", at)
        if end < 0:
            return
        yield data[at:end]
        at = end + 1


def _numbers(data: bytes, entry: _Entry | None) -> Iterator[int]:
    if entry is None or entry[0] != _INT32:
        return
    _, begin, count = entry
    for at in range(begin, min(begin + 4 * count, len(data) - 3), 4):
        yield int.from_bytes(data[at : at + 4])
