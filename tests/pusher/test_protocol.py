"""Ranges, locations, chunk sizes: the parts of the protocol without I/O."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.errors import DamagedError
from layerkit.image.blob import Blob, Buffer, Bytes, blob_of
from layerkit.image.digest import Digest
from layerkit.pusher.protocol import ChunkSize, acknowledged
from layerkit.pusher.reader import BlobReader

DIGEST = Digest("sha256:" + "a" * 64)


@given(st.integers(2, 10**12), st.sampled_from(["0-{}", "bytes=0-{}", "bytes 0-{}", " 0-{} "]))
def test_a_range_names_its_last_byte(size: int, form: str) -> None:
    assert acknowledged(form.format(size - 1), size) == size


def test_an_empty_range() -> None:
    assert acknowledged("0-0", 100) == 0
    assert acknowledged("0-0", 0) == 0
    assert acknowledged("0-0", 1) == 1


@pytest.mark.parametrize("text", [None, "", "5-10", "0-", "-5", "0-x", "items=0-5", "0--1"])
def test_what_says_nothing(text: str | None) -> None:
    assert acknowledged(text, 100) is None


@given(st.integers(1, 200), st.integers(1, 50), st.lists(st.integers(1, 300), max_size=30))
def test_chunks_shrink_to_the_floor_and_never_grow(size: int, floor: int, failed: list[int]) -> None:
    chunk = ChunkSize(size, floor)
    for length in failed:
        before = chunk.size
        went_on = chunk.shrink(length)
        assert min(floor, size) <= chunk.size <= before
        assert went_on == (length > min(floor, size))
        if chunk.size < before:
            assert length >= before
            assert chunk.size <= max(before // 2, min(floor, size))


def test_fifty_mebibytes_become_ten() -> None:
    mebibytes = 1 << 20
    chunk = ChunkSize(50 * mebibytes)
    sizes = []
    while chunk.shrink(chunk.size):
        sizes.append(chunk.size // mebibytes)
    assert sizes == [20, 10]
    assert chunk.smallest


def test_the_registry_s_minimum() -> None:
    chunk = ChunkSize(100, 10)
    chunk.at_least(60)
    assert (chunk.size, chunk.shrink(100), chunk.size, chunk.shrink(60)) == (100, True, 60, False)
    chunk.at_least(500)
    assert chunk.size == 500


class Pieces(Bytes):
    """Content in small pieces, counting how often it is begun."""

    begun = 0

    def chunks(self, offset: int = 0) -> Iterator[Buffer]:
        type(self).begun += 1
        view = memoryview(self.data)
        for start in range(offset, len(view), 7):
            yield view[start : start + 7]


def joined(pieces: "list[Buffer]") -> bytes:
    return b"".join(bytes(piece) for piece in pieces)


@given(st.binary(max_size=100), st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=8))
def test_any_part_in_any_order(data: bytes, parts: list[tuple[int, int]]) -> None:
    reader = BlobReader(Blob(DIGEST, Pieces(data)), "layer 1")
    for start, end in parts:
        start, end = sorted((min(start, len(data)), min(end, len(data))))
        assert joined(list(reader.read(start, end - start))) == data[start:end]


def test_reading_on_begins_nothing_anew() -> None:
    Pieces.begun = 0
    reader = BlobReader(Blob(DIGEST, Pieces(bytes(range(100)))), "layer 1")
    assert [joined(list(reader.read(start, 10)))[0] for start in range(0, 100, 10)] == list(range(0, 100, 10))
    assert Pieces.begun == 1
    next(iter(reader.read(50, 10)))  # left in the middle: nobody knows where it stands
    assert joined(list(reader.read(50, 10)))[0] == 50
    assert Pieces.begun == 3


def test_content_that_ends_early() -> None:
    blob = blob_of(b"0123456789")
    with pytest.raises(DamagedError, match=r"layer 1: blob sha256:.*: expected 10 bytes, found 10 bytes"):
        list(BlobReader(blob, "layer 1").read(5, 10))
