"""Which kind of track a layer gets: decided by its bytes and by what its parts are to be compressed with.

Copying beats encoding wherever the stream can be cut often enough: deflate blocks, zstd frames, plain tar. Everything else is
encoded: another compression, a level the user asked for, one zstd frame, several gzip members, limits too small for the blocks.

The number of cores has no say: the same layer and options give the same parts on every machine.
"""

import os
from enum import Enum

from layerkit.image.blob import Sliceable, read_at
from layerkit.image.media_types import Compression, sniff
from layerkit.layers.codec import codec_for
from layerkit.layers.decode import decoded
from layerkit.layers.encoded_track import PIECE, EncodedTrack
from layerkit.layers.framed_track import PlainTrack, ZstdTrack, frame_ends
from layerkit.layers.gzip_track import GzipTrack
from layerkit.layers.inflate_track import EDGE, InflateTrack
from layerkit.layers.spool import Spool
from layerkit.layers.track import Track

MIN_RESTARTS = 32
"""A stream is spliced when a part spans at least this many of its restarts; with fewer, edges would be most of it."""

_RAPIDGZIP_CHUNK = 2 << 20
"""Compressed bytes of one inflating thread's work. On a 3.1 GB layer with two threads 4 MiB is the fastest and peaks at 590 MB;
1 MiB takes a third more time and 270 MB."""
_RAPIDGZIP_THREADS = 4
"""More would take more than 700 MB."""
_LEAST_CHUNK = 128 << 10
_LEAST_PIECE = 4 << 10


class GzipWay(Enum):
    """How a gzip layer is read, each for when the one before it can't."""

    INFLATE = "looking for block boundaries near the cuts"
    INDEX = "with an index of block boundaries"
    ENCODE = "encoding it anew"


def compression_of(source: Sliceable) -> Compression:
    return sniff(read_at(source, 0, 6))


def open_track(
    source: Sliceable,
    where: str,
    *,
    compression: Compression,
    level: int | None,
    limit: int,
    jobs: int | None,
    spool: Spool,
    gzip: GzipWay,
) -> tuple[Track, int]:
    """The track, and the margin in bytes by which its cost estimates may be off at the two edges of a part."""
    found = compression_of(source)
    cores = jobs or os.cpu_count() or 1
    if found is compression and level is None:
        if found is Compression.GZIP and gzip is GzipWay.INFLATE and limit >= MIN_RESTARTS * EDGE:
            inflated = InflateTrack(source, where, limit=limit)
            return inflated, inflated.margin
        if found is Compression.GZIP and gzip is not GzipWay.ENCODE:
            chunk = max(min(_RAPIDGZIP_CHUNK, limit // 256), _LEAST_CHUNK)
            if limit >= MIN_RESTARTS * chunk:
                # Two edges of at most one chunk each are encoded anew, at a level that may be a third larger.
                return GzipTrack(source, where, threads=min(cores, _RAPIDGZIP_THREADS), chunk_size=chunk), chunk * 3 // 4
        elif found is Compression.ZSTD:
            ends = frame_ends(source, where)
            longest = max((end - begin for begin, end in zip([0, *ends], ends, strict=False)), default=0)
            if longest * MIN_RESTARTS <= limit:
                return ZstdTrack(source, where, ends), longest
        elif found is Compression.NONE:
            return PlainTrack(source), 0
    piece = max(min(PIECE, limit // 64), _LEAST_PIECE)
    codec = codec_for(compression, level)
    return EncodedTrack(lambda: decoded(source, where), codec, spool, jobs=cores, piece=piece), piece // 2
