"""Deflate block boundaries, looked for where they are needed.

In: a stretch of a deflate stream; near a cut also the raw bytes it gave, and how much raw had come out at some places of it. Out:
block starts. An inflater doesn't say where blocks begin.

The search. The header of a dynamic block (RFC 1951, 3.2.7) is recognisable: of a million bit positions only some hundred
have a type, counts and a code that fit. Stored blocks (3.2.4) have a length followed by its complement. Each candidate is tried:
the bits from there must inflate to the very bytes that are known to be there, over `PROVEN` bytes of stream at least. Streams of
nothing but fixed blocks have no such marks.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from isal import igzip_lib

from layerkit.compression.deflate_bits import entering
from layerkit.compression.inflater import WINDOW
from layerkit.streams.stream import Boundary

PROVEN = 48 << 10
"""Bytes of stream behind a candidate that have to inflate to what is known: more than most encoders' blocks, so that the next
block is reached at the same bit, and everything after it follows."""

CERTAIN = 384 << 10
"""Bytes behind a candidate that have to inflate when it isn't known to what. Of 2,096 stretches of 32 KiB of a real layer, two
held a false one that inflates for 48 and 96 KiB, one for 192, none for 384."""

PROVEN_RAW = 2 << 20
"""Raw bytes that are proof enough: where data compresses very well, PROVEN would be very much."""

_SPAN = 16 << 10
"""Bytes searched at a time."""
_HEADER = 16
"""Bytes that are looked at behind the first bit of a candidate: 3 + 14 + 19 * 3 bits and a remainder."""
_LONGEST_STORED = 4 + 65535
"""Bytes of a stored block, its length and that one's complement included."""
_TASTE = 256
"""Bytes of a candidate that are tried first."""
_GLIMPSE = 1 << 10
"""Raw bytes that are compared first at each offset which a candidate may have: up to some thousands where data compress well."""
_MOST_ALIKE = 8
"""Offsets at which a candidate gives those. With more, the bytes around repeat themselves (a file of zeros), and which of the
offsets is the right one can't be told, or only at the price of seconds."""
_TASTED = 256 << 10
"""Raw bytes of a candidate that are inflated at a time."""
_STEP = 64
"""Bytes of stream at a time, to see how much comes out of them."""
_SLACK = 8
"""Raw bytes by which the count at a place may be short: ISA-L holds back symbols that it looked up together."""

_IsalError = cast(type[Exception], igzip_lib.IsalError)  # isal's stubs declare it as an instance


