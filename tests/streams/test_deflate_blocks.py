"""Block boundaries that are found are real ones: a slow inflater that sees every block says so."""

import gzip
import random
import time
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import igzip_lib

from layerkit.image.blob import Bytes
from layerkit.streams.deflate_blocks import CERTAIN, Neighbourhood, block_start, dynamic_headers, ends_of_stored
from layerkit.streams.gzip import GzipStream
from layerkit.streams.stream import Output
from tests.streams.slow_inflate import blocks, header_size

LIMIT = 1 << 30
"""Bytes of a part: pieces are as large as they get."""


def _text(size: int, seed: int) -> bytes:
    """Something that compresses like source code does."""
    rnd = random.Random(seed)
    words = [bytes(rnd.choices(b"abcdefghijklmnopqrstuvwxyz_", k=rnd.randint(2, 11))) for _ in range(3000)]
    lines = bytearray()
    while len(lines) < size:
        lines += b" ".join(rnd.choices(words, k=rnd.randint(3, 12))) + b"\n"
    return bytes(lines[:size])


def _zlib(level: int) -> Callable[[bytes], bytes]:
    return lambda data: gzip.compress(data, level, mtime=0)


def _stored(data: bytes) -> bytes:
    compressor = zlib.compressobj(0, wbits=31)
    return compressor.compress(data) + compressor.flush()


def _flushed(data: bytes) -> bytes:
    """Blocks joined by empty stored ones, as parallel compressors write them."""
    compressor = zlib.compressobj(6, wbits=31)
    pieces = [
        compressor.compress(data[at : at + 131072]) + compressor.flush(zlib.Z_SYNC_FLUSH) for at in range(0, len(data), 131072)
    ]
    return b"".join(pieces) + compressor.flush()


def _isal(data: bytes) -> bytes:
    return igzip_lib.compress(data, 2, igzip_lib.COMP_GZIP)


ENCODERS = {"zlib-1": _zlib(1), "zlib-6": _zlib(6), "zlib-9": _zlib(9), "stored": _stored, "flushed": _flushed, "isal": _isal}


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=40, max_size=400))
def test_headers_are_found_at_all_positions_where_a_slow_look_finds_them(piece: bytes) -> None:
    bits = 8 * (len(piece) - 16)
    assert list(dynamic_headers(piece, bits)) == [bit for bit in range(bits) if _is_header(piece, bit)]


def _is_header(piece: bytes, bit: int) -> bool:
    value = int.from_bytes(piece, "little") >> bit
    if value & 0b111 != 0b100 or value >> 3 & 31 > 29 or value >> 8 & 31 > 29:
        return False
    lengths = [value >> 17 + 3 * number & 7 for number in range((value >> 13 & 15) + 4)]
    return sum(128 >> length for length in lengths if length) == 128


def test_a_stored_block_is_told_by_its_length_and_complement() -> None:
    piece = b"?" * 10 + b"\x05\x00\xfa\xff" + b"hello" + b"?" * 20
    assert list(ends_of_stored(piece)) == [(19, 5)]


def boundaries(stream: bytes) -> dict[int, int]:
    """Bit offset -> raw offset of the blocks of a gzip stream, as a slow inflater sees them."""
    return dict(blocks(stream[header_size(stream) :], 8 * header_size(stream)))


def streamed(stream: bytes) -> tuple[GzipStream, list[Output]]:
    found = GzipStream(Bytes(stream), "layer", limit=LIMIT)
    return found, list(found.start())


