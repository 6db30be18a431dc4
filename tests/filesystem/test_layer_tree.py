"""One layer's tree: what must not depend on how paths are spelled, on how bytes come, or on who frames them."""

import hashlib
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from layerkit.errors import DamagedError
from layerkit.filesystem import compare
from layerkit.filesystem.compare import differing
from layerkit.filesystem.directory import Directory
from layerkit.filesystem.entry import Entry
from layerkit.filesystem.layer_tree import EVERYTHING, Fingerprint, LayerTree
from layerkit.filesystem.view import overlay, walk
from layerkit.image.blob import Buffer
from layerkit.tar.framing import Framer, clean
from layerkit.tar.header import Kind
from tests.tar_building import directory, file, gnu_sparse, hard_link, layer, member, symlink, whiteout, with_checksum

NAMES = [b"a", b"b", b"c", b".", b"..", b"", b".d", b"..e"]
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(b"/".join)
members = st.one_of(
    st.tuples(st.sampled_from([b"0", b"5"]), paths, st.just(b"")),
    st.tuples(st.sampled_from([b"1", b"2"]), paths, paths),
)


def tree_of(data: bytes, step: int = 1 << 20) -> Directory:
    tree = LayerTree("layer 1", wanted=EVERYTHING)
    for at in range(0, len(data), step):
        tree.feed(data[at : at + step])
    return tree.close()


def tried(data: bytes) -> Directory | None:
    try:
        return tree_of(data)
    except DamagedError:
        return None


@given(st.lists(members, max_size=8))
def test_spelling_makes_no_difference(told: list[tuple[bytes, bytes, bytes]]) -> None:
    spelled, plain = (
        tried(layer(*(member(spell(name), flag, link=link, mtime=at) for at, (flag, name, link) in enumerate(told))))
        for spell in (bytes, clean)
    )
    assert (spelled is None) == (plain is None)
    if spelled is not None and plain is not None:
        assert compare(spelled, plain) == []


def test_a_spelling_is_forgotten_when_the_symlink_in_it_is() -> None:
    root = tree_of(layer(directory("a"), symlink("l", "a"), file("./l/f"), directory("l"), file("./l/g"), file("l/h")))
    assert sorted(path for path, _ in walk(root)) == [b"", b"a", b"a/f", b"l", b"l/g", b"l/h"]


LAYER = layer(
    directory("d"),
    file("d/long", b"x" * 5000),
    file("d/empty"),
    gnu_sparse("d/sparse", [(0, b"a" * 512), (1 << 20, b"b" * 700)], (1 << 20) + 700),
    file("d/" + "n" * 120, b"y" * 600, xattrs={"user.a": "1"}),
    hard_link("d/other", "d/long"),
    whiteout("d/gone"),
    symlink("d/link", "long"),
    file("d/short", b"z"),
)


@given(step=st.integers(1, 3000))
def test_any_pieces_give_the_same(step: int) -> None:
    assert compare(tree_of(LAYER, step), tree_of(LAYER)) == []


class Kept:
    """Makes fingerprints that are numbers of what was hashed, and keeps it."""

    def __init__(self) -> None:
        self.contents: list[bytearray] = []

    def __call__(self, data: Buffer) -> Fingerprint:
        kept = self.contents

        class Numbered:
            def __init__(self) -> None:
                self.number = len(kept)
                kept.append(bytearray(data))

            def update(self, data: Buffer, /) -> None:
                kept[self.number] += data

            def digest(self) -> bytes:
                return self.number.to_bytes(8)

        return Numbered()


@pytest.mark.parametrize("fingerprint", [hashlib.sha256, xxhash.xxh3_128])
@given(step=st.integers(1, 3000))
def test_members_may_be_framed_elsewhere(fingerprint: Callable[[Buffer], Fingerprint], step: int) -> None:
    framer, taking, feeding = Framer("layer 1"), LayerTree("layer 1", fingerprint), LayerTree("layer 1", fingerprint)
    for at in range(0, len(LAYER), step):
        data = memoryview(LAYER)[at : at + step]
        taking.take(data, framer.feed(data))
        feeding.feed(data)
    assert compare(taking.close(), feeding.close()) == []


