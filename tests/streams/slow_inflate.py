"""Inflates a deflate stream block by block (RFC 1951, 3.2), to tell where they begin. Slow, and shares nothing with layerkit."""

from collections.abc import Iterator, Sequence

_LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258]
_LENGTH_BITS = [0] * 8 + [bits for bits in range(1, 6) for _ in range(4)] + [0]
_DISTANCE_BITS = [0, 0, *(bits for bits in range(14) for _ in range(2))]
_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)


def header_size(stream: bytes) -> int:
    """Bytes of a gzip member's header that has at most a name."""
    return 10 if not stream[3] & 8 else stream.index(b"\0", 10) + 1


def blocks(stream: bytes, base: int = 0) -> Iterator[tuple[int, int]]:
    """(bit offset plus `base`, raw offset) of every block, and of the end. Only lengths are kept of what comes out."""
    bits = _Bits(stream)
    raw = 0
    last = 0
    while not last:
        yield base + bits.at, raw
        last = bits.take(1)
        kind = bits.take(2)
        if kind == 0:
            bits.at = -(-bits.at // 8) * 8
            size = bits.take(16)
            bits.take(16)
            bits.at += 8 * size
            raw += size
        else:
            literals, distances = _fixed() if kind == 1 else _dynamic(bits)
            raw += _symbols(bits, literals, distances)
    yield base + bits.at, raw


def _symbols(bits: "_Bits", literals: "_Code", distances: "_Code") -> int:
    raw = 0
    while (symbol := literals.read(bits)) != 256:
        if symbol < 256:
            raw += 1
            continue
        raw += _LENGTHS[symbol - 257] + bits.take(_LENGTH_BITS[symbol - 257])
        bits.take(_DISTANCE_BITS[distances.read(bits)])
    return raw


class _Bits:
    def __init__(self, stream: bytes) -> None:
        self._stream = stream
        self.at = 0

    def peek(self, count: int) -> int:
        start = self.at // 8
        return int.from_bytes(self._stream[start : start + 4], "little") >> self.at % 8 & ((1 << count) - 1)

    def take(self, count: int) -> int:
        value = self.peek(count)
        self.at += count
        return value


class _Code:
    def __init__(self, lengths: Sequence[int]) -> None:
        self._longest = max(lengths, default=0)
        self._table: list[tuple[int, int]] = [(0, 0)] * (1 << self._longest)
        code = 0
        for length in range(1, self._longest + 1):
            for symbol, own in enumerate(lengths):
                if own == length:
                    reverse = int(f"{code:0{length}b}"[::-1], 2)
                    for more in range(1 << (self._longest - length)):
                        self._table[reverse | more << length] = symbol, length
                    code += 1
            code <<= 1

    def read(self, bits: _Bits) -> int:
        symbol, length = self._table[bits.peek(self._longest)]
        bits.at += length
        return symbol


def _fixed() -> tuple[_Code, _Code]:
    return _Code([8] * 144 + [9] * 112 + [7] * 24 + [8] * 8), _Code([5] * 30)


def _dynamic(bits: _Bits) -> tuple[_Code, _Code]:
    literals, distances, count = bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4
    lengths = [0] * 19
    for symbol in _ORDER[:count]:
        lengths[symbol] = bits.take(3)
    code = _Code(lengths)
    found: list[int] = []
    while len(found) < literals + distances:
        symbol = code.read(bits)
        if symbol < 16:
            found.append(symbol)
        elif symbol == 16:
            found += [found[-1]] * (bits.take(2) + 3)
        else:
            found += [0] * (bits.take(3) + 3 if symbol == 17 else bits.take(7) + 11)
    return _Code(found[:literals]), _Code(found[literals:])
