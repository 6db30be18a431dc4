"""Everything that an applier sets on an entry but its content, in one number.

In: an entry, or a header. Out: 60 bits of SipHash, and in the lowest four what has to be known of an entry that isn't kept. Two
entries with the same number have the same attributes: nobody who doesn't know this process's secret can make others.
"""

import functools
import secrets
import struct
from collections.abc import Iterable, Mapping

from layerkit.errors import DamagedError
from layerkit.filesystem.entry import NANOSECONDS, Entry, entry_of, mode_and_owner
from layerkit.tar.framing import Member
from layerkit.tar.header import BLOCK, HeaderError, Kind, parse_number

_SECRET = secrets.token_bytes(16)
_FILE, _SYMLINK, _DIRECTORY = Kind.FILE, Kind.SYMLINK, Kind.DIRECTORY
_KINDS = (_FILE, _DIRECTORY, _SYMLINK, Kind.HARD_LINK, Kind.CHAR_DEVICE, Kind.BLOCK_DEVICE, Kind.FIFO)
_MORE = 1
"""The lowest bit: is it more than the numbers that every header has, and a target? The three above it are the kind."""
_HALF = 1 << 63
_pack = struct.Struct("4q").pack


def attributes_of(entry: Entry, kind: Kind) -> int:
    """Of an entry as if it were of that kind."""
    told = _numbers(kind, entry.mode, entry.uid, entry.gid, entry.mtime) + entry.link
    if not (entry.xattrs or entry.globals or entry.device):
        return _digest(told, kind)
    records = _told(tuple(entry.xattrs.items())), _told(tuple(entry.globals.items()))
    device = entry.device or (-1, -1)
    return _digest(b"%d %b %d:%d %d %b %b" % (len(told), told, *device, len(records[0]), *records), kind) | _MORE


def attributes_in(member: Member, globals_in_force: Mapping[bytes, bytes], where: str) -> int:
    """Of the entry of a member, which isn't made if there is no need. Raises DamagedError, naming `where` and the offset."""
    kind, head = member.kind, member.head
    if len(head) == BLOCK and (kind is _DIRECTORY or kind is _SYMLINK):
        try:
            if kind is _DIRECTORY:
                return plain_attributes(head[100:124], head[136:148], _DIRECTORY)
            mtime = parse_number(head[136:148], "mtime") * NANOSECONDS
            return _digest(_numbers(kind, *mode_and_owner(head[100:124]), mtime) + member.link, kind)
        except HeaderError as error:
            raise DamagedError(f"{where}: offset {member.start:,}: {error}") from None
    return attributes_of(entry_of(member, globals_in_force, where), kind)


@functools.lru_cache(maxsize=1 << 13)
def plain_attributes(mode_and_owner_fields: bytes, mtime: bytes, kind: Kind = _FILE) -> int:
    """Of a file or directory with these fields of a header, without extension headers or pax globals. Raises HeaderError."""
    seconds = parse_number(mtime, "mtime")
    return _digest(_numbers(kind, *mode_and_owner(mode_and_owner_fields), seconds * NANOSECONDS), kind)


def linked_attributes(before: int, link: Entry) -> int:
    """Of an inode that had those `before`, now that this hard link leads to it: appliers set the link's own on it
    (createTarFile). The same for the same inodes and links in the same order; some others come to the same in the end."""
    kind = kind_of(before)
    after = attributes_of(link, kind)
    if after == before or (kind is _FILE and not (before | after) & _MORE):
        return after
    return _digest(_pack(before, after, 0, 0), kind) | _MORE


def hidden_attributes(attributes: int, marks: Iterable[bytes]) -> int:
    """Of something that these marks of upper layers hide from some overlays, in any order."""
    for mark in marks:
        attributes += hash(_SECRET + mark) & -16
    return (attributes + _HALF) % (2 * _HALF) - _HALF


@functools.lru_cache(maxsize=1 << 8)
def _told(records: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """The same bytes for the same records only, in any order: a layer has few different ones."""
    return b"".join(b"%d %b %d %b" % (len(key), key, len(value), value) for key, value in sorted(records))


def kind_of(attributes: int) -> Kind:
    return _KINDS[attributes >> 1 & 7]


def _numbers(kind: Kind, mode: int, uid: int, gid: int, mtime: int) -> bytes:
    if kind is _SYMLINK:
        mode = 0  # it has none of its own
    try:
        return _pack(mode, uid, gid, mtime)
    except struct.error:  # too large for a filesystem, not for a header
        return repr((mode, uid, gid, mtime)).encode()


def _digest(told: bytes, kind: Kind) -> int:
    return hash(_SECRET + told) & -16 | _KINDS.index(kind) << 1
