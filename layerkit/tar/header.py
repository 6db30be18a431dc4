"""One 512-byte tar header: what layerkit has to understand of it, and nothing it could get wrong by rewriting.

POSIX.1-2001 pax ("ustar Interchange Format", "pax Extended Header"), GNU tar manual ("Basic Tar Format"), and, where they
leave room, Go's archive/tar, which is what docker, containerd, podman and umoci read layers with.
"""

import zlib
from enum import Enum
from typing import NamedTuple

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)
END_OF_ARCHIVE = bytes(2 * BLOCK)
_ADLER_MODULUS = 65521


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


_KINDS = {
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
        return _KINDS.get(self.flag)

    @property
    def has_data(self) -> bool:
        return self.flag[0] not in _HEADER_ONLY


def parse_header(block: bytes) -> Header:
    """`block`: 512 bytes, not all zero. Raises HeaderError for a wrong checksum or a size that is no number."""
    stored = parse_number(block[148:156], "checksum")
    # Adler-32's low half is the sum of the bytes plus one, in C; the checksum field counts as eight spaces.
    plain = block[:148] + b"        " + block[156:]
    if (zlib.adler32(plain) & 0xFFFF) != (stored + 1) % _ADLER_MODULUS and stored != _signed_sum(plain):
        raise HeaderError(f"expected a tar header, found a block whose checksum is {sum(plain)}, not {stored}")
    name = _text(block[:100])
    magic = block[257:265]
    if magic == b"ustar\x0000":
        prefix = _text(block[345:476] if block[508:512] == b"tar\0" else block[345:500])
        if prefix:
            name = prefix + b"/" + name
    size = parse_number(block[124:136], "size")
    if size < 0:
        raise HeaderError(f"expected a size in bytes, found {size}")
    return Header(block[156:157], name, _text(block[157:257]), size)


def parse_number(field: bytes, what: str) -> int:
    """An octal field, or a base-256 one (GNU). Empty is 0. Raises HeaderError."""
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


def _signed_sum(block: bytes) -> int:
    """Some old tars summed signed characters (archive/tar accepts both)."""
    return sum(byte - 256 if byte > 127 else byte for byte in block)
