"""CRC-32 of what is put together is that of the whole."""

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from layerkit.compression.checksum import Tally


@given(
    source=st.binary(min_size=1, max_size=2000),
    places=st.lists(st.integers(0, 2000), max_size=12),
    literal=st.binary(max_size=50),
)
def test_ranges_and_literals(source: bytes, places: list[int], literal: bytes) -> None:
    edges = sorted(place % (len(source) + 1) for place in places)
    tally = Tally()
    whole = b""
    for start, end in zip(edges[::2], edges[1::2], strict=False):
        tally.add_range(crc32(source[:start]), crc32(source[:end]), end - start)
        tally.add(literal)
        whole += source[start:end] + literal
    assert (tally.crc, tally.length) == (crc32(whole), len(whole))


def test_a_range_as_long_as_a_layer() -> None:
    """Zeros: their CRC-32 is known without making them."""
    chunk = bytes(1 << 20)
    crc = 0
    for _ in range(64):
        crc = crc32(chunk, crc)
    tally = Tally()
    tally.add(b"head")
    tally.add_range(0, crc, 64 << 20)
    whole = crc32(b"head")
    for _ in range(64):
        whole = crc32(chunk, whole)
    assert (tally.crc, tally.length) == (whole, 4 + (64 << 20))