def test_contents_are_the_files_own() -> None:
    kept = Kept()
    tree = LayerTree("layer 1", kept, wanted=EVERYTHING)
    for at in range(0, len(LAYER), 1000):
        tree.feed(LAYER[at : at + 1000])
    contents = {
        path: bytes(kept.contents[int.from_bytes(node.digest)])
        for path, node in walk(tree.close())
        if isinstance(node, Entry) and node.kind is Kind.FILE
    }
    assert contents[b"d/long"] == contents[b"d/other"] == b"x" * 5000
    assert contents[b"d/" + b"n" * 120] == b"y" * 600
    assert contents[b"d/sparse"].endswith(b"a" * 512 + b"b" * 700)
    assert (contents[b"d/short"], contents[b"d/empty"]) == (b"z", b"")


@given(
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, (1 << 55) - 1),
    gid=st.integers(0, (1 << 55) - 1),
    mtime=st.integers(-(1 << 55), 1 << 55),
    pax=st.sampled_from([None, {"comment": "x"}]),
)
def test_numbers_of_any_size(mode: int, uid: int, gid: int, mtime: int, pax: dict[str, str] | None) -> None:
    attributes: dict[str, Any] = {"mode": mode, "uid": uid, "gid": gid, "mtime": mtime}
    root = tree_of(layer(file("a", **attributes, pax=pax), directory("b", **attributes, pax=pax)))
    nodes = dict(walk(root))
    other = nodes[b"b"]
    assert isinstance(other, Directory)
    for entry in (nodes[b"a"], other.entry):
        assert isinstance(entry, Entry)
        assert (entry.mode, entry.uid, entry.gid, entry.mtime) == (mode, uid, gid, mtime * 1_000_000_000)


@pytest.mark.parametrize("field", [slice(100, 108), slice(108, 116), slice(116, 124), slice(136, 148)])
@pytest.mark.parametrize("pax", [None, {"comment": "x"}])
def test_what_is_no_number(field: slice, pax: dict[str, str] | None) -> None:
    run = bytearray(file("a", pax=pax))
    own = len(run) - 512
    block = bytearray(run[own:])
    block[field] = b"9".rjust(len(block[field]), b"0")
    run[own:] = with_checksum(bytes(block))
    for _ in range(2):  # what was read before is remembered
        with pytest.raises(DamagedError, match=r"^layer 1: offset 512: expected an octal (mode|uid|gid|mtime), found b'0+9'$"):
            tree_of(layer(file("first"), bytes(run)))


@pytest.mark.parametrize(
    ("runs", "found"),
    [
        ([file("a"), hard_link("a", "a")], "hard link"),
        ([file("a"), hard_link("b", "a"), hard_link("a", "a")], "hard link"),
        ([file("a"), directory("a"), hard_link("l", "a")], "hard link"),
        ([file("d/a"), file("d"), directory("d"), hard_link("l", "d/a")], "hard link"),
        ([file("a"), symlink("a", "b"), hard_link("l", "a")], "symlink"),
        ([symlink("a", "b"), file("a"), hard_link("l", "a")], "file"),
        ([file("a"), file("b"), hard_link("a", "b"), file("b", b"new"), hard_link("l", "a")], "file"),
    ],
)
def test_what_a_hard_link_finds(runs: list[bytes], found: str) -> None:
    """Appliers make room for a link before they look for its target."""
    nodes = dict(walk(tree_of(layer(*runs))))
    last = nodes.get(b"l") or nodes[b"a"]
    assert isinstance(last, Entry)
    assert last.kind.value == found


def test_a_replaced_file_is_another_inode() -> None:
    runs = [file("a", b"1"), hard_link("b", "a"), file("a", b"2"), hard_link("c", "a")]
    nodes = dict(walk(tree_of(layer(*runs))))
    assert nodes[b"a"] is nodes[b"c"]
    assert nodes[b"a"] is not nodes[b"b"]
    other = [file("b", b"1"), file("a", b"2"), hard_link("c", "a")]
    assert compare(tree_of(layer(*runs)), tree_of(layer(*other))) == []


MANY = 10_000


def test_memory() -> None:
    """Two trees, one of them merged of four layers, at most 60 bytes per file and tree."""
    runs = [
        directory(f"usr/d{number:04}") + b"".join(file(f"usr/d{number:04}/file{n:07}.txt", b"x") for n in range(1000))
        for number in range(MANY // 1000)
    ]
    source, parts = layer(*runs), [layer(*runs[at : at + 10]) for at in range(0, len(runs), 3)]
    tracemalloc.start()
    try:
        before = LayerTree("layer", xxhash.xxh3_128)
        before.feed(source)
        after = Directory()
        for part in parts:
            tree = LayerTree("part", xxhash.xxh3_128)
            tree.feed(part)
            after = overlay(after, tree.close())
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 2 * 60 * MANY
    assert not differing(before.close(), after)
