"""Parts are made while the layer still streams by; what comes late for one makes it anew."""

import gzip
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
import zstandard

from layerkit.errors import ProofError, UnsplittableError
from layerkit.filesystem import compare, merged_view
from layerkit.image.blob import Blob, Buffer, Bytes, blob_of
from layerkit.image.media_types import Compression
from layerkit.layers.codec import GzipCodec, PlainCodec, ZstdCodec
from layerkit.layers.decode import decoded
from layerkit.layers.finish import Audience, Finisher, Limit, Workers
from layerkit.layers.one_pass import Complete, Filling, PassOptions, run_pass
from layerkit.layers.open_track import GzipWay, open_track
from layerkit.layers.part import Part, Witness
from layerkit.layers.placement import Again
from layerkit.layers.planner import Constraints
from layerkit.layers.split import SplitOptions, split_layer
from layerkit.layers.spool import Spool
from layerkit.layers.track import Chunk
from layerkit.progress import SILENT
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

    def see(chunk: Chunk) -> None:
        nonlocal seen
        seen = chunk.start + len(chunk.data)

    options = PassOptions(SILENT.warn, see, lambda complete: offered.append((seen, complete)), lambda filling: None, hashed=True)
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
    told = Told()
    options = SplitOptions(LIMIT, Compression.GZIP, jobs=2)
    parts = split_layer(blob_of(gzip.compress(raw, 1)), "layer", options, Spool(), audience=told)
    numbers = [number for number, _ in told.blobs]
    assert sorted(numbers) == [1, *range(1, len(parts) + 1)], "the first one twice"
    assert [number for number in numbers if number > 1] == list(range(2, len(parts) + 1)), "in order"
    first, second = (blob for number, blob in told.blobs if number == 1)
    assert first != second
    assert parts[0].blob == second
    assert {part.blob.digest for part in parts} < {blob.digest for _, blob in told.blobs}
    assert [number for number, _ in told.parts] == numbers
    raws = [b"".join(map(bytes, decoded(part.blob.content, "part"))) for part in parts]
    assert not compare(merged_view([[raw]]), merged_view([[other] for other in raws]))


@dataclass
class Told(Audience):
    """Notes what it hears; with witnesses, it has parts read back."""

    blobs: list[tuple[int, Blob]] = field(default_factory=list)
    parts: list[tuple[int, Part]] = field(default_factory=list)
    witnesses: Callable[[], Witness] | None = None

    @property
    def reads_back(self) -> bool:
        return self.witnesses is not None

    def witness(self, number: int) -> Witness:
        assert self.witnesses is not None
        return self.witnesses()

    def ready(self, blob: Blob, number: int) -> None:
        self.blobs.append((number, blob))

    def made(self, part: Part, number: int) -> None:
        self.parts.append((number, part))


@contextmanager
def finisher(track_of: bytes, limit: int, told: Audience, *, oversized: bool = False) -> Iterator[Finisher]:
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
    with closing(Workers(1)) as workers, Finisher(track, "layer", Limit(limit, oversized), Spool(), workers, told) as made:
        yield made


class Slow:
    """A witness that takes its time."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.seen = 0

    def feed(self, data: Buffer) -> None:
        self.seen += len(data)
        self.asked.set()
        time.sleep(0.02)


def test_nobody_is_told_of_what_was_dropped() -> None:
    """An interrupt in the middle: a part that is being filled, and one that is being read back."""
    raw = files(60)
    complete = passed("plain, kept", raw).complete
    slow = [Slow(), Slow()]
    told = Told(witnesses=iter(slow).__next__)
    with pytest.raises(KeyboardInterrupt), finisher(raw, LIMIT, told) as made:
        made.offer(complete[0])
        made.grow(Filling(1, complete[1].recipe.pieces[:1]))
        assert slow[0].asked.wait(60)
        raise KeyboardInterrupt
    assert told.parts == []
    assert slow[0].seen < complete[0].recipe.length


def test_too_large_is_told_at_once() -> None:
    raw = files(12)
    complete = passed("plain, kept", raw, 1_500_000).complete
    size = complete[0].recipe.length
    with finisher(raw, size - 1, Audience()) as made, pytest.raises(Again) as again:
        made.offer(complete[0])
    assert again.value.shrink == 1
    large = passed("plain, kept", tar.layer(tar.file("a", bytes(70_000)), tar.file("b", bytes(9000))), 66_000)
    assert large.complete[0].stuck is not None
    with finisher(raw, 66_000, Audience()) as made, pytest.raises(UnsplittableError, match="a is 71,"):
        made.offer(large.complete[0])
    told = Told()
    with finisher(raw, 66_000, told, oversized=True) as made:
        parts = made.finish(large.complete[:1])
        assert parts[0].diff_id == large.complete[0].recipe.diff_id
    assert [number for number, _ in told.blobs] == [1]


class Sees:
    """A witness that keeps everything."""

    def __init__(self) -> None:
        self.data = b""

    def feed(self, data: Buffer) -> None:
        self.data += data


@pytest.mark.parametrize("form", FORMS)
def test_what_is_read_back_is_what_went_in(form: str) -> None:
    pack, compression, _ = FORMS[form]
    told = Told(witnesses=Sees)
    raw = files(late=tar.hard_link("late", "f000"))
    parts = split_layer(blob_of(pack(raw)), "layer", SplitOptions(LIMIT, compression, jobs=2), Spool(), audience=told)
    for part in parts:
        assert part.recipe.diff_id is None, "it isn't hashed twice"
        assert isinstance(part.witness, Sees)
        assert part.witness.data == b"".join(map(bytes, decoded(part.blob.content, "part")))
        assert blob_of(part.witness.data).digest == part.diff_id
    alone = split_layer(blob_of(pack(raw)), "layer", SplitOptions(LIMIT, compression, jobs=2), Spool())
    assert [(part.blob.digest, part.diff_id) for part in alone] == [(part.blob.digest, part.diff_id) for part in parts]


@pytest.mark.parametrize("form", ["gzip, spliced", "plain, encoded", "plain, kept", "zstd, frames"])
def test_what_does_not_read_back_is_no_part(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bit falls over in what is encoded at the edges."""
    pack, compression, _ = FORMS[form]
    codec: Any = {Compression.GZIP: GzipCodec, Compression.ZSTD: ZstdCodec, Compression.NONE: PlainCodec}[compression]
    literal: Callable[[Any, list[bytes]], bytes] = codec.literal

    def wrong(self: Any, raw: Iterable[Buffer]) -> bytes:
        data = bytearray(b"".join(raw))
        if data:
            data[len(data) // 2] ^= 1
        return literal(self, [bytes(data)])

    monkeypatch.setattr(codec, "literal", wrong)
    source = blob_of(pack(files()))
    with pytest.raises(ProofError, match=r"new layer \d.*read back.*Nothing was published"):
        split_layer(source, "layer", SplitOptions(LIMIT, compression, jobs=2), Spool(), audience=Told(witnesses=Sees))
