"""What a layer's bytes take compressed, as they go by."""

import gzip
import random
from collections.abc import Iterator

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from layerkit.compression.metering import PIECE, SAMPLED, Mark, metered
from layerkit.errors import DamagedError
from layerkit.image.blob import Buffer
from layerkit.image.media_types import Compression

TEXT = b"".join(b"%d bottles of beer on the wall\n" % number for number in range(60_000))
NOISE = random.Random(1).randbytes(1_000_000)
RAW = TEXT + NOISE + TEXT


def read(blob: bytes, compression: Compression, step: int = 100_000) -> tuple[bytes, list[Mark]]:
    def chunks() -> Iterator[Buffer]:
        return (blob[at : at + step] for at in range(0, len(blob), step))

    raw, marks = b"", []
    for batch in metered(chunks(), compression, "layer"):
        raw += batch.data
        assert all(mark.raw <= len(raw) for mark in batch.marks)
        marks += batch.marks
    return raw, marks


def cost_at(marks: list[Mark], offset: int) -> float:
    before = [mark for mark in marks if mark.raw <= offset][-1]
    after = next((mark for mark in marks if mark.raw > offset), None)
    if after is None:
        return before.cost
    return before.cost + (after.cost - before.cost) * (offset - before.raw) / (after.raw - before.raw)


@pytest.mark.parametrize("step", [1000, 100_000, 10_000_000])
def test_gzip(step: int) -> None:
    blob = gzip.compress(RAW, 6)
    raw, marks = read(blob, Compression.GZIP, step)
    assert raw == RAW
    assert marks == sorted(marks)
    assert 0 <= len(blob) - marks[-1].cost <= PIECE + step % PIECE
    text, noise = len(gzip.compress(TEXT, 6)), len(NOISE)
    assert cost_at(marks, len(TEXT)) == pytest.approx(text, abs=2.5 * PIECE)
    assert cost_at(marks, len(TEXT) + len(NOISE)) == pytest.approx(text + noise, abs=2.5 * PIECE)


def test_zstandard() -> None:
    blob = zstandard.compress(RAW, 3)
    raw, marks = read(blob, Compression.ZSTD)
    assert raw == RAW
    assert marks == sorted(marks)
    text = len(zstandard.compress(TEXT, 3))
    assert cost_at(marks, len(TEXT) + len(NOISE)) - cost_at(marks, len(TEXT)) == pytest.approx(len(NOISE), rel=0.2)
    assert cost_at(marks, len(TEXT)) == pytest.approx(text, abs=131_072)


def test_what_is_not_compressed_is_estimated() -> None:
    raw, marks = read(RAW, Compression.NONE)
    assert raw == RAW
    assert marks[-1].raw == len(RAW)
    assert marks[-1].cost == pytest.approx(len(gzip.compress(RAW, 6)), rel=0.1)
    assert cost_at(marks, len(TEXT) + len(NOISE)) - cost_at(marks, len(TEXT)) == pytest.approx(len(NOISE), abs=SAMPLED)


@given(st.binary(max_size=300), st.integers(1, 400), st.sampled_from([Compression.NONE, Compression.GZIP]))
def test_small_layers(data: bytes, step: int, compression: Compression) -> None:
    raw, marks = read(gzip.compress(data) if compression is Compression.GZIP else data, compression, step)
    assert raw == data
    assert marks == sorted(marks)
    assert not marks or marks[0] == Mark(0, 0)


def test_damaged() -> None:
    with pytest.raises(DamagedError, match="layer"):
        read(gzip.compress(RAW)[:-5000], Compression.GZIP)
