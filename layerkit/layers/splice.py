"""A part's compressed bytes: verbatim stretches of the source's stream, re-encoded edges, and the bits between them.

A deflate block refers at most 32,768 bytes back (RFC 1951, 2), so from the first block boundary that far behind a cut the
source's bits can be copied as they are; the bytes before it are encoded anew. Copied blocks begin at any of eight bit
positions: empty blocks before them bring the stream there, and an empty stored block after them brings it back to a byte.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from layerkit.image.blob import Buffer, Joined, Sliceable, read_at
from layerkit.layers.part import Piece, Raw, Recipe
from layerkit.layers.track import Restart, Track

MIN_VERBATIM = 64 << 10
"""Compressed bytes below which copying isn't worth its seams; never less than 4."""

Store = Callable[[bytes], Sliceable]
"""Keeps new bytes until the image is written: in memory, or in a temporary file when there are many."""


@dataclass(frozen=True)
class Verbatim:
    """Copy the source's stream between two restarts."""

    begin: Restart
    end: Restart


@dataclass(frozen=True)
class Encode:
    """Encode these pieces anew."""

    pieces: tuple[Piece, ...]


def arrange(
    pieces: Sequence[Piece], restarts: Sequence[Restart], history: int, *, min_verbatim: int = MIN_VERBATIM
) -> Iterator[Verbatim | Encode]:
    """What of a part is copied and what encoded. Pure; `restarts` ascend in `raw` and `bit`."""
    offsets = [restart.raw for restart in restarts]
    least = 8 * max(min_verbatim, 4)
    waiting: list[Piece] = []
    for piece in pieces:
        if not isinstance(piece, Raw):
            waiting.append(piece)
            continue
        # The stream's own beginning needs no history: nothing can refer to what is before it.
        needed = piece.start + history if piece.start else 0
        first = bisect_left(offsets, needed)
        last = bisect_right(offsets, piece.end) - 1
        if first >= last or restarts[last].bit - restarts[first].bit < least:
            waiting.append(piece)
            continue
        begin, end = restarts[first], restarts[last]
        if piece.start < begin.raw:
            waiting.append(Raw(piece.start, begin.raw))
        if waiting:
            yield Encode(tuple(waiting))
        yield Verbatim(begin, end)
        waiting = [Raw(end.raw, piece.end)] if end.raw < piece.end else []
    if waiting:
        yield Encode(tuple(waiting))


def assemble(recipe: Recipe, track: Track, store: Store, *, min_verbatim: int = MIN_VERBATIM) -> Sliceable:
    """The part's compressed stream. Reads raw bytes near the cuts again, holds one edge in memory at a time. The track has to be
    settled up to the part's end."""
    steps = arrange(recipe.pieces, track.restarts(recipe.end), track.history, min_verbatim=min_verbatim)
    end = track.codec.end(recipe.crc, recipe.length)
    return Joined([*begun(steps, track, store), *([store(end)] if end else [])])


def begun(steps: Iterable[Verbatim | Encode], track: Track, store: Store) -> Iterator[Sliceable]:
    """A stream's beginning: its header and what these steps make."""
    header = track.codec.begin()
    if header:
        yield store(header)
    for step in steps:
        if isinstance(step, Encode):
            yield store(track.codec.literal(_raw_bytes(step.pieces, track)))
        else:
            yield from copied(step, track, store)


def _raw_bytes(pieces: Iterable[Piece], track: Track) -> Iterator[Buffer]:
    for piece in pieces:
        if isinstance(piece, Raw):
            yield from track.raw(piece.start, piece.end)
        else:
            yield piece


def copied(step: Verbatim, track: Track, store: Store) -> Iterator[Sliceable]:
    """The bits between two restarts, entered at a byte and left at a byte."""
    first_byte, first_bit = divmod(step.begin.bit, 8)
    last_byte, last_bit = divmod(step.end.bit, 8)
    if first_bit:
        bits, count = alignment(first_bit)
        split = _byte(track, first_byte) >> first_bit << first_bit
        lead = (bits | split << (count - first_bit)).to_bytes(count // 8 + 1, "little")
        yield store(lead)
        first_byte += 1
    if first_byte < last_byte:
        yield track.compressed(first_byte, last_byte)
    if last_bit:
        kept = _byte(track, last_byte) & ((1 << last_bit) - 1)
        # An empty stored block: three zero bits, zeros up to the next byte, then LEN 0 and its complement (RFC 1951, 3.2.4).
        yield store(kept.to_bytes(1 if last_bit <= 5 else 2, "little") + b"\x00\x00\xff\xff")


def _byte(track: Track, at: int) -> int:
    return read_at(track.compressed(at, at + 1), 0, 1)[0]


def alignment(bit: int) -> tuple[int, int]:
    """Empty deflate blocks, as (bits, how many), that take a stream from a byte boundary to bit position `bit` (1 to 7).

    An empty block of fixed codes is 10 bits and reaches the even positions; the odd ones take one empty block of dynamic codes,
    95 bits, first."""
    value, count = (_EMPTY_DYNAMIC, _EMPTY_DYNAMIC_BITS) if bit % 2 else (0, 0)
    while count % 8 != bit:
        value |= _EMPTY_FIXED << count
        count += _EMPTY_FIXED_BITS
    return value, count


_EMPTY_FIXED = 0b010
"""BFINAL 0, BTYPE 01 (bits are packed from the least significant one), then end-of-block: seven zeros."""
_EMPTY_FIXED_BITS = 10
_EMPTY_DYNAMIC_BITS = 95


def _empty_dynamic() -> int:
    """An empty block of dynamic codes (RFC 1951, 3.2.7), 95 bits long: an odd number is all that matters of it.

    Literal code lengths {255: 1, 256: 1} of 257, distance code lengths {0: 1, 1: 1}. They are written with two code-length
    symbols of one bit each: 1 (code 0) and 18, a run of 11 to 138 zeros (code 1)."""
    value = count = 0

    def put(bits: int, width: int) -> None:
        nonlocal value, count
        value |= bits << count
        count += width

    put(0, 1)  # BFINAL
    put(0b10, 2)  # BTYPE: dynamic
    put(257 - 257, 5)  # HLIT
    put(2 - 1, 5)  # HDIST
    put(19 - 4, 4)  # HCLEN
    for symbol in (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15):
        put(1 if symbol in (1, 18) else 0, 3)
    for zeros in (138, 117):  # literals 0 to 254 are not used
        put(1, 1)
        put(zeros - 11, 7)
    for _ in range(4):  # 255, 256; distances 0, 1
        put(0, 1)
    put(1, 1)  # end-of-block: the second of two one-bit codes
    assert count == _EMPTY_DYNAMIC_BITS
    return value


_EMPTY_DYNAMIC = _empty_dynamic()