@pytest.mark.parametrize("encoder", ENCODERS)
def test_boundaries_near_a_cut_are_real_ones(encoder: str) -> None:
    data = _text(3_000_000, 7)
    blob = ENCODERS[encoder](data)
    known = boundaries(blob)
    stream, outputs = streamed(blob)
    cuts = random.Random(3).sample(range(500_000, 2_500_000), 4)
    found = [stream.last_before(outputs, cut) for cut in cuts] + [stream.first_after(outputs, cut) for cut in cuts]
    assert sum(boundary is not None for boundary in found) >= 7, "both sides of nearly every cut"
    for boundary in found:
        if boundary is not None:
            assert known[boundary.bit] == boundary.raw
    for cut, before, after in zip(cuts, found, found[len(cuts) :], strict=False):
        assert before is None or before.raw <= cut
        assert after is None or after.raw >= cut


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_start_that_is_found_without_what_comes_out_is_a_real_one(encoder: str) -> None:
    blob = ENCODERS[encoder](_text(6_000_000, 9))
    known = boundaries(blob)
    for at in range(1000, len(blob) - CERTAIN - 164_000, 300_000):
        bit = block_start(blob[at : at + 160_000 + CERTAIN], 8 * 160_000)
        assert bit is not None
        assert 8 * at + bit in known


@pytest.mark.parametrize("strategy", [zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY])
def test_blocks_that_are_all_alike_take_no_time(strategy: int) -> None:
    """A file of zeros in blocks of 255 bytes, or in blocks of megabytes: at which of many offsets one begins can't be told."""
    chance = random.Random(3)
    before, zeros, behind = chance.randbytes(200_000), bytes(3 << 20), chance.randbytes(400_000)
    compressor = zlib.compressobj(6, zlib.DEFLATED, 31, 1, strategy)
    stream = compressor.compress(before + zeros + behind) + compressor.flush()
    gzip_stream, kept = streamed(stream)
    begun = time.process_time()
    found = gzip_stream.first_after(kept, len(before) + 100_000)
    assert time.process_time() - begun < 4
    assert found is None or found.raw >= len(before) + 100_000
    assert found is None or (found.bit, found.raw) in set(boundaries(stream).items()) or found.raw in boundaries(stream).values()


def test_blocks_of_a_hundred_bytes_are_not_all_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes milliseconds to prove, and there are thousands near a cut."""
    tried = []
    possible = Neighbourhood._possible

    def counted(near: Neighbourhood, bit: int) -> tuple[int, int]:
        tried.append(bit)
        return possible(near, bit)

    monkeypatch.setattr(Neighbourhood, "_possible", counted)
    data = _text(3_000_000, 7)
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31, 1, zlib.Z_HUFFMAN_ONLY)
    blob = compressor.compress(data) + compressor.flush()
    known = boundaries(blob)
    assert len(known) > 10_000
    stream, outputs = streamed(blob)
    for cut in random.Random(3).sample(range(500_000, 2_500_000), 4):
        before, after = stream.last_before(outputs, cut), stream.first_after(outputs, cut)
        assert before is not None
        assert after is not None
        assert known[before.bit] == before.raw
        assert known[after.bit] == after.raw
        assert cut - 4000 < before.raw <= cut <= after.raw < cut + 4000
    assert len(tried) < 4 * 80


@pytest.mark.parametrize(("seed", "near"), [(0, 1_455_470), (3, 454_560)])
def test_what_looks_like_a_start_within_a_block_of_fixed_codes(seed: int, near: int) -> None:
    """Three bits of a symbol that are a header, too: what is behind them inflates to the right bytes, but no block ends there."""
    chance = random.Random(seed)
    words = [chance.randbytes(chance.randint(3, 9)) for _ in range(20_000)]
    data = b"".join(chance.choices(words, k=2_000_000 // 6))
    compressor = zlib.compressobj(6, zlib.DEFLATED, 31, 9, zlib.Z_FIXED)
    blob = compressor.compress(data) + compressor.flush()
    known = boundaries(blob)
    stream, outputs = streamed(blob)
    for cut in range(near - 20_000, near + 30_000, 10_000):
        for found in (stream.last_before(outputs, cut), stream.first_after(outputs, cut)):
            assert found is None or known.get(found.bit) == found.raw
