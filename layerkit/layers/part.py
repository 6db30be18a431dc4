"""A part, what its raw tar consists of, and its checksums as the source streams by."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from isal import isal_zlib

from layerkit.image.blob import Blob, Buffer
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
    diff_id: Digest | None
    """None: it is for those who read the part back to find."""
    crc: int
    length: int
    """Bytes."""

    @property
    def end(self) -> int:
        """Offset in the source up to which it takes something."""
        return max((piece.end for piece in self.pieces if isinstance(piece, Raw)), default=0)


class Witness(Protocol):
    """Sees a part's raw tar as it is read back from its blob."""

    def feed(self, data: Buffer) -> None:
        """The next bytes. Raises DamagedError."""


@dataclass(frozen=True)
class Part:
    """One of the layers that replace a layer."""

    blob: Blob
    diff_id: Digest
    recipe: Recipe
    witness: Witness | None = None
    """What saw it all, if it was read back."""


class PartBuilder:
    """A part being filled from a stream: pieces, CRC-32 and perhaps SHA-256 so far."""

    def __init__(self, at: int, *, hashed: bool) -> None:
        """`at`: offset in the source at which the part begins. `hashed`: is the SHA-256 kept?"""
        self._pieces: list[Piece] = []
        self._sha = hashlib.sha256() if hashed else None
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

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """So far."""
        return tuple(self._pieces)

    def copy(self) -> "PartBuilder":
        other = PartBuilder(self._at, hashed=False)
        other._pieces = self._pieces.copy()
        other._sha = self._sha and self._sha.copy()
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
        diff_id = Digest(f"sha256:{self._sha.hexdigest()}") if self._sha is not None else None
        return Recipe(tuple(self._pieces), diff_id, self._crc, self._length)

    def _hash(self, view: bytes | memoryview) -> None:
        if self._sha is not None:
            self._sha.update(view)
        self._crc = isal_zlib.crc32(view, self._crc)
        self._length += len(view)
