"""What is certain of a part stays so, whatever comes; and those who read a part before its end get all of it."""

import contextlib
import gzip
import random
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from layerkit.image.blob import Bytes, FileRange, InputFile, Joined, Sliceable
from layerkit.image.media_types import Compression
from layerkit.layers.growing import Beginning, GivenUpError, Growing, begins_with
from layerkit.layers.inflate_track import NeedsIndex
from layerkit.layers.one_pass import Complete, Filling, PassOptions, run_pass
from layerkit.layers.open_track import GzipWay, open_track
from layerkit.layers.placement import Again
from layerkit.layers.planner import Constraints
from layerkit.layers.splice import assemble
from layerkit.layers.spool import Spool
from layerkit.progress import SILENT
from tests import tar_building as tar

LIMIT = 4_500_000
"""Bytes of a part: above what gzip streams are spliced at."""

NOISE = random.Random(7).randbytes(1 << 20)


def _flushed(raw: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    pieces = [packer.compress(raw[at : at + 90_000]) + packer.flush(zlib.Z_FULL_FLUSH) for at in range(0, len(raw), 90_000)]
    return b"".join(pieces) + packer.flush()


PACKED: dict[str, tuple[Callable[[bytes], bytes], Compression]] = {
    "gzip -1": (lambda raw: gzip.compress(raw, 1, mtime=0), Compression.GZIP),
    "gzip -9": (lambda raw: gzip.compress(raw, 9, mtime=0), Compression.GZIP),
    "gzip, stored": (lambda raw: gzip.compress(raw, 0, mtime=0), Compression.GZIP),
    "gzip, flushed": (_flushed, Compression.GZIP),
    "plain, encoded": (bytes, Compression.GZIP),
    "plain, kept": (bytes, Compression.NONE),
    "zstd, frames": (
        lambda raw: b"".join(zstandard.compress(raw[at : at + 90_000]) for at in range(0, len(raw), 90_000)),
        Compression.ZSTD,
    ),
}


def layer(seed: int, members: int) -> bytes:
    """Directories, files of all sizes, symlinks and hard links; a third compresses well."""
    rng = random.Random(seed)
    runs = [tar.directory("usr"), tar.directory("usr/site-packages")]
    files: list[str] = []
    for number in range(members):
        folder = f"usr/site-packages/p{number // 9}"
        if number % 9 == 0:
            runs.append(tar.directory(folder))
        name = f"{folder}/f{number}"
        kind = rng.random()
        if kind < 0.1 and files:
            runs.append(tar.hard_link(name, rng.choice(files)))
            continue
        size = rng.choice([0, 100, 5_000, 60_000, 400_000, 900_000])
        at = rng.randrange(len(NOISE) - size)
        content = NOISE[at : at + size] if rng.random() < 0.7 else (NOISE[at : at + 300] * (size // 300 + 1))[:size]
        runs.append(tar.file(name, content))
        files.append(name)
    return tar.layer(*runs)


@pytest.mark.parametrize("form", PACKED)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1 << 32), members=st.integers(5, 150))
@example(seed=208, members=53)  # the last link of a part that is being filled goes to another one
def test_what_is_certain_stays(form: str, seed: int, members: int) -> None:
    """Every beginning that was told is how the part's blob begins, for parts that got nothing late."""
    pack, compression = PACKED[form]
    track, margin = open_track(
        Bytes(pack(layer(seed, members))),
        "layer",
        compression=compression,
        level=None,
        limit=LIMIT,
        jobs=1,
        spool=Spool(),
        gzip=GzipWay.INFLATE,
    )
    beginnings: dict[int, Beginning] = {}
    told: dict[int, list[Joined]] = {}

    def grow(filling: Filling) -> None:
        beginning = beginnings.setdefault(filling.number, Beginning(track))
        told.setdefault(filling.number, []).append(Joined(beginning.of(filling.pieces)))

    options = PassOptions(SILENT.warn, lambda chunk: None, lambda complete: None, grow, hashed=False)
    try:
        parts: list[Complete] = []
        with contextlib.suppress(Again, NeedsIndex):  # another try begins anew
            parts = run_pass(track, "layer", Constraints(limit=LIMIT - margin, hard_limit=LIMIT), options)
        for complete in parts:
            content = assemble(complete.recipe, track, Spool().keep)
            whole = b"".join(map(bytes, content.chunks()))
            for beginning in told.get(complete.number, []):
                assert whole.startswith(b"".join(map(bytes, beginning.chunks())))
                assert begins_with(content, beginning)
    finally:
        track.close()


@pytest.mark.parametrize("form", PACKED)
def test_most_of_a_part_is_certain_before_it_is_complete(form: str) -> None:
    pack, compression = PACKED[form]
    noise = random.Random(3).randbytes(12_000_000)
    raw = tar.layer(*(tar.file(f"f{at}", noise[at : at + 300_000]) for at in range(0, len(noise), 300_000)))
    track, margin = open_track(
        Bytes(pack(raw)), "layer", compression=compression, level=None, limit=LIMIT, jobs=1, spool=Spool(), gzip=GzipWay.INFLATE
    )
    beginning = Beginning(track)
    sizes = [0]

    def grow(filling: Filling) -> None:
        if filling.number == 1:
            sizes.append(Joined(beginning.of(filling.pieces)).size)

    options = PassOptions(SILENT.warn, lambda chunk: None, lambda complete: None, grow, hashed=False)
    parts = run_pass(track, "layer", Constraints(limit=LIMIT - margin, hard_limit=LIMIT), options)
    size = assemble(parts[1].recipe, track, Spool().keep).size
    track.close()
    assert len(parts) > 2
    assert max(sizes) > size / 3
    assert sizes == sorted(sizes)


def read_all(growing: Growing) -> bytes:
    return b"".join(map(bytes, growing.chunks()))


@given(cuts=st.lists(st.integers(0, 1000), max_size=8))
@settings(deadline=None)
def test_readers_get_all_of_it(cuts: list[int]) -> None:
    data = NOISE[:1000]
    with ThreadPoolExecutor(2) as pool:
        growing = Growing()
        readers = [pool.submit(read_all, growing) for _ in range(2)]
        for cut in cuts:
            growing.grow([Bytes(data[: cut // 2]), Bytes(data[cut // 2 : cut])])
        assert growing.close(Bytes(data))
        assert [reader.result(60) for reader in readers] == [data, data]


@pytest.mark.parametrize("late", [False, True], ids=["at the end", "while it grows"])
def test_what_was_not_so_is_noticed(late: bool) -> None:
    growing = Growing()
    growing.grow([Bytes(b"abc")])
    if late:
        growing.grow([Bytes(b"abx"), Bytes(b"def")])
        assert not growing.close(Bytes(b"abcdefgh")), "somebody may have read the other"
    else:
        assert not growing.close(Bytes(b"abX"))


def test_giving_up_ends_those_who_wait() -> None:
    growing = Growing()
    growing.grow([Bytes(b"abc")])
    got = threading.Event()

    def read() -> None:
        for _ in growing.chunks():
            got.set()

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        assert got.wait(60)
        growing.give_up()
        with pytest.raises(GivenUpError):
            reader.result(60)


def test_ranges_of_a_file_are_the_same_unread(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(100)) * 2)
    file = InputFile(path)
    whole = Joined([Bytes(b"head"), FileRange(file, 10, 80)])
    same: list[Sliceable] = [Bytes(b"he"), Bytes(b"ad"), FileRange(file, 10, 30), FileRange(file, 40, 5)]
    assert begins_with(whole, Joined(same))
    assert not begins_with(whole, Joined([Bytes(b"head"), FileRange(file, 110, 10)])), "not worth reading"
    assert begins_with(Bytes(b"head" + bytes(range(10, 90))), Joined(same))
    assert not begins_with(Joined(same), whole)
    file.close()
