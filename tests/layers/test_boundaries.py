"""Block boundaries found near a cut are real ones: what rapidgzip says, and what decodes."""

import gzip
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import igzip_lib

from layerkit.image.blob import Bytes, FileRange, InputFile
from layerkit.layers import inflate_track
from layerkit.layers.boundaries import dynamic_headers, ends_of_stored
from layerkit.layers.gzip_track import GzipTrack, SeveralMembers
from layerkit.layers.inflate_track import InflateTrack, NeedsIndex

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
    assert list(ends_of_stored(piece)) == [19]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_boundaries_near_a_cut_are_where_rapidgzip_sees_them(encoder: str, tmp_path: Path) -> None:
    data = _text(6_000_000, 7)
    blob = _on_disk(ENCODERS[encoder](data), tmp_path)
    known = _all_boundaries(blob)
    track = InflateTrack(blob, "layer", limit=LIMIT)
    cuts = random.Random(3).sample(range(500_000, 5_000_000), 5)
    for chunk in track.chunks():
        for cut in cuts:
            if chunk.start <= cut < chunk.start + len(chunk.data):
                track.remember(cut)
    found = [restart for restart in track.restarts() if restart.raw]
    assert len(found) >= 8, "both sides of nearly every cut"
    for restart in found:
        # rapidgzip lists a boundary every so many bytes: where it lists one, it must be the same.
        assert known.get(restart.bit, restart.raw) == restart.raw
        tail = _from(blob, restart.bit, data[restart.raw - 32768 : restart.raw], 100_000)
        assert data[restart.raw :].startswith(tail)
        assert tail


def _on_disk(stream: bytes, folder: Path) -> FileRange:
    path = folder / "layer.gz"
    path.write_bytes(b"outer" + stream + b"outer")
    return FileRange(InputFile(path), 5, len(stream))


def _all_boundaries(blob: FileRange) -> dict[int, int]:
    track = GzipTrack(blob, "layer", threads=1, chunk_size=32 << 10)
    for _ in track.chunks():
        pass
    found = {restart.bit: restart.raw for restart in track.restarts()}
    track.close()
    return found


def _from(blob: FileRange, bit: int, history: bytes, size: int) -> bytes:
    """What zlib makes of the stream from a bit on."""
    stream = b"".join(blob.chunks(bit // 8))
    shifted = (int.from_bytes(stream, "little") >> bit % 8).to_bytes(len(stream), "little")
    return zlib.decompressobj(-15, zdict=history).decompress(shifted, size)


@pytest.mark.parametrize("limit", [LIMIT, 5_000_000])
def test_raw_bytes_are_there_again_around_a_cut(tmp_path: Path, limit: int) -> None:
    data = _text(9_000_000, 1)
    track = InflateTrack(_on_disk(gzip.compress(data, 6), tmp_path), "layer", limit=limit)
    for chunk in track.chunks():
        if chunk.start <= 5_000_000 < chunk.start + len(chunk.data):
            track.remember(5_000_000)
    assert b"".join(track.raw(4_990_000, 5_040_000)) == data[4_990_000:5_040_000]
    with pytest.raises(NeedsIndex):
        list(track.raw(0, 100))


def test_costs_are_measured_in_smaller_steps_for_smaller_parts(tmp_path: Path) -> None:
    """What is estimated in between differs from release to release, and with it where the cuts are."""
    blob = _on_disk(gzip.compress(_text(4_000_000, 3), 6), tmp_path)
    for limit in (LIMIT, 20_000_000, 5_000_000):
        chunks = list(InflateTrack(blob, "layer", limit=limit).chunks())
        assert max(chunk.cost_after - chunk.cost for chunk in chunks[1:]) <= min(limit // 512, 256 << 10)
        assert chunks[-1].cost_after == blob.size - 8


def test_many_cuts_are_trimmed_to_what_is_needed_and_stay_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate_track, "BUDGET", 12 << 20)
    data = _text(16_000_000, 2)
    track = InflateTrack(_on_disk(gzip.compress(data, 1), tmp_path), "layer", limit=LIMIT)
    cuts = list(range(1_000_000, 15_000_000, 2_000_000))
    for chunk in track.chunks():
        for cut in cuts:
            if chunk.start <= cut < chunk.start + len(chunk.data):
                track.remember(cut)
    restarts = track.restarts()
    for cut in cuts:
        before = max(restart.raw for restart in restarts if restart.raw <= cut)
        assert b"".join(track.raw(before, cut)) == data[before:cut]


def test_the_first_block_is_a_boundary_too(tmp_path: Path) -> None:
    data = _text(2_000_000, 4)
    track = InflateTrack(_on_disk(gzip.compress(data, 6), tmp_path), "layer", limit=LIMIT)
    for chunk in track.chunks():
        if chunk.start == 0:
            track.remember(1000)
    first, *others = track.restarts()
    assert first.raw == 0
    assert others
    assert all(restart.raw >= 1000 + 32768 for restart in others)


def test_more_than_can_be_kept_is_left_to_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate_track, "BUDGET", 1 << 20)
    data = _text(4_000_000, 2)
    track = InflateTrack(_on_disk(gzip.compress(data, 1), tmp_path), "layer", limit=LIMIT)
    with pytest.raises(NeedsIndex):
        for chunk in track.chunks():
            track.remember(chunk.start)


def test_a_second_member_is_noticed() -> None:
    stream = gzip.compress(b"one" * 1000) + gzip.compress(b"two" * 1000)
    with pytest.raises(SeveralMembers):
        list(InflateTrack(Bytes(stream), "layer", limit=LIMIT).chunks())


def test_zeros_behind_the_stream_are_padding() -> None:
    stream = gzip.compress(b"one" * 1000) + bytes(100)
    assert b"".join(bytes(chunk.data) for chunk in InflateTrack(Bytes(stream), "layer", limit=LIMIT).chunks()) == b"one" * 1000
