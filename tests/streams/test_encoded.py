"""Encoding in pieces that stand alone."""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.compression.codec import Codec, GzipCodec, PlainCodec, ZstdCodec, codec_for
from layerkit.compression.decode import decoded
from layerkit.errors import DamagedError, ProofError
from layerkit.image.blob import Buffer, Bytes
from layerkit.spool import Spool
from layerkit.streams.encoded import EncodedStream, pieces
from tests.layers.test_weave import text

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
def test_every_piece_stands_alone(codec: Codec, jobs: int) -> None:
    stream = EncodedStream(in_chunks(RAW, 7_777), "layer", codec, Spool(), jobs=jobs, piece=50_000)
    for _ in range(2):  # the second time nothing is encoded again
        outputs = list(stream.start())
        assert b"".join(output.data for output in outputs) == RAW
        assert all(before.after == after.raw for before, after in itertools.pairwise(outputs))
        stops = [output.stop.at for output in outputs if output.stop is not None]
        assert [stop.raw for stop in stops] == [*range(50_000, len(RAW), 50_000), len(RAW)]
        assert b"".join(bytes(output.fed) for output in outputs) == joined(stream, 0, outputs[-1].end)
    whole = codec.begin() + joined(stream, stops[1].bit // 8, stops[4].bit // 8) + codec.last()
    whole += codec.trailer(crc32(RAW[100_000:250_000]), 150_000)
    assert b"".join(map(bytes, decoded(Bytes(whole), "part"))) == RAW[100_000:250_000]


def joined(stream: EncodedStream, start: int, end: int) -> bytes:
    return b"".join(map(bytes, stream.compressed(start, end).chunks()))


def test_two_layers_share_a_spool() -> None:
    """Their pieces lie between each other's."""
    spool = Spool()
    streams = [
        EncodedStream(in_chunks(data, 9_999), "layer", GzipCodec(), spool, jobs=2, piece=20_000) for data in (RAW, RAW[::-1])
    ]
    for outputs in zip(*(stream.start() for stream in streams), strict=True):
        ends = [output.end for output in outputs]
    for stream, end, data in zip(streams, ends, (RAW, RAW[::-1]), strict=True):
        codec = stream.codec
        whole = codec.begin() + joined(stream, 0, end) + codec.last() + codec.trailer(crc32(data), len(data))
        assert b"".join(map(bytes, decoded(Bytes(whole), "layer"))) == data


def test_an_error_of_the_source_ends_it() -> None:
    def source() -> Iterator[Buffer]:
        yield RAW
        raise DamagedError("layer: offset 5: expected more")

    with pytest.raises(DamagedError, match="offset 5"):
        list(EncodedStream(source, "layer", GzipCodec(), Spool(), jobs=2, piece=10_000).start())


def test_a_try_that_was_given_up_is_taken_up_where_it_ended() -> None:
    stream = EncodedStream(in_chunks(RAW, 7_777), "layer", GzipCodec(), Spool(), jobs=2, piece=50_000)
    given_up = stream.start()
    for _ in range(3):
        next(given_up)
    del given_up
    outputs = list(stream.start())
    assert b"".join(output.data for output in outputs) == RAW
    assert b"".join(bytes(output.fed) for output in outputs) == joined(stream, 0, outputs[-1].end)


def test_what_is_encoded_wrongly_is_noticed() -> None:
    class Wrong(GzipCodec):
        def literal(self, raw: Iterable[Buffer]) -> bytes:
            data = b"".join(raw)
            return super().literal([data[:-1] + bytes([data[-1] ^ 1])])

    with pytest.raises(ProofError, match="layer: what was encoded can't be read back"):
        list(EncodedStream(in_chunks(RAW, 7_777), "layer", Wrong(), Spool()).start())


def test_nothing_at_all() -> None:
    assert list(EncodedStream(in_chunks(b"", 1), "layer", GzipCodec(), Spool()).start()) == []


def test_codecs_by_name() -> None:
    assert codec_for(GzipCodec.compression, 0).begin() == GzipCodec().begin()
    assert isinstance(codec_for(ZstdCodec.compression, 19), ZstdCodec)
