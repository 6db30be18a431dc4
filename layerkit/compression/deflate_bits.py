"""Copied deflate blocks begin and end at any bit; what is put before and behind them stands at whole bytes.

Empty blocks bring a stream from a byte to the bit at which the copied blocks begin, and an empty stored block behind them brings
it back to a byte (RFC 1951, 3.2.3 to 3.2.7). Boundaries are counted in bits from the least significant one of a byte.
"""


def entering(byte: bytes, bit: int) -> bytes:
    """What goes in the place of `byte`, the first of the copied ones, when a block begins at its bit `bit`. Nothing of it before
    that bit is left. With `bit` 0 it is the byte itself."""
    if not bit:
        return byte
    bits, count = alignment(bit)
    kept = byte[0] >> bit << bit
    return (bits | kept << (count - bit)).to_bytes(count // 8 + 1, "little")


def leaving(byte: bytes, bit: int) -> bytes:
    """What goes in the place of `byte` when the copied blocks end before its bit `bit`: those bits, and an empty stored block,
    three zero bits, zeros up to the next byte, then LEN 0 and its complement. With `bit` 0 nothing is needed."""
    if not bit:
        return b""
    kept = byte[0] & ((1 << bit) - 1)
    return kept.to_bytes(1 if bit <= 5 else 2, "little") + b"\x00\x00\xff\xff"


def ending(byte: bytes, bit: int) -> bytes:
    """What ends a stream before bit `bit` of `byte`: those bits, and an empty final block of fixed codes, ten bits."""
    kept = byte[0] & ((1 << bit) - 1) if bit else 0
    return (kept | 0b011 << bit).to_bytes(-(-(bit + _EMPTY_FIXED_BITS) // 8), "little")


def alignment(bit: int) -> tuple[int, int]:
    """Empty blocks, as (bits, how many), that take a stream from a byte boundary to bit position `bit` (1 to 7).

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