@dataclass(frozen=True)
class Neighbourhood:
    """A stretch of a stream."""

    stream: bytes
    base: int
    """Offset of `stream` in the compressed stream."""
    raw: bytes
    raw_base: int
    """Offset of `raw` in the raw tar."""
    counts: tuple[tuple[int, int], ...]
    """(offset in the compressed stream, raw bytes that had come out when it was reached), ascending; the first is where
    `stream` and `raw` begin, the last where they end."""

    def last_before(self, raw: int) -> Boundary | None:
        """The last block start at or before a raw offset, as far as it is found here."""
        near = self._near(raw)
        last = near + _SPAN // 2
        spans = (self._candidates(max(end - _SPAN, self.base), end) for end in range(last, self.base, -_SPAN))
        most = 8 * last
        starts = self._starts(((bit, size) for bit, size in sorted(span.items(), reverse=True) if bit < most) for span in spans)
        for behind, found in enumerate(starts, start=1):
            if found.raw <= raw:
                return found
            if behind > 1:  # some encoders make a block of every hundred bytes: most of the way back is known
                most = max(8 * near, found.bit - (found.bit - 8 * near) * 3 // 4)
        return None

    def first_after(self, raw: int) -> Boundary | None:
        """The first block start at or after a raw offset, as far as it is found here."""
        first, limit = max(self._near(raw) - _SPAN // 2, self.base), self.base + len(self.stream)
        spans = (self._candidates(begin, min(begin + _SPAN, limit)) for begin in range(first, limit, _SPAN))
        least = 0
        for found in self._starts(((bit, size) for bit, size in sorted(span.items()) if bit >= least) for span in spans):
            if found.raw >= raw:
                return found
            least = 8 * self._reaching(found, raw)  # some encoders make a block of every hundred bytes
        return None

    def _reaching(self, found: Boundary, raw: int) -> int:
        """The byte of the stream, from a boundary on, up to which less comes out than the bytes before a raw offset."""
        inflater = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_DEFLATE, zdict=bytes(WINDOW))
        start = found.bit // 8
        stream = self._from(found.bit, len(self.stream))
        out = 0
        try:
            for at in range(0, len(stream), _STEP):
                out += len(inflater.decompress(stream[at : at + _STEP]))
                if out + found.raw >= raw:
                    return start + max(at - _STEP, 0)
        except _IsalError:
            pass
        return start

    def _near(self, raw: int) -> int:
        """About where in the stream a raw offset is."""
        at = min(max(bisect_right(self.counts, raw, key=lambda count: count[1]), 1), len(self.counts) - 1)
        (low, raw_low), (high, raw_high) = self.counts[at - 1], self.counts[at]
        share = (raw - raw_low) / max(raw_high - raw_low, 1)
        return min(max(int(low + (high - low) * share), low), high)

    def _candidates(self, begin: int, end: int) -> dict[int, int]:
        """Bit offsets, in stream bytes [begin, end), at which a block may start; with the bytes of the stored block before it, 0
        where there is none."""
        piece = self.stream[begin - self.base : end - self.base + _HEADER]
        found = dict.fromkeys((8 * begin + bit for bit in dynamic_headers(piece, 8 * (end - begin))), 0)
        back = max(begin - _LONGEST_STORED, self.base)
        stored = ends_of_stored(self.stream[back - self.base : end - self.base])
        return found | {8 * (back + at): size for at, size in stored if begin <= back + at < end}

    def _starts(self, spans: Iterable[Iterable[tuple[int, int]]]) -> Iterator[Boundary]:
        """Those candidates at which a block starts beyond doubt. `spans`: of bits, and the sizes of stored blocks before them."""
        alike = 0
        for span in spans:
            for bit, stored in span:
                first, last = self._possible(bit)
                found = [raw for raw in range(first, last + 1) if self._gives(bit, raw, _TASTE, _GLIMPSE)]
                if len(found) <= _MOST_ALIKE:
                    found = [raw for raw in found if self._gives(bit, raw, self._proven(bit))]
                if len(found) == 1 and self._follows(bit, found[0], stored):
                    yield Boundary(found[0], bit)
                alike += len(found) > 1
                if len(found) > 1 and alike >= _MOST_ALIKE:
                    break  # so it goes on for a while: blocks of some hundred bytes are thousands in a file of zeros

    def _follows(self, bit: int, raw: int, size: int) -> bool:
        """Does a stored block of so many bytes end there, as far as that can be seen here? Within a block of fixed codes, three
        bits that look like the header of another one are common, and what is behind them inflates as it should; but none ends
        there."""
        seen = min(size, bit // 8 - self.base, raw - self.raw_base)
        stream, came = bit // 8 - self.base, raw - self.raw_base
        return self.stream[stream - seen : stream] == self.raw[came - seen : came]

    def _possible(self, bit: int) -> tuple[int, int]:
        """The raw offsets that `bit` may have, by how much comes out from there to places whose count is known."""
        nowhere = (0, -1)
        at = self._proving(bit // 8)
        if at is None:
            return nowhere
        if not _inflates(self._from(bit, _TASTE)):
            return nowhere  # as most candidates
        inflater = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_DEFLATE, zdict=bytes(WINDOW))
        try:
            least = len(inflater.decompress(self._from(bit, self.counts[at][0] - bit // 8)))
            if inflater.eof:
                return nowhere  # the last block of the stream can't be copied into another
            most = least + len(inflater.decompress(self.stream[self.counts[at][0] - self.base :][:1]))
        except _IsalError:
            return nowhere
        raw = self.counts[at][1]
        return max(raw - most - _SLACK, self.raw_base), raw - least + _SLACK

    def _proving(self, start: int) -> int | None:
        """Index of the count up to which a candidate at byte `start` has to inflate."""
        first = bisect_right(self.counts, start, key=lambda count: count[0])
        for at in range(first, len(self.counts)):
            offset, raw = self.counts[at]
            if offset >= start + PROVEN or raw >= self.counts[first][1] + PROVEN_RAW:
                return at
        return None

    def _proven(self, bit: int) -> int:
        """Bytes of stream that a candidate at `bit` has to inflate."""
        at = self._proving(bit // 8)
        assert at is not None
        return self.counts[at][0] - bit // 8

    def _gives(self, bit: int, raw: int, size: int, most: int = -1) -> bool:
        """Do `size` bytes of the stream from `bit` on inflate to the bytes from `raw` on? `most`: of those that are compared."""
        begin = raw - self.raw_base
        if begin < min(WINDOW, raw):
            return False
        history = self.raw[max(begin - WINDOW, 0) : begin]
        inflater = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_DEFLATE, zdict=history or bytes(WINDOW))
        try:
            out = inflater.decompress(self._from(bit, size), most)
        except _IsalError:
            return False
        return bool(out) and self.raw[begin : begin + len(out)] == out

    def _from(self, bit: int, size: int) -> bytes:
        """`size` bytes of the stream, entered in the middle of the first."""
        start = bit // 8 - self.base
        return _entered(self.stream[start : start + size], bit % 8)


def block_start(piece: bytes, bits: int) -> int | None:
    """The first bit below `bits` at which, by all signs, a block begins that isn't the last: what is behind it inflates for
    `PROVEN` bytes. What comes out isn't looked at, so that nothing need have been inflated; who relies on it has to make sure."""
    for begin in range(0, bits // 8, _SPAN):
        end = min(begin + _SPAN, bits // 8)
        found = {8 * begin + bit for bit in dynamic_headers(piece[begin : end + _HEADER], 8 * (end - begin))}
        back = max(begin - _LONGEST_STORED, 0)
        found.update(8 * (back + at) for at, _ in ends_of_stored(piece[back:end]) if begin <= back + at < end)
        for bit in sorted(found):
            behind = piece[bit // 8 : bit // 8 + CERTAIN]
            tastes = _TASTE, PROVEN, CERTAIN
            if len(behind) == CERTAIN and all(_inflates(_entered(behind[:size], bit % 8)) for size in tastes):
                return bit
    return None


def _inflates(stream: bytes) -> bool:
    """Is it sound, as far as it goes, and doesn't end?"""
    inflater = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_DEFLATE, zdict=bytes(WINDOW))
    try:
        while not inflater.eof:
            inflater.decompress(stream, _TASTED)
            if inflater.needs_input:
                return True
            stream = b""
    except _IsalError:
        pass
    return False


def _entered(stream: bytes, bit: int) -> bytes:
    return entering(stream[:1], bit) + stream[1:]


def dynamic_headers(piece: bytes, bits: int) -> Iterator[int]:
    """Bit offsets below `bits` at which a block of dynamic codes that isn't the last may begin, ascending.

    All positions are looked at together: bit i of the number `stream >> n` is what stands n bits behind position i, so that one
    operation on it asks one question of every position."""
    stream = int.from_bytes(piece, "little")
    behind = [stream >> n for n in range(17 + 3 * 19)]
    # BFINAL 0; BTYPE 10, its low bit first; HLIT and HDIST, five bits each, at most 29.
    fits = ((1 << bits) - 1) & behind[2] & ~(behind[0] | behind[1])
    fits &= ~(behind[4] & behind[5] & behind[6] & behind[7])
    fits &= ~(behind[9] & behind[10] & behind[11] & behind[12])
    fits = _with_complete_code(behind, fits)
    while fits:
        lowest = fits & -fits
        yield lowest.bit_length() - 1
        fits ^= lowest


def _with_complete_code(behind: list[int], fits: int) -> int:
    """Those positions whose code-length code uses up all codes, as every decoder demands: 2**-length summed over the lengths in
    use is 1. HCLEN (4 bits, less 4) says how many of up to 19 lengths of 3 bits follow.

    The sums, in units of 2**-7, are kept as eight numbers, one per binary digit."""
    digits = [0] * 8
    over = 0
    counts = _at_least(behind[13:17])
    for number in range(19):
        used = fits & counts[max(number - 3, 0)]
        low, middle, high = behind[17 + 3 * number : 20 + 3 * number]
        for length in range(1, 8):
            carry = used & (low if length & 1 else ~low) & (middle if length & 2 else ~middle) & (high if length & 4 else ~high)
            for digit in range(7 - length, 8):
                if not carry:
                    break
                digits[digit], carry = digits[digit] ^ carry, digits[digit] & carry
            over |= carry
    for digit in digits[:7]:
        over |= digit
    return fits & digits[7] & ~over


def _at_least(bits: list[int]) -> list[int]:
    """For each n of 0 to 15: the positions at which the four-bit number whose digits are `bits` is n or more."""
    found = [0] * 16
    more = 0
    for value in range(15, -1, -1):
        equal = -1
        for digit in range(4):
            equal &= bits[digit] if value >> digit & 1 else ~bits[digit]
        more |= equal
        found[value] = more
    return found


def ends_of_stored(piece: bytes) -> Iterator[tuple[int, int]]:
    """Byte offsets of what follows a stored block, and its size: before it come that and its complement."""
    stream = int.from_bytes(piece, "little")
    differs = (stream ^ (stream >> 16)).to_bytes(len(piece), "little")
    at = differs.find(b"\xff\xff")
    while 0 <= at < len(piece) - 4:
        size = int.from_bytes(piece[at : at + 2], "little")
        yield at + 4 + size, size
        at = differs.find(b"\xff\xff", at + 1)
