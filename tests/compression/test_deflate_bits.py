"""Empty blocks bring a stream to any bit, and back."""

import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from layerkit.compression.codec import GzipCodec
from layerkit.compression.deflate_bits import alignment, ending, entering, leaving
from layerkit.compression.inflater import Inflater, StreamError
from tests.layers.test_weave import DECODERS, text
from tests.streams.slow_inflate import blocks


@pytest.mark.parametrize("bit", range(1, 8))
@pytest.mark.parametrize("level", [1, 6, 9])
def test_alignment_to_every_bit(bit: int, level: int) -> None:
    """Empty blocks bring a stream to any bit, and any stream goes on from there."""
    value, count = alignment(bit)
    assert count % 8 == bit
    assert value < 1 << count
    data = text(5000, bit)
    packed = zlib.compressobj(level, wbits=-15)
    follows = packed.compress(data) + packed.flush()
    first = zlib.compressobj(6, wbits=-15)
    lead = first.compress(b"lead") + first.flush(zlib.Z_SYNC_FLUSH)
    whole = value | int.from_bytes(follows, "little") << count
    stream = lead + whole.to_bytes((count + 8 * len(follows) + 7) // 8, "little")
    inflater = zlib.decompressobj(-15)
    assert inflater.decompress(stream) == b"lead" + data
    stream = stream.removesuffix(inflater.unused_data)  # the last byte, when the shift left nothing in it
    trailer = zlib.crc32(b"lead" + data).to_bytes(4, "little") + (4 + len(data)).to_bytes(4, "little")
    header = GzipCodec().begin()
    for decoder in DECODERS:
        assert decoder(header + stream + trailer) == b"lead" + data


CODED = st.binary(min_size=1, max_size=300).map(lambda data: bytes(byte & 0x7F for byte in data))
"""What fixed codes make no longer: zlib stores anything else, at whole bytes."""


@given(bit=st.integers(0, 7), empty=st.integers(0, 3), data=CODED)
def test_entered_at_any_bit_and_left_at_any(bit: int, empty: int, data: bytes) -> None:
    """A block that begins at one bit and, with empty blocks of ten bits behind it, ends at another."""
    packed = zlib.compressobj(6, zlib.DEFLATED, -15, 8, zlib.Z_FIXED)
    stream = packed.compress(data) + packed.flush()
    assume(stream[0] >> 1 & 3 == 1)  # zlib stores what that makes smaller, and a stored block is where it is
    *_, (count, _) = blocks(stream)
    value = int.from_bytes(stream, "little") & ((1 << count) - 1) & ~1  # not the last block any more
    for _ in range(empty):
        value |= 0b010 << count
        count += 10
    end, left = divmod(bit + count, 8)
    others = (1 << bit) - 1  # whatever is before the block: ones
    whole = (value << bit | others | (0b1111111 << (bit + count))).to_bytes(end + 2, "little")
    body = whole[:end] + leaving(whole[end : end + 1], left)
    inflater = zlib.decompressobj(-15)
    assert inflater.decompress(entering(body[:1], bit) + body[1:] + b"\x03\x00") == data
    assert inflater.eof
    assert b"".join(Inflater(bit=bit).feed(body)) == data


@pytest.mark.parametrize("bit", range(8))
def test_a_stream_ends_where_it_is_told_to(bit: int) -> None:
    assert list(Inflater(bit=0).feed(ending(b"\x00", 0))) == []
    byte = bytes([0xFF >> (8 - bit) if bit else 0])
    inflater = zlib.decompressobj(-15)
    value, count = alignment(bit) if bit else (0, 0)
    lead = value.to_bytes(-(-count // 8), "little") if count else b""
    end = ending(lead[-1:] or byte, bit)
    assert inflater.decompress(lead[:-1] + end) == b""
    assert inflater.eof


def test_an_end_in_the_middle_of_a_block_is_none() -> None:
    stream = zlib.compress(text(5000, 1), 6)[2:-4]
    inflater = Inflater()
    with pytest.raises(StreamError):
        list(inflater.feed(stream[:1000] + ending(stream[1000:1001], 3)))
        inflater.close()
