"""What content is, by its first bytes: media types and file names lie."""

from layerkit.image.blob import Content, FileRange
from layerkit.image.media_types import Compression, sniff

MAGIC_BYTES = 6
"""As many as `sniff` looks at."""


def first_bytes(content: Content, count: int) -> bytes:
    """The first `count` bytes, or all when there are fewer. Of a file no more than those are read."""
    if isinstance(content, FileRange):
        return content.file.read_at(content.start, min(count, content.size))
    found = b""
    for chunk in content.chunks():
        found += bytes(chunk[: count - len(found)])
        if len(found) >= count:
            break
    return found


def compression_of(content: Content) -> Compression:
    """By the first bytes alone; nothing says yet that the rest is sound."""
    return sniff(first_bytes(content, MAGIC_BYTES))
