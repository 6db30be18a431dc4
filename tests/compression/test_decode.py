"""A layer's blob gives back its tar, all of it, or an error that says where."""

import bz2
import gzip
import itertools
import lzma
import random
import struct
import zlib
from collections.abc import Iterator

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from isal import igzip

from layerkit.compression.decode import OUTPUT, decoded, decoded_chunks
from layerkit.errors import CannotFixError, DamagedError
from layerkit.image.blob import Buffer, Bytes

SAMPLE = random.Random(1).randbytes(3000) + b"layer" * 30_000 + bytes(70_000)


def decode(blob: bytes) -> bytes:
    return b"".join(bytes(piece) for piece in decoded(Bytes(blob), "layer 1"))


def in_pieces(data: bytes, sizes: list[int]) -> Iterator[Buffer]:
    """`data` cut into pieces of the given sizes, over and over."""
    at = 0
    for size in itertools.cycle(sizes):
        if at >= len(data):
            return
        yield memoryview(data)[at : at + size]
        at += size


def zstd(data: bytes, *, checksum: bool = True, known_size: bool = True) -> bytes:
    """`data` in one zstd frame."""
    compressor = zstandard.ZstdCompressor(write_checksum=checksum)
    if known_size:
        return compressor.compress(data)
    stream = compressor.compressobj()
    return stream.compress(data) + stream.flush()


SKIPPABLE = struct.pack("<II", 0x184D2A53, 9) + b"skip me !"

BLOBS = {
    "uncompressed": SAMPLE,
    "gzip level 1": gzip.compress(SAMPLE, 1),
    "gzip level 9": gzip.compress(SAMPLE, 9),
    "gzip stored": gzip.compress(SAMPLE, 0),
    "igzip": igzip.compress(SAMPLE),
    "gzip members": gzip.compress(SAMPLE[:100]) + gzip.compress(b"") + gzip.compress(SAMPLE[100:]),
    "gzip, padded": gzip.compress(SAMPLE) + bytes(1000),
    "zstd": zstd(SAMPLE),
    "zstd without checksum": zstd(SAMPLE, checksum=False),
    "zstd of unknown size": zstd(SAMPLE, known_size=False),
    "zstd frames": zstd(SAMPLE[:100]) + zstd(b"") + zstd(SAMPLE[100:]),
    "zstd, skippable first": SKIPPABLE + zstd(SAMPLE),
    "zstd, skippable between and last": zstd(SAMPLE[:100]) + SKIPPABLE + zstd(SAMPLE[100:]) + SKIPPABLE,
}


@pytest.mark.parametrize("name", BLOBS)
def test_whole(name: str) -> None:
    assert decode(BLOBS[name]) == SAMPLE


@pytest.mark.parametrize("name", BLOBS)
@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=9))
def test_in_any_pieces(name: str, sizes: list[int]) -> None:
    blob = BLOBS[name]
    if len(blob) > 20_000:
        sizes = [size * 50 for size in sizes]
    assert b"".join(map(bytes, decoded_chunks(in_pieces(blob, sizes), "layer 1"))) == SAMPLE


@pytest.mark.parametrize("name", BLOBS)
def test_byte_by_byte(name: str) -> None:
    assert b"".join(map(bytes, decoded_chunks(in_pieces(BLOBS[name], [1]), "layer 1"))) == SAMPLE


def test_header_fields_of_gzip() -> None:
    """Extra field, file name, comment and header checksum are all skipped, wherever the input is cut."""
    body = gzip.compress(SAMPLE[:4000])[10:]
    header = b"\x1f\x8b\x08" + bytes([2 | 4 | 8 | 16]) + bytes(6) + b"\x05\0extra" + b"name\0" + b"comment\0"
    header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    for size in (1, 7, 100_000):
        assert b"".join(map(bytes, decoded_chunks(in_pieces(header + body, [size]), "layer 1"))) == SAMPLE[:4000]


@pytest.mark.parametrize("flags", range(32))
def test_headers_of_any_length(flags: int) -> None:
    """isal takes the rest of some for deflate data, when they are longer than what it is fed at first."""
    header = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6)
    header += b"\xff\xff" + b"x" * 65535 if flags & 4 else b""
    header += (b"n" * 9000 + b"\0") * ((flags & 8) // 8 + (flags & 16) // 16)
    header += struct.pack("<H", zlib.crc32(header) & 0xFFFF) if flags & 2 else b""
    blob = header + gzip.compress(SAMPLE)[10:]
    for size in (1000, 8192, len(blob)):
        assert b"".join(map(bytes, decoded_chunks(in_pieces(blob + blob, [size]), "layer 1"))) == 2 * SAMPLE
    if flags & 2:
        with pytest.raises(DamagedError, match="gzip header with a sound checksum"):
            decode(blob[:5] + b"\1" + blob[6:])


def test_a_header_without_end() -> None:
    with pytest.raises(DamagedError, match="a gzip header's name of at most 1,048,576 bytes, found more"):
        decode(b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * (2 << 20))


def test_empty() -> None:
    assert decode(b"") == b""
    assert decode(gzip.compress(b"")) == b""
    assert decode(zstd(b"")) == b""


@given(
    members=st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 9)), min_size=1, max_size=30),
    size=st.integers(1, 5000),
)
def test_many_small_members(members: list[tuple[bytes, int]], size: int) -> None:
    blob = b"".join(gzip.compress(data, level) for data, level in members)
    got = b"".join(map(bytes, decoded_chunks(in_pieces(blob, [size]), "layer 1")))
    assert got == b"".join(data for data, _ in members)


