"""Compressed outer files: every stream to its end, and no more memory than promised."""

import bz2
import gzip
import io
import lzma
import random
import struct
import zlib
from collections.abc import Callable

import pytest
import zstandard

from layerkit.errors import DamagedError, ImageError
from layerkit.image.blob import InputFile
from layerkit.progress import SILENT
from layerkit.sources import spool
from layerkit.sources.spool import MAX_WINDOW, spool_stream

DATA = b"what is in it " * 100_000


def spooled(data: bytes) -> bytes:
    file: InputFile = spool_stream(io.BytesIO(data), "image.tar", SILENT)
    try:
        return file.read_at(0, file.size)
    finally:
        file.close()


def xz_with_dictionary(code: int) -> bytes:
    """An xz file that says it needs 2^(code/2 + 11) or so bytes (xz-file-format, 5.3.1)."""
    data = bytearray(lzma.compress(DATA))
    size = (data[12] + 1) * 4
    at = bytes(data).index(b"\x21\x01", 12, 12 + size) + 2
    data[at] = code
    data[12 + size - 4 : 12 + size] = struct.pack("<I", zlib.crc32(bytes(data[12 : 12 + size - 4])))
    return bytes(data)


def test_several_xz_streams_and_their_padding() -> None:
    assert spooled(lzma.compress(DATA)) == DATA
    assert spooled(lzma.compress(DATA) + lzma.compress(b"more") + bytes(8)) == DATA + b"more"


@pytest.mark.parametrize("data", [lzma.compress(DATA)[:-20], lzma.compress(DATA) + lzma.compress(DATA)[:-20]])
def test_a_truncated_xz_stream(data: bytes) -> None:
    with pytest.raises(DamagedError, match="the file is truncated"):
        spooled(data)


@pytest.mark.parametrize("data", [lzma.compress(DATA)[:100] + b"x" * 100, lzma.compress(DATA) + b"x"])
def test_a_damaged_xz_stream(data: bytes) -> None:
    with pytest.raises(DamagedError, match=r"expected a (sound|whole) xz stream"):
        spooled(data)


def test_windows_that_real_files_have() -> None:
    for window in (23, 27):
        parameters = zstandard.ZstdCompressionParameters(window_log=window)
        assert spooled(zstandard.ZstdCompressor(compression_params=parameters).compressobj().compress(b"") or b"") == b""
        compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        assert spooled(compressor.compress(DATA) + compressor.flush()) == DATA
    assert spooled(xz_with_dictionary(30)) == DATA, "64 MiB, as with xz -9"


def test_windows_that_take_too_much_memory() -> None:
    frame = b"\x28\xb5\x2f\xfd" + bytes([0x00, (30 - 10) << 3]) + b"\x01\x00\x00"
    with pytest.raises(
        ImageError, match=f"takes more than {MAX_WINDOW >> 20} MiB of memory; decompress it first: zstd -d --long=31"
    ):
        spooled(frame)
    says = f"takes more than {MAX_WINDOW >> 20} MiB of memory; decompress it first: "
    with pytest.raises(ImageError, match=f"{says}zstd -d --long=31"):
        spooled(frame)
    with pytest.raises(ImageError, match=f"{says}xz -d"):
        spooled(xz_with_dictionary(38))


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, lzma.compress, bz2.compress])
def test_what_becomes_too_many_times_as_large(monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]) -> None:
    monkeypatch.setattr(spool, "FREE_GROWTH", 1 << 20)
    zeros = pack(bytes(50 << 20))
    with pytest.raises(ImageError, match=r"become more than [\d,]+; no saved image does.*decompress it first"):
        spool_stream(io.BytesIO(zeros), "image", SILENT)
    assert spool_stream(io.BytesIO(pack(bytes(1 << 20))), "image", SILENT).size == 1 << 20
    noise = random.Random(1).randbytes(3 << 20)
    assert spool_stream(io.BytesIO(pack(noise)), "image", SILENT).size == len(noise)
