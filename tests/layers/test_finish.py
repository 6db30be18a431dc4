"""Parts are made while the layer still streams by; what comes late for one makes it anew."""

import gzip
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
import zstandard

from layerkit.errors import UnsplittableError
from layerkit.image.blob import Buffer, Bytes, blob_of
from layerkit.image.media_types import Compression
from layerkit.layers.decode import decoded
from layerkit.layers.finish import Finisher, Limit
from layerkit.layers.one_pass import Complete, PassOptions, run_pass
from layerkit.layers.open_track import GzipWay, open_track
from layerkit.layers.part import Part
from layerkit.layers.placement import Again
from layerkit.layers.planner import Constraints
from layerkit.layers.split import SplitOptions, split_layer
from layerkit.layers.spool import Spool
from layerkit.progress import SILENT
from layerkit.verify import compare, merged_view
from tests import tar_building as tar

LIMIT = 5_000_000
"""Bytes of a part: above what gzip streams are spliced at."""


def files(count: int = 60, size: int = 400_000, *, late: bytes = b"") -> bytes:
    """A tar of noise, each file a piece of a few; `late` comes last."""
    noise = random.Random(5).randbytes(2 * size)
    runs = [tar.file(f"f{number:03}", noise[number * 1000 :][:size]) for number in range(count)]
    return tar.layer(*runs, late)


FORMS: dict[str, tuple[Callable[[bytes], bytes], Compression, GzipWay]] = {
    "gzip, spliced": (lambda raw: gzip.compress(raw, 1), Compression.GZIP, GzipWay.INFLATE),
    "gzip, with an index": (lambda raw: gzip.compress(raw, 1), Compression.GZIP, GzipWay.INDEX),
    "plain, encoded": (bytes, Compression.GZIP, GzipWay.INFLATE),
    "plain, kept": (bytes, Compression.NONE, GzipWay.INFLATE),
    "zstd, frames": (
        lambda raw: b"".join(zstandard.compress(raw[at : at + 100_000]) for at in range(0, len(raw), 100_000)),
        Compression.ZSTD,
        GzipWay.INFLATE,
    ),
}


class Pass(NamedTuple):
    offered: list[tuple[int, Complete]]
    """Each with the raw bytes that had gone by."""
    complete: list[Complete]


def passed(form: str, raw: bytes, limit: int = LIMIT) -> Pass:
    pack, compression, gzip_way = FORMS[form]
    source = Bytes(pack(raw))
    track, margin = open_track(
        source, "layer", compression=compression, level=None, limit=limit, jobs=1, spool=Spool(), gzip=gzip_way
    )
    offered: list[tuple[int, Complete]] = []
    seen = 0

    def see(data: Buffer, start: int) -> None:
        nonlocal seen
        seen = start + len(data)

    options = PassOptions(SILENT.warn, SILENT.task("", 0), see, lambda complete: offered.append((seen, complete)))
    try:
        complete = run_pass(track, "layer", Constraints(limit=limit - margin, hard_limit=limit), options)
    finally:
        track.close()
    return Pass(offered, complete)


@pytest.mark.parametrize("form", FORMS)
def test_parts_are_offered_while_the_layer_streams_by(form: str) -> None:
    raw = files()
    offered, complete = passed(form, raw)
    assert len(complete) > 4
    if form == "gzip, with an index":
        assert not offered, "its index is complete with the last block"
        return
    assert [part for _, part in offered] == complete[: len(offered)]
    assert len(offered) >= len(complete) - 2, "all but the last, and the one with the directories' times"
    assert all(seen < part.recipe.end + LIMIT for seen, part in offered)
    assert offered[0][0] < len(raw) // 2


@pytest.mark.parametrize("form", FORMS)
def test_what_comes_late_makes_a_part_anew(form: str) -> None:
    raw = files(late=tar.hard_link("late", "f000"))
    offered, complete = passed(form, raw)
    for _, part in offered:
        assert (part != complete[part.number]) == (part.number == 0)
    assert b"late" in b"".join(piece for piece in complete[0].recipe.pieces if isinstance(piece, bytes))


def test_only_the_part_that_was_made_last_counts() -> None:
    raw = files(late=tar.hard_link("late", "f000"))
    told: list[tuple[int, Part]] = []
    options = SplitOptions(LIMIT, Compression.GZIP, jobs=2)
    parts = split_layer(
        blob_of(gzip.compress(raw, 1)), "layer", options, Spool(), ready=lambda part, number: told.append((number, part))
    )
    numbers = [number for number, _ in told]
    assert sorted(numbers) == [1, *range(1, len(parts) + 1)], "the first one twice"
    assert [number for number in numbers if number > 1] == list(range(2, len(parts) + 1)), "in order"
    first, second = (part for number, part in told if number == 1)
    assert first != second
    assert parts[0] is second
    assert all(any(part is other for _, other in told) for part in parts)
    raws = [b"".join(map(bytes, decoded(part.blob.content, "part"))) for part in parts]
    assert not compare(merged_view([[raw]]), merged_view([[other] for other in raws]))


def finisher(track_of: bytes, limit: int, pool: ThreadPoolExecutor, told: list[int], *, oversized: bool = False) -> Finisher:
    track, _ = open_track(
        Bytes(track_of),
        "layer",
        compression=Compression.NONE,
        level=None,
        limit=LIMIT,
        jobs=1,
        spool=Spool(),
        gzip=GzipWay.INFLATE,
    )
    limits = Limit(limit, oversized)
    return Finisher(track, "layer", limits, Spool(), pool, lambda part, number: told.append(number))


def test_what_was_dropped_is_not_told_of() -> None:
    raw = files(12)
    complete = passed("plain, kept", raw, 1_500_000).complete
    told: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        waiting = threading.Event()
        pool.submit(waiting.wait)
        with finisher(raw, LIMIT, pool, told) as made:
            for part in complete:
                made.offer(part)
        waiting.set()
    assert told == []


def test_too_large_is_told_at_once() -> None:
    raw = files(12)
    complete = passed("plain, kept", raw, 1_500_000).complete
    size = complete[0].recipe.length
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(Again) as again:
            finisher(raw, size - 1, pool, []).offer(complete[0])
        assert again.value.shrink == 1
        large = passed("plain, kept", tar.layer(tar.file("a", bytes(70_000)), tar.file("b", bytes(9000))), 66_000)
        assert large.complete[0].stuck is not None
        with pytest.raises(UnsplittableError, match="a is 71,"):
            finisher(raw, 66_000, pool, []).offer(large.complete[0])
        told: list[int] = []
        made = finisher(raw, 66_000, pool, told, oversized=True)
        assert made.finish(large.complete[:1])[0].diff_id == large.complete[0].recipe.diff_id
        assert told == [1]