@pytest.mark.parametrize("name", [name for name in BLOBS if name not in ("uncompressed", "gzip, padded")])
def test_truncated_anywhere(name: str) -> None:
    """Every proper prefix is an error, but for those that end where a member or frame does."""
    blob = BLOBS[name]
    starts = {"gzip members": gzip.compress(SAMPLE[:100]), "zstd frames": zstd(SAMPLE[:100])}
    whole = {len(starts.get(name, b""))}
    if name == "gzip members":
        whole.add(len(starts[name] + gzip.compress(b"")))
    if name == "zstd frames":
        whole.add(len(starts[name] + zstd(b"")))
    if name == "zstd, skippable first":
        whole.add(len(SKIPPABLE))
    if name == "zstd, skippable between and last":
        first = zstd(SAMPLE[:100])
        whole |= {len(first), len(first + SKIPPABLE), len(blob) - len(SKIPPABLE)}
    cuts = {*range(6, 60), *range(len(blob) - 60, len(blob)), *range(60, len(blob), 997)}
    for cut in sorted(cuts - whole):
        with pytest.raises(DamagedError, match=r"^layer 1: (near )?offset [\d,]+ of the compressed layer: expected .*, found "):
            decode(blob[:cut])


def test_truncation_names_the_offset() -> None:
    first = gzip.compress(SAMPLE)
    blob = first + gzip.compress(SAMPLE)
    with pytest.raises(
        DamagedError, match=f"offset {len(blob) - 5:,} .* member that begins at offset {len(first):,}, .*truncated"
    ):
        decode(blob[:-5])
    frame = zstd(SAMPLE)
    with pytest.raises(
        DamagedError, match=f"offset {len(frame) * 2 - 5:,} .* frame that begins at offset {len(frame):,}, .*trunc"
    ):
        decode((frame * 2)[:-5])


@pytest.mark.parametrize("where", ["crc", "length"])
def test_gzip_trailer_is_compared(where: str) -> None:
    blob = bytearray(gzip.compress(SAMPLE))
    blob[-8 if where == "crc" else -4] ^= 1
    with pytest.raises(DamagedError, match="checksum"):
        decode(bytes(blob))


@given(bit=st.integers(0, 8 * len(BLOBS["zstd"]) - 1))
def test_flipped_bit_in_zstd(bit: int) -> None:
    """With a checksum, no flipped bit gives other content; some bits of the header mean nothing."""
    blob = bytearray(BLOBS["zstd"])
    blob[bit // 8] ^= 1 << bit % 8
    try:
        got = decode(bytes(blob))
    except (DamagedError, CannotFixError):
        return
    assert got == SAMPLE or bit < 32 + 8 * 2, "a bit after the magic and the frame descriptor went unnoticed"


@pytest.mark.parametrize("tail", [b"garbage", bytes(600) + b"x", b"\x1f"])
def test_what_follows_gzip(tail: bytes) -> None:
    blob = gzip.compress(SAMPLE)
    with pytest.raises(DamagedError, match="offset"):
        decode(blob + tail)


def test_garbage_after_padding_names_its_offset() -> None:
    blob = gzip.compress(SAMPLE) + bytes(2 << 20)
    with pytest.raises(DamagedError, match=f"offset {len(blob):,} of the compressed layer: expected zeros"):
        decode(blob + b"!")


def test_what_follows_zstd() -> None:
    with pytest.raises(DamagedError, match="expected a zstd frame, found bytes that begin with 67617262"):
        decode(zstd(SAMPLE) + b"garbage")
    with pytest.raises(DamagedError, match="expected a zstd frame"):
        decode(zstd(SAMPLE) + bytes(10))


@pytest.mark.parametrize(("blob", "name"), [(bz2.compress(SAMPLE), "bzip2"), (lzma.compress(SAMPLE), "xz")])
def test_refused(blob: bytes, name: str) -> None:
    with pytest.raises(CannotFixError, match=f"layer 1: the layer is compressed with {name}.*save the image again"):
        decode(blob)


def test_window_too_large() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=True)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    blob = stream.compress(SAMPLE) + stream.flush()
    with pytest.raises(DamagedError, match="window of at most 134,217,728 bytes"):
        decode(blob)


@pytest.mark.parametrize("compress", [gzip.compress, zstd], ids=["gzip", "zstd"])
def test_memory_is_bounded_by_the_ratio(compress: object) -> None:
    """A megabyte that inflates to a gigabyte comes in small pieces (only the first are taken here)."""
    assert callable(compress)
    unit = compress(bytes(32 << 20))
    pieces = decoded(Bytes(unit * 40), "layer 1")
    sizes = [len(piece) for piece in itertools.islice(pieces, 500)]
    assert max(sizes) <= OUTPUT
    assert sum(sizes) > 32 << 20
