"""One 512-byte tar header: what layerkit has to understand of it, and nothing it could get wrong by rewriting.

POSIX.1-2001 pax ("ustar Interchange Format", "pax Extended Header"), GNU tar manual ("Basic Tar Format"), and, where they
leave room, Go's archive/tar, which is what docker, containerd, podman and umoci read layers with.
"""

import functools
import struct
from enum import Enum
from typing import NamedTuple
from zlib import adler32

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)
END_OF_ARCHIVE = bytes(2 * BLOCK)
_HALF = BLOCK // 2
_FIELDS = struct.Struct("100s 24x 12s 12x 8s c 100s 8s")
"""Name, size, checksum, type flag, link, magic with version."""
_USTAR = b"ustar\x0000"


class Kind(Enum):
    FILE = "file"
    HARD_LINK = "hard link"
    SYMLINK = "symlink"
    CHAR_DEVICE = "character device"
    BLOCK_DEVICE = "block device"
    DIRECTORY = "directory"
    FIFO = "fifo"
    GLOBAL = "pax global header"
    """No member of the filesystem: records that hold for all members after it."""


KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"S": Kind.FILE,
    b"1": Kind.HARD_LINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.CHAR_DEVICE,
    b"4": Kind.BLOCK_DEVICE,
    b"5": Kind.DIRECTORY,
    b"6": Kind.FIFO,
    b"g": Kind.GLOBAL,
}
"""Of a type flag. A name that ends in a slash makes a directory of flag NUL: see `Header.kind`."""
_HEADER_ONLY = frozenset(b"123456")
"""Types that never have data, whatever their size field says (archive/tar, isHeaderOnlyType)."""


class HeaderError(ValueError):
    """What is wrong with a header; the framer adds where."""


class Header(NamedTuple):
    """The fields of one header block that decide where the next one is and what this one is called."""

    flag: bytes
    """The type flag, one byte."""
    name: bytes
    """With the ustar or star prefix, as stored."""
    link: bytes
    size: int
    """The size field, in bytes; pax may override it."""

    @property
    def kind(self) -> Kind | None:
        """None for types no applier knows."""
        if self.flag == b"\0" and self.name.endswith(b"/"):
            return Kind.DIRECTORY
        return KINDS.get(self.flag)

    @property
    def has_data(self) -> bool:
        return self.flag[0] not in _HEADER_ONLY


def parse_header(block: bytes) -> Header:
    """`block`: 512 bytes, not all zero. Raises HeaderError for a wrong checksum or a size that is no number."""
    name, size, checksum, flag, link, magic = _FIELDS.unpack_from(block)
    # Adler-32 from 0 has the sum of the bytes in its low half, computed in C and modulo 65521, which ASCII doesn't reach.
    if adler32(block, 0) & 0xFFFF != _sum_that_says(checksum) or not block.isascii():
        _check_sum(block, checksum)
    name = _text(name)
    if magic == _USTAR and block[345]:
        name = _text(block[345:476] if block[508:512] == b"tar\0" else block[345:500]) + b"/" + name
    stored = parse_number(size, "size")
    if stored < 0:
        raise HeaderError(f"expected a size in bytes, found {stored}")
    fields = flag, name, _text(link) if link[0] else link[:0], stored
    return tuple.__new__(Header, fields)  # what Header() does, without the detour through its own __new__


@functools.lru_cache(maxsize=1 << 13)
def _sum_that_says(checksum: bytes) -> int:
    """What a header's bytes sum to, this field as it is, if the field (which counts as eight spaces in its own sum) is right."""
    return parse_number(checksum, "checksum") + sum(checksum) - 8 * ord(" ")


def _check_sum(block: bytes, checksum: bytes) -> None:
    """Any header's. Half a block sums to less than 65521, whatever is in it. Some old tars summed signed characters (archive/tar
    accepts both)."""
    expected = _sum_that_says(checksum)
    found = (adler32(block[:_HALF], 0) & 0xFFFF) + (adler32(block[_HALF:], 0) & 0xFFFF)
    if found == expected:
        return
    stored = parse_number(checksum, "checksum")
    plain = block[:148] + b"        " + block[156:]
    if stored != sum(byte - 256 if byte > 127 else byte for byte in plain):
        raise HeaderError(f"expected a tar header, found a block whose checksum is {sum(plain)}, not {stored}")


def parse_number(field: bytes, what: str) -> int:
    """An octal field, or a base-256 one (GNU). Empty is 0. Raises HeaderError."""
    digits = field.rstrip(b" \0")
    if digits.isdigit():  # most numbers
        try:
            return int(digits, 8)
        except ValueError:
            raise HeaderError(f"expected an octal {what}, found {field!r}") from None
    if field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if field[0] & 0x40:
            value -= 1 << (8 * len(field) - 1)
        return value
    text = field.strip(b" \0").partition(b"\0")[0].rstrip(b" ")
    if not text:
        return 0
    if text.strip(b"01234567"):
        raise HeaderError(f"expected an octal {what}, found {field!r}")
    return int(text, 8)


def sparse_extension_follows(block: bytes, *, first: bool) -> bool:
    """Does another block of an old GNU sparse map follow this one? `first`: this is the header itself."""
    return block[482 if first else 504] != 0


def parse_pax(payload: bytes) -> dict[bytes, bytes]:
    """The records `LENGTH KEY=VALUE\\n` of a pax extended header. Raises HeaderError."""
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(payload):
        space = payload.find(b" ", at, at + 20)
        digits = payload[at:space] if space > at else b""
        if not digits.isdigit():
            raise HeaderError(f"expected a pax record, found {payload[at : at + 20]!r}")
        end = at + int(digits)
        record = payload[space + 1 : end]
        key, equals, value = record[:-1].partition(b"=")
        if not equals or not key or record[-1:] != b"\n" or end > len(payload):
            raise HeaderError(f"expected a pax record of {int(digits)} bytes, found {payload[at : at + 40]!r}")
        records[key] = value
        at = end
    return records


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]
