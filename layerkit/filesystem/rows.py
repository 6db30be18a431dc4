"""The files of one directory, as small as telling them apart allows.

In: what files are called, what an applier sets on them and what they contain, each as a digest. Out: a row of a few numbers per
file, in the order in which they came; of several rows with one key the last one counts. Two directories whose rows are the same
bytes hold the same files, and saying so takes one comparison of memory.

A row is the key of the path (`Directory.key_of`), the attributes (`attributes_of`), each 64 bits, and the fingerprint of
the content: 32 bytes with XXH3, 48 with SHA-256. A tree of 1,000,000 files in 2,000 directories takes 34 MB, of 2,000,000 empty
ones 69; dictionaries of names and digests took 147 and 164, of whole entries 311 and 432. Leaving the attributes to the content's
fingerprint would save another quarter, but a hard link changes them afterwards.
"""

import struct
from collections.abc import Container
from typing import NamedTuple

_NUMBERS = struct.Struct("qq")
NUMBERS = _NUMBERS.size
"""Bytes of a row before the content's fingerprint."""
pack_numbers = _NUMBERS.pack
"""Key and attributes, as a row begins."""
_WORD = 8


class Row(NamedTuple):
    """What is at a path: enough to see that it differs, not how."""

    attributes: int
    digest: bytes


class Rows:
    __slots__ = ("data", "width")

    def __init__(self, width: int, data: bytes | bytearray = b"") -> None:
        """`width`: bytes of a row, a multiple of eight."""
        self.data = bytearray(data)
        self.width = width

    def add(self, key: int, row: Row) -> None:
        self.data += pack_numbers(key, row.attributes) + row.digest

    def all_keys(self, first: int = 0) -> list[int]:
        """Of all rows from number `first` on, as they came."""
        words = memoryview(self.data).cast("q")
        return words[first * (self.width // _WORD) :: self.width // _WORD].tolist()

    def __len__(self) -> int:
        return len(self.data) // self.width

    def __getitem__(self, number: int) -> Row:
        at = number * self.width
        _, attributes = _NUMBERS.unpack_from(self.data, at)
        return Row(attributes, bytes(self.data[at + NUMBERS : at + self.width]))

    def latest(self) -> dict[int, int]:
        """Key -> number of the row that counts."""
        return dict(zip(self.all_keys(), range(len(self)), strict=True))

    def remove(self, gone: Container[int]) -> None:
        """The rows of these keys."""
        width = self.width
        kept = [number for number, key in enumerate(self.all_keys()) if key not in gone]
        if len(kept) < len(self):
            self.data = bytearray().join(self.data[number * width : (number + 1) * width] for number in kept)


class Index:
    """Finds rows by their keys while more are added; it takes three times the memory of the rows themselves."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._numbers: dict[int, int] = {}
        self._seen = 0

    def find(self, key: int) -> Row | None:
        rows = self._rows
        seen, count = self._seen, len(rows)
        if seen == count - 1:  # as when files and links to them take turns
            self._numbers[_NUMBERS.unpack_from(rows.data, seen * rows.width)[0]] = seen
        elif seen < count:
            self._numbers.update(zip(rows.all_keys(seen), range(seen, count), strict=True))
        self._seen = count
        number = self._numbers.get(key)
        return rows[number] if number is not None else None
