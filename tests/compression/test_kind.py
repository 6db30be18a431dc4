"""What bytes are compressed with, by the first of them."""

import bz2
import gzip
import lzma

import pytest
import zstandard

from layerkit.compression.kind import MAGIC_BYTES, compression_of, sniff
from layerkit.image.blob import Bytes
from layerkit.image.media_types import Compression

DATA = b"data" * 1000
FORMS = {
    Compression.NONE: DATA,
    Compression.GZIP: gzip.compress(DATA),
    Compression.ZSTD: zstandard.compress(DATA),
    Compression.XZ: lzma.compress(DATA),
    Compression.BZIP2: bz2.compress(DATA),
}


@pytest.mark.parametrize("compression", FORMS)
def test_each_is_told_by_its_first_bytes(compression: Compression) -> None:
    assert compression_of(Bytes(FORMS[compression])) is compression
    assert sniff(FORMS[compression][:MAGIC_BYTES]) is compression


@pytest.mark.parametrize("last", range(16))
def test_a_zstd_stream_may_begin_with_a_skippable_frame(last: int) -> None:
    assert compression_of(Bytes(bytes([0x50 | last]) + b"\x2a\x4d\x18\x00\x00\x00\x00")) is Compression.ZSTD


@pytest.mark.parametrize("data", [b"", b"\x1f", b"\x28\xb5\x2f", b"BZ", b"PK\x03\x04"])
def test_too_little_or_something_else_is_none(data: bytes) -> None:
    assert compression_of(Bytes(data)) is Compression.NONE
