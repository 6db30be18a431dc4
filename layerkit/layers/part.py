"""A part, what its raw tar consists of, and its digest as the source streams by."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from isal import isal_zlib

from layerkit.image.blob import Blob
from layerkit.image.digest import Digest

Literal = bytes


class Raw(NamedTuple):
    """Bytes [start, end) of the source layer's raw tar."""

    start: int
    end: int


Piece = Raw | Literal


class Recipe(NamedTuple):
    """A finished part's raw tar."""

    pieces: tuple[Piece, ...]
    diff_id: Digest
    crc: int
    length: int
    """Bytes."""

    @property
    def end(self) -> int:
        """Offset in the source up to which it takes something."""
        return max((piece.end for piece in self.pieces if isinstance(piece, Raw)), default=0)


@dataclass(frozen=True)
class Part:
    """One of the layers that replace a layer."""

    blob: Blob
    diff_id: Digest
    recipe: Recipe


class PartBuilder:
    """A part being filled from a stream: pieces, SHA-256 and CRC-32 so far."""

    def __init__(self, at: int) -> None:
        """`at`: offset in the source at which the part begins."""
        self._pieces: list[Piece] = []
        self._sha = hashlib.sha256()
        self._crc = 0
        self._length = 0
        self._at = at
        self._skip_to = at

    @property
    def at(self) -> int:
        """Offset in the source up to which the part is filled."""
        return self._at

    @property
    def is_source(self) -> bool:
        """Nothing but the source from its first byte to here."""
        return not self._pieces or (len(self._pieces) == 1 and self._pieces[0] == Raw(0, self._at))

    def copy(self) -> "PartBuilder":
        other = PartBuilder(self._at)
        other._pieces = self._pieces.copy()
        other._sha = self._sha.copy()
        other._crc = self._crc
        other._length = self._length
        other._skip_to = self._skip_to
        return other

    def advance(self, data: memoryview, start: int, end: int) -> None:
        """Source bytes up to offset `end` are the part's, unless skipped. `data` holds the source from offset `start`."""
        begin = max(self._at, min(self._skip_to, end))
        if begin < end:
            view = data[begin - start : end - start]
            self._hash(view)
            last = self._pieces[-1] if self._pieces else None
            if isinstance(last, Raw) and last.end == begin:
                self._pieces[-1] = Raw(last.start, end)
            else:
                self._pieces.append(Raw(begin, end))
        self._at = max(self._at, end)

    def skip_to(self, end: int) -> None:
        """Source bytes from here to `end` are not the part's."""
        self._skip_to = max(self._skip_to, end)

    def insert(self, runs: bytes) -> None:
        """New bytes at this place."""
        if runs:
            self._hash(runs)
            self._pieces.append(runs)

    def finish(self) -> Recipe:
        return Recipe(tuple(self._pieces), Digest(f"sha256:{self._sha.hexdigest()}"), self._crc, self._length)

    def _hash(self, view: bytes | memoryview) -> None:
        self._sha.update(view)
        self._crc = isal_zlib.crc32(view, self._crc)
        self._length += len(view)
