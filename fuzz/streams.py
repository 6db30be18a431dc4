"""A layer's tar, compressed in any way that decoders must take (RFC 1951, 1952, 8878)."""

import struct
import zlib
from collections.abc import Iterator

import zstandard
from isal import isal_zlib

from fuzz.choices import Choices, chance, length
from layerkit.image.media_types import Compression

_STRATEGIES = (
    *(zlib.Z_DEFAULT_STRATEGY, zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED),
)
_FLUSHES = (zlib.Z_NO_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_BLOCK)


def compressed(choices: Choices, raw: bytes) -> tuple[bytes, Compression]:
    way = choices.randrange(8)
    if way < 5:
        return gzipped(choices, raw), Compression.GZIP
    if way < 7:
        return zstd(choices, raw), Compression.ZSTD
    return raw, Compression.NONE


def gzipped(choices: Choices, raw: bytes) -> bytes:
    """One member mostly, sometimes several, sometimes with zeros behind them."""
    if not chance(choices, 5):
        stream = _member(choices, raw)
    else:
        stream = b"".join(_member(choices, piece) for piece in _pieces(choices, raw, 8))
    return stream + (bytes(length(choices, 70_000)) if chance(choices, 8) else b"")


def _member(choices: Choices, raw: bytes) -> bytes:
    trailer = struct.pack("<II", zlib.crc32(raw), len(raw) & 0xFFFFFFFF)
    return gzip_header(choices) + _deflated(choices, raw) + trailer


def gzip_header(choices: Choices) -> bytes:
    """With any of its optional fields (RFC 1952, 2.3)."""
    flags = choices.randrange(32) if chance(choices, 3) else 0
    header = struct.pack(
        "<BBBBIBB", 31, 139, 8, flags, choices.getrandbits(32), choices.choice((0, 2, 4)), choices.choice((0, 3, 255))
    )
    if flags & 4:
        extra = choices.randbytes(length(choices, 65535))
        header += struct.pack("<H", len(extra)) + extra
    for flag in (8, 16):
        if flags & flag:
            header += b"n" * length(choices, 300) + b"\0"
    if flags & 2:
        header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    return header


def _deflated(choices: Choices, raw: bytes) -> bytes:
    if chance(choices, 4):
        encoder = isal_zlib.compressobj(choices.randint(0, 3), wbits=-15)
        return bytes(encoder.compress(raw)) + bytes(encoder.flush())
    out = []
    stretches = list(_pieces(choices, raw, 6)) or [b""]
    for number, stretch in enumerate(stretches):
        is_last = number == len(stretches) - 1
        engine = zlib.compressobj(choices.randint(0, 9), zlib.DEFLATED, -15, choices.randint(1, 9), choices.choice(_STRATEGIES))
        for piece in _pieces(choices, stretch, 4):
            out.append(engine.compress(piece))
            if chance(choices, 2):
                out.append(engine.flush(choices.choice(_FLUSHES)))
                out.extend(engine.flush(zlib.Z_FULL_FLUSH) for _ in range(length(choices, 20)))
        out.append(engine.flush(zlib.Z_FINISH if is_last else zlib.Z_FULL_FLUSH))
    return b"".join(out)


def zstd(choices: Choices, raw: bytes) -> bytes:
    frames = []
    for piece in [raw] if chance(choices, 3) else _pieces(choices, raw, choices.choice((4, 40, 400))):
        while chance(choices, 6):
            frames.append(_nothing(choices))
        compressor = zstandard.ZstdCompressor(
            level=choices.choice((-5, 1, 3, 9)), write_checksum=chance(choices, 2), write_content_size=chance(choices, 2)
        )
        frames.append(compressor.compress(piece))
    if chance(choices, 4):
        frames.append(_nothing(choices))
    return b"".join(frames)


def _nothing(choices: Choices) -> bytes:
    """A frame that nothing comes out of."""
    if chance(choices, 2):
        return zstandard.ZstdCompressor(write_checksum=chance(choices, 2)).compress(b"")
    data = choices.randbytes(length(choices, 2000))
    return struct.pack("<II", 0x184D2A50 + choices.randrange(16), len(data)) + data


def _pieces(choices: Choices, raw: bytes, most: int) -> Iterator[bytes]:
    """`raw` in up to `most` pieces, some of them empty."""
    places = sorted(choices.randint(0, len(raw)) for _ in range(choices.randint(0, most - 1)))
    for begin, end in zip([0, *places], [*places, len(raw)], strict=True):
        yield raw[begin:end]
