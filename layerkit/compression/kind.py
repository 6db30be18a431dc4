"""What bytes are compressed with, by the first of them: media types and file names lie.

This is the one place that tells compressions apart.
"""

from layerkit.image.blob import Content, read_at
from layerkit.image.media_types import Compression

MAGIC_BYTES = 6
"""As many as `sniff` looks at."""

_MAGIC = {
    b"\x1f\x8b": Compression.GZIP,
    b"\x28\xb5\x2f\xfd": Compression.ZSTD,
    b"\xfd7zXZ\x00": Compression.XZ,
    b"BZh": Compression.BZIP2,
}


def sniff(head: bytes) -> Compression:
    """The compression of a stream by its first bytes (6 are enough). A zstd stream may begin with a skippable frame
    (RFC 8878, 3.1.2: magic 0x184D2A50 to 0x184D2A5F)."""
    for magic, compression in _MAGIC.items():
        if head.startswith(magic):
            return compression
    if len(head) >= 4 and head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
        return Compression.ZSTD
    return Compression.NONE


def compression_of(content: Content) -> Compression:
    """By the first bytes alone; nothing says yet that the rest is sound."""
    return sniff(read_at(content, 0, MAGIC_BYTES))
