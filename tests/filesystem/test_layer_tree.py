"""One layer's tree: what must not depend on how paths are spelled, on how bytes come, or on who frames them."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.errors import DamagedError
from layerkit.filesystem import compare
from layerkit.filesystem.entry import Entry
from layerkit.filesystem.layer_tree import Directory, Fingerprint, LayerTree
from layerkit.tar.framing import Framer, clean
from tests.tar_building import directory, file, gnu_sparse, hard_link, layer, member, symlink, whiteout, with_checksum

NAMES = [b"a", b"b", b"c", b".", b"..", b"", b".d", b"..e"]
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(b"/".join)
members = st.one_of(
    st.tuples(st.sampled_from([b"0", b"5"]), paths, st.just(b"")),
    st.tuples(st.sampled_from([b"1", b"2"]), paths, paths),
)


def tree_of(data: bytes, step: int = 1 << 20) -> Directory:
    tree = LayerTree("layer 1")
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
    above, below = root.children[b"a"], root.children[b"l"]
    assert isinstance(above, Directory)
    assert isinstance(below, Directory)
    assert sorted(above.children) == [b"f"]
    assert sorted(below.children) == [b"g", b"h"]


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


class Bytes:
    """A fingerprint that is the bytes themselves."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytes(data)

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        self.data += data

    def digest(self) -> bytes:
        return self.data


@pytest.mark.parametrize("fingerprint", [hashlib.sha256, Bytes])
@given(step=st.integers(1, 3000))
def test_members_may_be_framed_elsewhere(fingerprint: Callable[[bytes], Fingerprint], step: int) -> None:
    framer, taking, feeding = Framer("layer 1"), LayerTree("layer 1", fingerprint), LayerTree("layer 1", fingerprint)
    for at in range(0, len(LAYER), step):
        data = memoryview(LAYER)[at : at + step]
        taking.take(data, framer.feed(data))
        feeding.feed(data)
    assert compare(taking.close(), feeding.close()) == []


def test_contents_are_the_files_own() -> None:
    tree = LayerTree("layer 1", Bytes)
    for at in range(0, len(LAYER), 1000):
        tree.feed(LAYER[at : at + 1000])
    found = tree.close().children[b"d"]
    assert isinstance(found, Directory)
    contents = {name: child.digest for name, child in found.children.items() if isinstance(child, Entry)}
    assert contents[b"long"] == contents[b"other"] == b"x" * 5000
    assert contents[b"n" * 120] == b"y" * 600
    assert contents[b"sparse"].endswith(b"a" * 512 + b"b" * 700)
    assert (contents[b"short"], contents[b"empty"], contents[b"link"]) == (b"z", b"", b"")


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
    one, other = root.children[b"a"], root.children[b"b"]
    assert isinstance(other, Directory)
    for entry in (one, other.entry):
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
