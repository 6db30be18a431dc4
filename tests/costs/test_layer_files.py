"""A layer's members in columns."""

import gzip
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerkit.costs import layer_files as columns
from layerkit.costs.content_types import HEAD_BYTES
from layerkit.costs.kept import MAX_HEADS, MIN_HEAD, Kept
from layerkit.costs.layer_files import FILE, LayerFiles
from layerkit.errors import CannotFixError, DamagedError
from layerkit.image.media_types import Compression
from tests.costs.reading import layer_files, read_into
from tests.tar_building import directory, file, hard_link, layer, symlink

names = st.sampled_from(["a", "b/c", "b/d.so", "e/f/g", "bb", "\udcff".encode("utf-8", "surrogateescape")])
members = st.lists(
    st.one_of(
        st.builds(file, names, st.binary(max_size=2000)),
        st.builds(directory, names),
        st.builds(symlink, names, names),
        st.builds(hard_link, names, names),
    ),
    max_size=12,
)


@given(members, st.sampled_from(list(Compression)[:2]), st.integers(1, 5000))
@settings(deadline=None)
def test_costs_add_up_to_the_blob(runs: list[bytes], compression: Compression, step: int) -> None:
    raw = layer(*runs)
    blob = gzip.compress(raw) if compression is Compression.GZIP else raw
    found = layer_files(blob, compression, step=step)
    assert len(found) == len(runs)
    assert found.costed == len(found)
    costs = [found.cost_of(number) for number in range(len(found))]
    assert all(cost >= 0 for cost in costs)
    assert sum(costs) <= found.cost
    if compression is Compression.GZIP:
        assert found.cost == len(blob)
    assert found.raw_size == len(raw)


def test_columns() -> None:
    runs = [directory("usr"), file("usr/bin/env", b"x" * 600, mode=0o4755), file("top", b""), symlink("l", "usr")]
    found = layer_files(layer(*runs))
    assert [found.path_of(number) for number in range(4)] == [b"usr", b"usr/bin/env", b"top", b"l"]
    assert [found.name_of(number) for number in range(4)] == [b"usr", b"env", b"top", b"l"]
    assert [found.kinds[number] == FILE for number in range(4)] == [False, True, True, False]
    assert list(found.sizes) == [0, 600, 0, 0]
    assert found.modes[1] == 0o4755


def test_the_same_content_has_the_same_digest() -> None:
    found = layer_files(layer(file("a", b"x" * 5000), file("b", b"x" * 5000), file("c", b"y" * 5000)))
    assert found.content_of(0) == found.content_of(1) != found.content_of(2)


@pytest.mark.parametrize("step", [512, 1000, 100_000])
def test_contents_that_are_kept(step: int) -> None:
    large, later = random.Random(1).randbytes(60_000), b"\x7fELF" + bytes(20_000)
    blob = layer(
        file("small", b"x" * 100), file("large", large), file("later", later), file("var/lib/dpkg/status", b"y" * 30_000)
    )
    kept = Kept()
    read_into(LayerFiles("layer", 0, kept), blob, Compression.NONE, step=step)
    assert kept.whole == {(0, 3): b"y" * 30_000}
    assert kept.heads() == {(0, 1): large[:HEAD_BYTES], (0, 2): later[:HEAD_BYTES], (0, 3): b"y" * HEAD_BYTES}


def test_the_beginnings_of_the_largest_files_are_kept() -> None:
    sizes = [MIN_HEAD + number % 700 for number in range(MAX_HEADS + 300)]
    kept = Kept()
    read_into(LayerFiles("layer", 0, kept), layer(*(file(f"{n}", b"x" * size) for n, size in enumerate(sizes))), Compression.NONE)
    found = sorted(sizes[number] for _, number in kept.heads())
    assert found == sorted(sizes)[300:]


def test_more_than_can_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "MAX_MEMBERS", 3)
    layer_files(layer(*(file(f"{number}") for number in range(3))))
    with pytest.raises(CannotFixError, match="layer: more than 3 files"):
        layer_files(layer(*(file(f"{number}") for number in range(4))))


def test_a_damaged_layer() -> None:
    with pytest.raises(DamagedError, match="layer"):
        layer_files(layer(file("a", b"x" * 5000))[:3000])
