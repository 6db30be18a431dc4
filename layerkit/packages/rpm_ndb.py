"""rpm's own database, `Packages.db`, as SUSE has it. In: the file's bytes. Out: the packages' headers.

Little-endian. A header of 32 bytes and slots of 16 fill the first pages of 4096. A slot is a mark, the package's number, where
its blob begins (0: there is none) and how long it is, in blocks of 16 bytes. A blob is a mark, the number, a time, a length, and
the header.
"""

import struct
from collections.abc import Iterator

from layerkit.packages.rpm_database import MAX_HEADERS, DatabaseError

_FILE, _SLOT, _BLOB = b"RpmP", b"Slot", b"BlbS"
_PAGE, _BLOCK = 4096, 16
_FOUR = struct.Struct("<4sIII")


def headers(data: bytes) -> Iterator[bytes]:
    """Raises DatabaseError, also after some of them."""
    if len(data) < _PAGE or not data.startswith(_FILE):
        raise DatabaseError(f"expected {_FILE!r} at its beginning, found {data[:4]!r}")
    version, _, pages = struct.unpack_from("<III", data, 4)
    if version:
        raise DatabaseError(f"expected version 0, found {version}")
    damaged = room = 0
    for at in range(2 * _BLOCK, min(pages * _PAGE, len(data) - _BLOCK + 1), _BLOCK):
        mark, number, begin, blocks = _FOUR.unpack_from(data, at)
        if mark != _SLOT:
            raise DatabaseError(f"expected {_SLOT!r} at byte {at:,}, found {mark!r}")
        if not begin:
            continue
        begin *= _BLOCK
        room += blocks * _BLOCK
        if at >= MAX_HEADERS * _BLOCK or room > len(data):
            raise DatabaseError("packages that overlap, or too many of them")
        blob = _FOUR.unpack_from(data, begin) if begin + _BLOCK <= len(data) else (b"", 0, 0, 0)
        if blob[:2] == (_BLOB, number) and blob[3] <= blocks * _BLOCK:
            yield data[begin + _BLOCK : begin + _BLOCK + blob[3]]
        else:
            damaged += 1
    if damaged:
        raise DatabaseError(f"{damaged:,} packages that aren't where they should be")
