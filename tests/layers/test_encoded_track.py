"""Encoding in pieces that stand alone."""

import itertools
import random
from collections.abc import Callable, Iterator
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerkit.errors import DamagedError
from layerkit.image.blob import Buffer, Bytes
from layerkit.layers.codec import Codec, GzipCodec, PlainCodec, ZstdCodec, codec_for
from layerkit.layers.decode import decoded
from layerkit.layers.encoded_track import EncodedTrack, pieces
from layerkit.layers.spool import Spool
from tests.layers.test_splice import text

RAW = text(300_000, 1) + bytes(200_000) + random.Random(1).randbytes(100_000)


def in_chunks(data: bytes, size: int) -> Callable[[], Iterator[Buffer]]:
    return lambda: (memoryview(data)[at : at + size] for at in range(0, len(data), size))


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 50))
def test_pieces_are_the_same_bytes_in_one_size(chunks: list[bytes], size: int) -> None:
    found = list(pieces(iter(chunks), size))
    assert b"".join(found) == b"".join(chunks)
    assert all(len(piece) == size for piece in found[:-1])
    assert all(0 < len(piece) <= size for piece in found)


@pytest.mark.parametrize("codec", [GzipCodec(), GzipCodec(6), ZstdCodec(), PlainCodec()], ids=["isal", "zlib", "zstd", "plain"])
@pytest.mark.parametrize("jobs", [1, 3])
def test_every_piece_can_be_read_again(codec: Codec, jobs: int) -> None:
    track = EncodedTrack(in_chunks(RAW, 7_777), codec, Spool(), jobs=jobs, piece=50_000)
    for _ in range(2):  # the second time nothing is encoded again
        chunks = [(bytes(chunk.data), chunk.start, chunk.cost, chunk.cost_after) for chunk in track.chunks()]
        assert b"".join(data for data, *_ in chunks) == RAW
        assert [start for _, start, *_ in chunks] == list(range(0, len(RAW), 50_000))
        assert all(before[3] == after[2] for before, after in itertools.pairwise(chunks))
    restarts = track.restarts()
    assert [restart.raw for restart in restarts] == [*range(0, len(RAW), 50_000), len(RAW)]
    stream = track.compressed(restarts[2].bit // 8, restarts[5].bit // 8)
    whole = codec.begin() + b"".join(map(bytes, stream.chunks())) + codec.end(crc32(RAW[100_000:250_000]), 150_000)
    assert b"".join(map(bytes, decoded(Bytes(whole), "part"))) == RAW[100_000:250_000]


@settings(max_examples=30)
@given(st.integers(0, len(RAW)), st.integers(0, len(RAW)))
def test_raw_bytes_again(one: int, other: int) -> None:
    start, end = sorted((one, other))
    assert b"".join(map(bytes, TRACK.raw(start, end))) == RAW[start:end]


TRACK = EncodedTrack(in_chunks(RAW, 100_000), GzipCodec(), Spool(), piece=30_000)
list(TRACK.chunks())


def test_two_layers_share_a_spool() -> None:
    """Their pieces lie between each other's."""
    spool = Spool()
    tracks = [EncodedTrack(in_chunks(data, 9_999), GzipCodec(), spool, jobs=2, piece=20_000) for data in (RAW, RAW[::-1])]
    for _ in zip(*(track.chunks() for track in tracks), strict=True):
        pass
    for track, data in zip(tracks, (RAW, RAW[::-1]), strict=True):
        end = track.restarts()[-1].bit // 8
        stream = track.codec.begin() + b"".join(map(bytes, track.compressed(0, end).chunks()))
        whole = stream + track.codec.end(crc32(data), len(data))
        assert b"".join(map(bytes, decoded(Bytes(whole), "layer"))) == data


def test_an_error_of_the_source_ends_it() -> None:
    def source() -> Iterator[Buffer]:
        yield RAW
        raise DamagedError("layer: offset 5: expected more")

    with pytest.raises(DamagedError, match="offset 5"):
        list(EncodedTrack(source, GzipCodec(), Spool(), jobs=2, piece=10_000).chunks())


def test_nothing_at_all() -> None:
    track = EncodedTrack(in_chunks(b"", 1), GzipCodec(), Spool())
    assert list(track.chunks()) == []
    assert list(track.raw(0, 0)) == []


def test_codecs_by_name() -> None:
    assert codec_for(GzipCodec.compression, 0).begin() == GzipCodec().begin()
    assert isinstance(codec_for(ZstdCodec.compression, 19), ZstdCodec)
