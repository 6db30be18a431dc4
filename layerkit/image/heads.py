"""What content is, by its first bytes: media types and file names lie."""

from layerkit.image.blob import Content, read_at
from layerkit.image.media_types import Compression, sniff

MAGIC_BYTES = 6
"""As many as `sniff` looks at."""


def first_bytes(content: Content, count: int) -> bytes:
    """The first `count` bytes, or all when there are fewer. No more than those are read."""
    return read_at(content, 0, count)


def compression_of(content: Content) -> Compression:
    """By the first bytes alone; nothing says yet that the rest is sound."""
    return sniff(first_bytes(content, MAGIC_BYTES))
