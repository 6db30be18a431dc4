"""rpm's database as a hash table of Berkeley DB, as distributions had it until 2020. In: the file's bytes. Out: headers.

The file is pages of one size; the first one says of which, and in which order numbers have their bytes. Pages of the table hold
keys and values in turn; a value that is larger than a page is a chain of overflow pages. Pages are read in their order in the
file, which finds the same as going by the hash, as long as free ones are marked free.
"""

import struct
from collections.abc import Iterator

from layerkit.packages.rpm_database import MAX_HEADERS, DatabaseError

_MAGIC = 0x061561
_OVERFLOW, _META, _UNSORTED, _SORTED = 7, 8, 2, 13
"""Types of pages."""
_ON_PAGE, _OFF_PAGE = 1, 3
"""Types of items."""
_HEADER = 26
"""Bytes of a page before its items' offsets."""
_SIZES = frozenset(1 << shift for shift in range(9, 17))


def headers(data: bytes) -> Iterator[bytes]:
    """Raises DatabaseError, also after some of them."""
    table = _Table(data)
    found = 0
    for number in range(1, table.pages):
        for key, value in table.items(number):
            # The value of key 0 is the next free number.
            if key not in (b"\0\0\0\0", b"") and value:
                found += 1
                if found > MAX_HEADERS:
                    raise DatabaseError(f"more than {MAX_HEADERS:,} packages")
                yield value
    if table.damaged:
        raise DatabaseError(f"{table.damaged:,} values that can't be read")


class _Table:
    def __init__(self, data: bytes) -> None:
        order = next((order for order in "<>" if data[12:16] == struct.pack(order + "I", _MAGIC)), None)
        if order is None or len(data) < 512:
            raise DatabaseError("not a hash table of Berkeley DB")
        version, self.size = struct.unpack_from(order + "II", data, 16)
        if not 8 <= version <= 10 or self.size not in _SIZES or data[25] != _META:
            raise DatabaseError(f"a hash table of Berkeley DB in version {version}, with pages of {self.size:,} bytes: not known")
        self.pages = len(data) // self.size
        self.damaged = 0
        self._data = data
        self._half = struct.Struct(order + "H")
        self._word = struct.Struct(order + "I")
        self._room = 2 * self.pages
        """Overflow pages that may be read: in a sound file each is read once, but chains may be made to meet."""

    def items(self, number: int) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of a page; none of one that isn't the table's."""
        page = self._data[number * self.size : (number + 1) * self.size]
        if page[25] not in (_UNSORTED, _SORTED):
            return
        count = min(self._half.unpack_from(page, 20)[0], (self.size - _HEADER) // 2) & ~1
        offsets = [self._half.unpack_from(page, _HEADER + 2 * at)[0] for at in range(count)]
        ends = [self.size, *offsets]
        items = [page[begin:end] for begin, end in zip(offsets, ends, strict=False)]
        for key, value in zip(items[::2], items[1::2], strict=True):
            yield self._value(key), self._value(value)

    def _value(self, item: bytes) -> bytes:
        if item[:1] == bytes([_ON_PAGE]):
            return item[1:]
        if item[:1] == bytes([_OFF_PAGE]) and len(item) >= 12:
            (number,), (length,) = self._word.unpack_from(item, 4), self._word.unpack_from(item, 8)
            value = self._chain(number, length)
            if len(value) == length:
                return value
        self.damaged += 1
        return b""

    def _chain(self, number: int, length: int) -> bytes:
        parts: list[bytes] = []
        while 0 < length < len(self._data) and 0 < number < self.pages:
            self._room -= 1
            if self._room < 0:
                raise DatabaseError("values that overlap")
            page = self._data[number * self.size : (number + 1) * self.size]
            used = self._half.unpack_from(page, 22)[0]
            if page[25] != _OVERFLOW or not 0 < used <= min(self.size - _HEADER, length):
                break
            parts.append(page[_HEADER : _HEADER + used])
            length -= used
            (number,) = self._word.unpack_from(page, 16)
        return b"".join(parts)
