"""Which kind of stream a layer is read as: decided by its bytes and by what its parts are to be compressed with.

Copying beats encoding wherever the stream can be cut often enough: deflate blocks, zstd frames, plain tar. Everything else is
encoded: another compression, a level the user asked for, one zstd frame, several gzip members, limits too small for the blocks.

The number of cores has no say: the same layer and options give the same parts on every machine.
"""

import os

from layerkit.compression.codec import codec_for
from layerkit.compression.decode import decoded
from layerkit.compression.kind import compression_of
from layerkit.image.blob import Content
from layerkit.image.media_types import Compression
from layerkit.spool import Spool
from layerkit.streams.encoded import PIECE, EncodedStream
from layerkit.streams.framed import PlainStream, ZstdStream, frame_ends
from layerkit.streams.gzip import EDGE, GzipStream
from layerkit.streams.stream import Stream

MIN_BOUNDARIES = 32
"""A stream is copied when a part spans at least this many of its blocks or frames; with fewer, edges would be most of it."""

_LEAST_PIECE = 4 << 10


def open_stream(
    source: Content,
    where: str,
    *,
    compression: Compression,
    level: int | None,
    limit: int,
    jobs: int | None,
    spool: Spool,
    encode: bool = False,
) -> Stream:
    """`limit`: bytes of a part. `encode`: it is known that it can't be copied. Raises DamagedError."""
    found = compression_of(source)
    if found is compression and level is None and not encode:
        if found is Compression.GZIP and limit >= MIN_BOUNDARIES * EDGE:
            return GzipStream(source, where, limit=limit)
        if found is Compression.ZSTD:
            ends = frame_ends(source, where)
            longest = max((end - begin for begin, end in zip([0, *ends], ends, strict=False)), default=0)
            if longest * MIN_BOUNDARIES <= limit:
                return ZstdStream(source, where, ends, longest)
        if found is Compression.NONE:
            return PlainStream(source)
    piece = max(min(PIECE, limit // 64), _LEAST_PIECE)
    codec = codec_for(compression, level)
    return EncodedStream(lambda: decoded(source, where), where, codec, spool, jobs=jobs or os.cpu_count(), piece=piece)
