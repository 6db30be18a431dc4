"""Ranges, locations, chunk sizes: the parts of the protocol without I/O."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.errors import DamagedError
from layerkit.image.blob import Blob, Buffer, Bytes, blob_of
from layerkit.image.digest import Digest
from layerkit.profiles import Way
from layerkit.pusher.protocol import Meaning, acknowledged, is_stored_as, limit_in, stands_at, verdict
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


@pytest.mark.parametrize("value", ["0-" + "9" * 5000, "9" * 5000 + "-1", "0-²"])
def test_a_range_of_too_many_digits(value: str) -> None:
    assert acknowledged(value, 100) is None


@pytest.mark.parametrize(
    ("value", "start", "end", "expected"),
    [
        ("0-99", 50, 100, (100, True)),
        (None, 50, 100, (100, False)),
        ("50-99", 50, 100, (100, False)),  # zot: the chunk's own bytes
        ("0-49", 50, 100, (100, False)),  # its length, or stuck at the first chunk's
        ("0-19", 50, 100, (100, False)),  # ECR: stuck
        ("0-100", 50, 100, (100, False)),  # one more
        ("0-98", 50, 100, (100, False)),  # one less
        ("0-74", 50, 100, (75, True)),  # a part was kept
        ("0-0", 50, 100, None),
        ("0-0", 0, 100, None),
        ("0-200", 50, 100, None),
        ("0-0", 0, 1, (1, True)),
    ],
)
def test_where_an_upload_stands(value: str | None, start: int, end: int, expected: tuple[int, bool] | None) -> None:
    assert stands_at(value, start, end) == expected


@given(st.text(max_size=20) | st.none(), st.integers(0, 1000), st.integers(1, 1000))
def test_wherever_it_stands_it_is_further_and_no_further_than_sent(value: str | None, start: int, length: int) -> None:
    stand = stands_at(value, start, start + length)
    assert stand is None or start < stand.offset <= start + length


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chunk of 50.00MiB exceeds the maximum permissible limit of 4.00MiB", 4 << 20),
        ("layers are limited to 10485760 bytes", 10_485_760),
        ('{"errors":[{"code":"SIZE_INVALID","detail":{"max":10000000,"got":52428800}}]}', 10_000_000),
        ("at most 10 MB", 10_000_000),
        ("at most 10mb, please", 10_000_000),
        ("at most 1 GB", None),  # more than was sent
        ("error 12345", None),  # smaller than any limit
        ("request " + "9" * 5000, None),
        ("9" * 5000 + " MiB", None),
        ("", None),
    ],
)
def test_a_limit_in_a_text(text: str, expected: int | None) -> None:
    assert limit_in(text, 50 << 20) == expected


@given(st.text(max_size=60), st.integers(1, 1 << 40))
def test_any_text_has_a_limit_below_what_was_sent_or_none(text: str, sent: int) -> None:
    limit = limit_in(text, sent)
    assert limit is None or limit < sent


MiB = 1 << 20


@pytest.mark.parametrize(
    ("status", "code", "text", "sent", "way", "expected"),
    [
        (413, "", "", 5 * MiB, Way.CHUNKED, (Meaning.TOO_LARGE, None)),
        (413, "", "at most 1 MiB", 5 * MiB, Way.WHOLE, (Meaning.TOO_LARGE, MiB)),
        (413, "SIZE_INVALID", "at most 500 MB", 0, Way.CHUNKED, (Meaning.BLOB_TOO_LARGE, 500_000_000)),
        (416, "UNKNOWN", "the limit is 4.00MiB", 5 * MiB, Way.CHUNKED, (Meaning.TOO_LARGE, 4 * MiB)),
        (416, "RANGE_INVALID", "", 5 * MiB, Way.CHUNKED, (Meaning.LOST, None)),
        (416, "BLOB_UPLOAD_INVALID", "expected bytes from 4194304", 5 * MiB, Way.CHUNKED, (Meaning.LOST, None)),
        (400, "SIZE_INVALID", "", 5 * MiB, Way.CHUNKED, (Meaning.TOO_LARGE, None)),
        (400, "SIZE_INVALID", "", 5 * MiB, Way.WHOLE, (Meaning.GARBLED, None)),
        (400, "DIGEST_INVALID", "", 0, Way.CHUNKED, (Meaning.GARBLED, None)),
        (404, "BLOB_UPLOAD_UNKNOWN", "", 5, Way.CHUNKED, (Meaning.LOST, None)),
        (404, "", "", 5, Way.WHOLE, (Meaning.LOST, None)),
        (404, "NAME_UNKNOWN", "", 0, None, (Meaning.REFUSED, None)),
        (400, "BLOB_UPLOAD_INVALID", "", 5, Way.WHOLE, (Meaning.NO_SUCH_WAY, None)),
        (400, "BLOB_UPLOAD_INVALID", "", 5, Way.CHUNKED, (Meaning.LOST, None)),
        (405, "UNSUPPORTED", "", 5, Way.CHUNKED, (Meaning.NO_SUCH_WAY, None)),
        (400, "UNSUPPORTED", "", 5, Way.CHUNKED, (Meaning.NO_SUCH_WAY, None)),
        (501, "", "", 5, Way.STREAMED, (Meaning.NO_SUCH_WAY, None)),
        (400, "DENIED", "", 5, Way.CHUNKED, (Meaning.REFUSED, None)),
        (403, "", "", 5, Way.CHUNKED, (Meaning.REFUSED, None)),
        (503, "", "", 5, Way.CHUNKED, (Meaning.LATER, None)),
        (524, "", "", 5, Way.CHUNKED, (Meaning.SLOW, None)),
        (405, "", "", 0, None, (Meaning.REFUSED, None)),
        (413, "", "", 0, None, (Meaning.REFUSED, None)),
        (200, "", "", 5, Way.CHUNKED, (Meaning.REFUSED, None)),
    ],
)
def test_what_answers_mean(status: int, code: str, text: str, sent: int, way: Way | None, expected: tuple[Meaning, int]) -> None:
    assert verdict(status, [code], text, sent=sent, way=way, size=10**9) == expected


@pytest.mark.parametrize(
    ("stored", "expected"), [(DIGEST, True), ("sha512:" + "b" * 128, True), ("sha256:" + "b" * 64, False), ("x", False)]
)
def test_a_blob_may_be_known_by_another_algorithm(stored: str, expected: bool) -> None:
    assert is_stored_as(DIGEST, stored) is expected


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
