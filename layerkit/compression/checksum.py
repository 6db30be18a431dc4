"""CRC-32 of what is put together, from the running CRC-32 of what it was taken from.

In: the running CRC-32 of a stream, at a few places. Out: the CRC-32 of ranges of it and of literals, one after the other, without
reading the ranges again. CRC-32 (RFC 1952, 8) is linear over GF(2): what stands `n` bytes behind a register changes it by a
multiplication with x**(8 n) modulo the polynomial, which takes 32 steps for any `n`.
"""

from isal import isal_zlib

_POLYNOMIAL = 0xEDB88320
"""Reflected: the coefficient of x**0 is the highest bit."""
_ONE = 1 << 31
_X = 1 << 30


def _times(a: int, b: int) -> int:
    """The product of two polynomials, modulo the polynomial."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = a << 1 & 0xFFFFFFFF
        b = b >> 1 ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


def _powers() -> list[int]:
    """x**(8 * 2**k) for k of 0 to 63."""
    power = _X
    for _ in range(3):
        power = _times(power, power)
    powers = []
    for _ in range(64):
        powers.append(power)
        power = _times(power, power)
    return powers


_POWERS = _powers()


def shifted(crc: int, length: int) -> int:
    """What a register of `crc` becomes with `length` zero bytes behind it."""
    power = 0
    while length:
        if length & 1:
            crc = _times(_POWERS[power], crc)
        length >>= 1
        power += 1
    return crc


class Tally:
    """CRC-32 and length of what is put together."""

    __slots__ = ("crc", "length")

    def __init__(self, crc: int = 0, length: int = 0) -> None:
        self.crc = crc
        self.length = length
        """Bytes."""

    def add(self, data: bytes) -> None:
        self.crc = isal_zlib.crc32(data, self.crc)
        self.length += len(data)

    def add_range(self, before: int, after: int, length: int) -> None:
        """`length` bytes of a stream whose running CRC-32 was `before` at their beginning and `after` at their end."""
        self.crc = shifted(self.crc ^ before, length) ^ after
        self.length += length

    def copy(self) -> "Tally":
        return Tally(self.crc, self.length)
