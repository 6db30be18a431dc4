"""Marks of overlays are told by what they do, for whichever overlay heeds them."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.filesystem import compare, merged_view, verify
from layerkit.filesystem.compare import differing
from layerkit.filesystem.directory import Directory
from layerkit.filesystem.layer_tree import LayerTree
from layerkit.filesystem.view import layer_tree, overlay
from tests.layered import image_of
from tests.tar_building import char_device, directory, file, hard_link, layer, opaque, symlink

HIDING = ["trusted.overlay.opaque", "user.overlay.opaque", "user.fuseoverlayfs.opaque"]
BELOW = layer(directory("d"), file("d/low"), directory("other"), file("other/file"))


def found(before: Sequence[bytes], after: Sequence[bytes]) -> list[str]:
    return [str(item) for item in compare(*(merged_view([tar] for tar in side) for side in (before, after)))]


@pytest.mark.parametrize("name", HIDING)
@pytest.mark.parametrize("below", [[], [BELOW]])
def test_a_part_that_repeats_a_mark_hides_the_part_below(name: str, below: list[bytes]) -> None:
    marked = directory("d", xattrs={name: "y", "user.a": "1"})
    plain = directory("d", xattrs={"user.a": "1"})
    source = [*below, layer(marked, file("d/1"), directory("d/e"), symlink("d/e/2", "x"), file("d/3"))]
    first = layer(marked, file("d/1"), directory("d/e"), symlink("d/e/2", "x"))
    assert found(source, [*below, first, layer(plain, file("d/3"))]) == []
    assert found(source, [*below, first, layer(marked, file("d/3"))]) == [
        f"/d: overlay mark: {name} -> {name} of 2 layers",
        f"/d/1: hidden by a layer above: none -> {name}",
        f"/d/e: hidden by a layer above: none -> {name}",
        f"/d/e/2: hidden by a layer above: none -> {name}",
        *([f"/d/low: hidden by a layer above: {name} -> {name} of 2 layers"] if below else []),
    ]


@pytest.mark.parametrize("name", HIDING)
def test_a_mark_that_is_lost_or_stands_too_high(name: str) -> None:
    marked, plain = directory("d", xattrs={name: "y"}), directory("d")
    source = [BELOW, layer(marked, file("d/1"), file("d/2"))]
    assert found(source, [BELOW, layer(plain, file("d/1"), file("d/2"))]) == [
        f"/d: overlay mark: {name} -> none",
        f"/d/low: hidden by a layer above: {name} -> none",
    ]
    assert found(source, [BELOW, layer(plain, file("d/1")), layer(marked, file("d/2"))]) == [
        f"/d/1: hidden by a layer above: none -> {name}"
    ]


def test_what_hides_from_nobody_is_an_xattr_like_any_other() -> None:
    for name in ("trusted.overlay.origin", "trusted.overlay.impure", "trusted.overlay.overlay.opaque", "user.overlay.uuid"):
        source = [layer(directory("d", xattrs={name: "y"}), file("d/1"), file("d/2"))]
        assert found(source, [layer(directory("d"), file("d/1"), file("d/2"))]) == [f"/d: xattr {name}: y -> absent"]
        twice = [layer(directory("d", xattrs={name: "y"}), file(f"d/{number}")) for number in (1, 2)]
        assert found(source, twice) == []
    source = [layer(directory("d", xattrs={"trusted.overlay.opaque": "x"}), file("d/1"))]
    assert found(source, [layer(directory("d"), file("d/1"))]) == ["/d: xattr trusted.overlay.opaque: x -> absent"]
    source = [layer(file("f", xattrs={"trusted.overlay.opaque": "y"}))]
    assert found(source, [layer(file("f"))]) == ["/f: xattr trusted.overlay.opaque: y -> absent"]


def test_hard_links_from_under_a_mark_are_still_links() -> None:
    below = layer(file("a", b"1"), hard_link("d/b", "a"), hard_link("d/c", "a"))
    marked = layer(directory("d", xattrs={"user.overlay.opaque": "y"}))
    assert found([below, marked], [below, marked]) == []
    apart = layer(file("a", b"1"), file("d/b", b"1"), hard_link("d/c", "d/b"))
    assert found([below, marked], [apart, marked]) != []


def test_a_real_opaque_marker_hides_from_all() -> None:
    marked = layer(directory("d", xattrs={"user.overlay.opaque": "y"}), opaque("d"), file("d/1"))
    view = merged_view([[BELOW], [marked]])
    assert [item.path for item in compare(view, merged_view([[marked]]))] == ["/other"]


def test_a_device_that_is_a_whiteout_takes_the_place_of_what_is_below() -> None:
    gone = layer(char_device("d", 0, 0))
    assert found([BELOW, gone], [layer(directory("other"), file("other/file")), gone]) == []
    assert (
        found([BELOW, gone, layer(directory("d"))], [gone, layer(directory("other"), file("other/file"), directory("d"))]) == []
    )


REDIRECTED = directory("d", xattrs={"trusted.overlay.redirect": "/other"})
METACOPY = file("d/low", xattrs={"trusted.overlay.metacopy": b"\0\4\0\0"})


@pytest.mark.parametrize(
    ("reading", "target"),
    [
        (REDIRECTED, "other/own"),
        (directory("d", xattrs={"trusted.overlay.redirect": "other"}), "other/own"),
        (METACOPY, "d/low"),
        (file("d/x", xattrs={"trusted.overlay.metacopy": "", "trusted.overlay.redirect": "/other/own"}), "other/own"),
        (file("d/x", xattrs={"trusted.overlay.metacopy": "", "trusted.overlay.redirect": "own"}), "d/own"),
    ],
)
def test_what_reads_below_must_not_find_its_own_layer(reading: bytes, target: str) -> None:
    own = directory("other"), file(target, b"own")
    source = [BELOW, layer(reading, *own)]
    assert found(source, [BELOW, layer(reading), layer(*own)]) == []
    assert any("redirect or metacopy" in line for line in found(source, [BELOW, layer(*own), layer(reading)]))
    assert any("redirect or metacopy" in line for line in found(source[1:], [layer(*own), layer(reading)]))


def test_images() -> None:
    marked = directory("d", xattrs={"user.overlay.opaque": "y"})
    top = layer(file("top"))
    before = image_of(BELOW, layer(marked, file("d/1"), file("d/2")), top)
    good = image_of(BELOW, layer(marked, file("d/1")), layer(directory("d"), file("d/2")), top)
    bad = image_of(BELOW, layer(marked, file("d/1")), layer(marked, file("d/2")), top)
    assert verify(before, good) == []
    assert [(item.path, item.what) for item in verify(before, bad)] == [
        ("/d", "overlay mark"),
        ("/d/1", "hidden by a layer above"),
        ("/d/low", "hidden by a layer above"),
    ]


class Told(NamedTuple):
    """A layer of the directories a, b and a/b, their marks, and files in them, of some content."""

    marks: dict[str, str]
    files: dict[str, bytes]

    @property
    def tar(self) -> bytes:
        runs = [directory(path, xattrs={self.marks[path]: "y"} if path in self.marks else {}) for path in DIRECTORIES]
        return layer(*runs, *(file(path, data) for path, data in self.files.items()))


DIRECTORIES = ["a", "a/b", "b"]
marks = st.dictionaries(st.sampled_from(DIRECTORIES), st.sampled_from(HIDING), max_size=2)
files = st.dictionaries(st.sampled_from([f"{path}/{name}" for path in DIRECTORIES for name in "xy"]), st.binary(max_size=1))
stacks = st.lists(st.builds(Told, marks, files), min_size=1, max_size=3)


def seen(stack: list[Told], heeded: set[str]) -> dict[str, bytes]:
    """By an overlay that heeds some marks."""
    shown: dict[str, bytes] = {}
    for told in stack:
        for marked, mark in told.marks.items():
            if mark in heeded:
                shown = {path: data for path, data in shown.items() if not path.startswith(marked + "/")}
        shown.update(told.files)
    return shown


OVERLAYS = [set(), {HIDING[0]}, {HIDING[1]}, set(HIDING)]
"""A snapshotter without overlays, an overlay mount, one with `userxattr`, fuse-overlayfs."""


@given(one=stacks, other=stacks)
def test_what_no_difference_is_found_in_looks_the_same_to_every_overlay(one: list[Told], other: list[Told]) -> None:
    tars = [[told.tar for told in stack] for stack in (one, other)]
    everything = compare(*(merged_view([tar] for tar in side) for side in tars))
    if not everything:
        assert all(seen(one, heeded) == seen(other, heeded) for heeded in OVERLAYS)
    keys = differing(*map(digests, tars))
    assert bool(keys) == bool(everything)


def digests(tars: list[bytes]) -> Directory:
    view = Directory()
    for tar in tars:
        tree = LayerTree("layer")
        tree.feed(tar)
        view = overlay(view, tree.close())
    return view


@given(stack=stacks, data=st.data())
def test_cut_anywhere_with_marks_where_they_stood(stack: list[Told], data: st.DataObject) -> None:
    """The upper parts of a layer repeat its directories without marks; nobody sees a difference, and none is found."""
    parts = []
    for told in stack:
        cut = data.draw(st.integers(0, len(told.files)))
        items = list(told.files.items())
        parts += [Told(told.marks, dict(items[:cut])), Told({}, dict(items[cut:]))]
    assert all(seen(stack, heeded) == seen(parts, heeded) for heeded in OVERLAYS)
    assert found([told.tar for told in stack], [told.tar for told in parts]) == []


@given(stack=stacks)
def test_any_run_of_marked_layers_may_be_merged_first(stack: list[Told]) -> None:
    trees = [layer_tree([told.tar], "layer") for told in stack]
    expected = Directory()
    for tree in trees:
        expected = overlay(expected, tree)
    for first in range(1, len(trees)):
        upper = Directory()
        for tree in trees[first:]:
            upper = overlay(upper, tree)
        view = Directory()
        for tree in trees[:first]:
            view = overlay(view, tree)
        assert compare(expected, overlay(view, upper)) == []
