"""What one release adds to another."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from layerkit.compare.changes import Change, Changes
from layerkit.compare.comparing import changes_of
from tests.costs.reading import Tars
from tests.tar_building import file, layer, whiteout

NOISE = random.Random(4).randbytes(100_000)

contents = st.dictionaries(
    st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a"]), st.sampled_from([b"", b"x", b"y" * 3000]), max_size=5
)
layers = st.lists(contents, min_size=1, max_size=3)


def built(image: list[dict[str, bytes]]) -> list[bytes]:
    return [layer(*(file(path, data) for path, data in files.items())) for files in image]


def merged(image: list[dict[str, bytes]]) -> dict[str, bytes]:
    return {path: data for files in image for path, data in files.items()}


def told(changes: Changes) -> set[tuple[str, Change]]:
    return {(one.path, one.change) for one in changes.files}


@given(layers, layers)
@settings(deadline=None)
def test_against_dictionaries(old: list[dict[str, bytes]], new: list[dict[str, bytes]]) -> None:
    tars = Tars()
    changes = changes_of(tars.platform(*built(old)), tars.platform(*built(new)), 100)
    before, after = merged(old), merged(new)
    expected = {("/" + path, Change.REMOVED) for path in before.keys() - after}
    expected |= {("/" + path, Change.ADDED) for path in after.keys() - before}
    expected |= {("/" + path, Change.CHANGED) for path in before.keys() & after if before[path] != after[path]}
    assert told(changes) == expected
    assert (changes.before.files, changes.after.files) == (len(before), len(after))
    size = changes.before.size + changes.added.size - changes.removed.size + changes.changed.size - changes.changed_before.size
    assert size == changes.after.size


@given(layers, layers)
@settings(deadline=None)
def test_backwards_it_is_the_reverse(old: list[dict[str, bytes]], new: list[dict[str, bytes]]) -> None:
    tars = Tars()
    one, other = tars.platform(*built(old)), tars.platform(*built(new))
    there, back = changes_of(one, other, 100), changes_of(other, one, 100)
    assert (there.added, there.removed, there.changed) == (back.removed, back.added, back.changed_before)
    assert (there.arriving, there.leaving) == (back.leaving, back.arriving)


@given(layers)
@settings(deadline=None)
def test_nothing_is_added_to_itself(image: list[dict[str, bytes]]) -> None:
    tars = Tars()
    changes = changes_of(tars.platform(*built(image)), tars.platform(*built(image)), 100)
    assert (changes.files, changes.send, changes.unchanged) == ((), 0, 0)
    assert all(one.shared for one in changes.layers)


def test_what_is_sent_again_though_it_did_not_change() -> None:
    """One small file makes the whole layer another."""
    tars = Tars()
    base = layer(file("base", NOISE[::-1]))
    old = tars.platform(base, layer(file("big", NOISE), file("version", b"1")))
    new = tars.platform(base, layer(file("big", NOISE), file("version", b"2")))
    changes = changes_of(old, new, 10)
    assert told(changes) == {("/version", Change.CHANGED)}
    assert [one.shared for one in changes.layers] == [True, False]
    assert changes.send == new.layers[1].size
    assert 95_000 < changes.unchanged == changes.layers[1].unchanged < 105_000


def test_a_file_of_a_shared_layer_that_is_deleted() -> None:
    tars = Tars()
    base = layer(file("big", NOISE))
    changes = changes_of(tars.platform(base), tars.platform(base, layer(whiteout("big"))), 10)
    assert told(changes) == {("/big", Change.REMOVED)}
    assert changes.removed.size == len(NOISE)


def test_the_most_expensive_come_first() -> None:
    tars = Tars()
    sizes = [10_000, 90_000, 40_000, 60_000]
    changes = changes_of(tars.platform(layer()), tars.platform(layer(*(file(f"{size}", NOISE[:size]) for size in sizes))), 3)
    assert [one.path for one in changes.files] == ["/90000", "/60000", "/40000"]
