"""Files that are larger than a layer may be, whatever is done: a file can't be split over layers.

In: a layer above the limit. Out: such files, each with what it costs compressed as the layer stores it, as far as that is known:
of an uncompressed layer the headers are enough, and say how large a file is before it is compressed; what is in a compressed one
shows when it is decoded.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from layerkit.compression.decode import decoded_chunks
from layerkit.compression.metering import PIECE, Fed
from layerkit.image.blob import Blob, FileRange
from layerkit.tar.framing import Framer, Member, members_of

_MOST_HEADERS = 200_000
"""As many are read of an uncompressed layer (a second): a layer of large files has few."""


class LargeFile(NamedTuple):
    path: str
    size: int
    """Bytes as the file has them."""
    cost: int | None
    """Bytes that it takes of the compressed layer, about; None: it isn't compressed yet."""


def in_headers(blob: Blob, where: str, limit: int) -> Iterator[LargeFile]:
    """Those of an uncompressed layer above `limit` bytes uncompressed; of one that isn't in a file nothing is known. Raises
    DamagedError."""
    content = blob.content
    if isinstance(content, FileRange):
        for member in islice(members_of(content.file, where, content.start, content.size), _MOST_HEADERS):
            if member.size > limit:
                yield LargeFile(_path(member), member.size, None)


def in_stream(blob: Blob, where: str, limit: int) -> Iterator[LargeFile]:
    """Those of a compressed layer above `limit` bytes compressed. Reads all of it. Raises DamagedError."""
    fed = Fed(blob.content.chunks())
    framer = Framer(where)
    waiting: list[tuple[Member, int]] = []
    at = 0
    for chunk in decoded_chunks(fed.pieces(), where):
        # What has been fed lies ahead of what has come out, by a piece or a block: about as exact is the cost.
        waiting += [(member, fed.before) for member in framer.feed(chunk) if member.size > limit]
        at += len(chunk)
        for member, before in [item for item in waiting if item[0].data + item[0].size <= at]:
            waiting.remove((member, before))
            if fed.after - before - PIECE > limit:
                yield LargeFile(_path(member), member.size, fed.after - before)


def _path(member: Member) -> str:
    return member.path.decode("utf-8", "backslashreplace")
