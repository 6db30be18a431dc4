"""The splitter, driven from tests: raw tars in, raw tars of the parts out."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from layerkit.compression.decode import decoded
from layerkit.image.blob import blob_of
from layerkit.image.media_types import Compression
from layerkit.layers.split import SplitOptions, split_layer
from layerkit.spool import Spool
from layerkit.tar.framing import Framer
from layerkit.tar.header import Kind
from tests import tar_building as tar

BALLAST = 40_000
"""Bytes of a file that fills seven tenths of a part."""
LIMIT = 57_000
"""Bytes of a part: two pieces of ballast don't fit, one and any hazard do."""


def split_tar(source: bytes, limit: int, *, compression: Compression = Compression.NONE, **options: Any) -> list[bytes]:
    """The parts of an uncompressed layer, each at most `limit` bytes, as raw tars."""
    # What is judged here is the splitter, not the proof that would stop it.
    given = SplitOptions(limit=limit, compression=compression, jobs=1, **{"proven": False, **options})
    parts = split_layer(blob_of(source), "layer 1", given, Spool())
    assert all(part.blob.size <= limit for part in parts) or options.get("allow_oversized")
    raw = []
    for part in parts:
        data = b"".join(bytes(piece) for piece in decoded(part.blob.content, "part"))
        assert blob_of(data).digest == part.diff_id
        raw.append(data)
    if len(raw) > 1:
        assert not {path for part in raw for path in duplicates(part)} - duplicates(source), (
            "engines refuse a path twice in a layer"
        )
    return raw


def duplicates(source: bytes) -> set[bytes]:
    """Paths that a layer holds more than once; dockerd and podman refuse it then."""
    framer = Framer("layer")
    counted = Counter(member.path for member in framer.feed(source) if member.kind is not Kind.GLOBAL)
    return {path for path, count in counted.items() if count > 1}


def ballast(number: int, size: int = BALLAST) -> bytes:
    """A file that no compression makes smaller."""
    return tar.file(f"ballast-{number}", random.Random(number).randbytes(size))


def cut_at(runs: Sequence[bytes], *places: int) -> tuple[bytes, int]:
    """The layer of `runs` with ballast in it that makes the splitter cut before those runs, and the limit that does it.

    With one place the cut is exactly there: what is before and after fits, and nothing else lies in the window where cuts may
    be."""
    pieces: list[bytes] = []
    for number, run in enumerate([*runs, b""]):
        for place in places:
            if place == number:
                pieces += [ballast(2 * place), ballast(2 * place + 1)]
        pieces.append(run)
    return tar.layer(*pieces), LIMIT
