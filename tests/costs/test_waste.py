"""Bytes that are pushed and that nobody needs."""

import random

from layerkit.costs.waste import MIN_DUPLICATE, duplicates, rewritten, wasted
from tests.costs.reading import platform_files
from tests.tar_building import file, hard_link, layer, whiteout

NOISE = random.Random(2).randbytes(200_000)


def test_a_layer_that_changes_modes_holds_everything_again() -> None:
    below = layer(file("a", NOISE), file("b", NOISE[::-1]), file("c", b"old" * 5000))
    above = layer(file("a", NOISE, mode=0o755), file("b", NOISE[::-1], uid=7), file("c", b"new" * 5000))
    files = platform_files(below, above).files
    (found,) = rewritten(files)
    assert (found.layer, found.of, found.files, found.size) == (2, 1, 2, 400_000)
    assert 380_000 < found.cost < 420_000
    assert {one.path for one in wasted(files, 10).largest} == {"/a", "/b", "/c"}


def test_what_was_deleted_in_between_is_not_held_again() -> None:
    files = platform_files(layer(file("a", NOISE)), layer(whiteout("a")), layer(file("a", NOISE), file("b"))).files
    assert rewritten(files) == ()
    (found,) = wasted(files, 10).largest
    assert (found.path, found.layer, found.by) == ("/a", 1, 2)


def test_duplicates_within_a_layer_and_across() -> None:
    small = b"x" * (MIN_DUPLICATE - 1)
    below = layer(file("a", NOISE), file("b", NOISE), hard_link("l", "a"), file("s", small), file("t", small))
    found = duplicates(platform_files(below, layer(file("c", NOISE), file("d", NOISE[:-1]))).files, 10)
    (one,) = found.largest
    assert set(one.paths) == {"/a", "/b", "/c"}
    assert (one.copies, one.size, found.size) == (3, 400_000, 400_000)
    assert 380_000 < one.cost == found.cost < 420_000


def test_what_another_copy_of_the_layer_brings_back_is_not_wasted() -> None:
    first, second = layer(file("a", NOISE), file("b", NOISE)), layer(whiteout("a"), whiteout("b"))
    files = platform_files(first, second, first, layer(whiteout("b"))).files
    (found,) = wasted(files, 10).largest
    assert (found.path, found.layer, found.by) == ("/b", 1, 2)
