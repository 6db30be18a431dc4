"""The merged view against a model, and against what the specification says in single cases."""

import hashlib
from collections.abc import Container

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.errors import DamagedError
from layerkit.filesystem import compare, merged_view
from layerkit.filesystem.compare import differing, same_markers
from layerkit.filesystem.directory import Directory
from layerkit.filesystem.entry import Entry
from layerkit.filesystem.layer_tree import LayerTree
from layerkit.filesystem.view import layer_tree, overlay, walk
from layerkit.tar.header import Kind
from tests.stacks import Model, Op, Record, model_of, stacks, tar_of
from tests.tar_building import (
    char_device,
    directory,
    file,
    global_header,
    gnu_sparse,
    hard_link,
    layer,
    opaque,
    pax_sparse,
    symlink,
    whiteout,
)

KINDS = {
    Kind.FILE: "file",
    Kind.SYMLINK: "symlink",
    Kind.CHAR_DEVICE: "char",
    Kind.BLOCK_DEVICE: "block",
    Kind.FIFO: "fifo",
}


def view_of(*layers: bytes) -> Directory:
    return merged_view([layer] for layer in layers)


def flat(view: Directory) -> dict[bytes, Directory | Entry]:
    return dict(walk(view))


def entry_at(view: Directory, path: bytes) -> Entry:
    node = flat(view)[path]
    entry = node.entry if isinstance(node, Directory) else node
    assert entry is not None
    return entry


def attributes_of(entry: Entry) -> dict[str, object]:
    return {
        "mode": entry.mode,
        "uid": entry.uid,
        "gid": entry.gid,
        "mtime": entry.mtime,
        "xattrs": dict(entry.xattrs),
    }


def expect_node(node: Directory | Entry, record: Record | None, *, implied: bool) -> None:
    if record is None:
        assert isinstance(node, Directory)
        assert (node.entry, node.implied) == (None, True)
        return
    if record.kind == "directory":
        assert isinstance(node, Directory)
        assert node.entry is not None
        assert node.implied == implied
        assert attributes_of(node.entry) == record.attributes
        return
    assert isinstance(node, Entry)
    assert KINDS[node.kind] == record.kind
    assert attributes_of(node) == record.attributes
    if record.kind == "file":
        assert (node.size, node.digest) == (len(record.data), hashlib.sha256(record.data).digest())
    elif record.kind == "symlink":
        assert node.link == record.target
    elif record.kind in ("char", "block"):
        assert node.device is not None
        assert b"%d:%d" % node.device == record.target


def expect(view: Directory, model: Model) -> None:
    seen = flat(view)
    assert seen.keys() == model.entries.keys()
    for path, record in model.entries.items():
        expect_node(seen[path], record, implied=path in model.implied)
    pairs = [(path, other) for path in seen for other in seen if isinstance(seen[path], Entry)]
    for path, other in pairs:
        assert (seen[path] is seen[other]) == (model.entries[path] is model.entries[other]), "which paths share an inode"


@given(stack=stacks(), cut=st.integers(100, 3000))
def test_against_the_model(stack: list[list[Op]], cut: int) -> None:
    tars = [tar_of(ops) for ops in stack]
    view = merged_view([tar[at : at + cut] for at in range(0, len(tar), cut)] for tar in tars)
    expect(view, model_of(stack))


@given(stack=stacks(max_size=6), other=stacks(max_size=6))
def test_compare_tells_models_apart(stack: list[list[Op]], other: list[list[Op]]) -> None:
    """Nothing is found exactly when the model sees the same."""
    views = [view_of(*map(tar_of, one)) for one in (stack, other)]
    assert not compare(views[0], view_of(*map(tar_of, stack)))
    for view, one in ((views[0], other), (views[1], stack)):
        try:
            expect(view, model_of(one))
            same = True
        except AssertionError:
            same = False
        different = [item for item in compare(*views) if item.what != "whiteout"]
        assert same == (not different)


@given(stack=stacks(max_layers=5))
def test_any_run_of_layers_may_be_merged_first(stack: list[list[Op]]) -> None:
    """`overlay` is associative but for what a file hid before a directory replaced it: that is what `opaque` is for."""
    trees = [layer_tree([tar_of(ops)], "layer") for ops in stack]
    expected = Directory()
    for tree in trees:
        expected = overlay(expected, tree)
    for first in range(len(trees)):
        for last in range(first + 1, len(trees) + 1):
            middle = trees[first]
            for tree in trees[first + 1 : last]:
                middle = overlay(middle, tree)
            view = Directory()
            for tree in (*trees[:first], middle, *trees[last:]):
                view = overlay(view, tree)
            assert compare(expected, view) == []


def test_file_between_directories_hides_what_was_below() -> None:
    stack = [layer(file("d/old")), layer(file("d")), layer(directory("d"), file("d/new"))]
    assert b"d/old" not in flat(view_of(*stack))
    bottom, *rest = (layer_tree([tar], "layer") for tar in stack)
    assert b"d/old" not in flat(overlay(bottom, overlay(*rest)))


def test_whiteout_spares_its_own_layer() -> None:
    bottom = layer(directory("d"), file("d/x"), file("d/y"))
    for runs in (
        [whiteout("d"), file("d/z")],
        [file("d/z"), whiteout("d")],
        [file("d/z"), opaque("d")],
        [opaque("d"), file("d/z")],
    ):
        assert set(flat(view_of(bottom, layer(*runs)))) == {b"", b"d", b"d/z"}


def test_whiteout_beside_its_name_is_contested() -> None:
    """Appliers differ on `.wh.x` after `x`, or before a directory x: taking them apart changes what users get."""
    bottom = layer(file("x/old", b"1"))
    for runs in ([whiteout("x"), file("x/new")], [file("x/new"), whiteout("x")], [file("x"), whiteout("x")]):
        together = view_of(bottom, layer(*runs))
        for after in ([layer(*runs[::-1])], [layer(runs[0]), layer(runs[1])]):
            assert "whiteout" in {item.what for item in compare(together, view_of(bottom, *after))}
        assert compare(together, view_of(bottom, layer(*runs), layer(file("y"))))[0].path == "/y"


def test_file_hides_what_is_below_with_or_without_a_whiteout() -> None:
    bottom = layer(file("x/old", b"1"))
    together = view_of(bottom, layer(whiteout("x"), file("x", b"2")))
    assert compare(together, view_of(bottom, layer(whiteout("x")), layer(file("x", b"2")))) == []
    assert compare(together, view_of(bottom, layer(file("x", b"2")))) == []


def test_whiteout_of_a_directory_that_goes_on_in_the_next_part() -> None:
    bottom = layer(file("d/old"))
    before = view_of(bottom, layer(whiteout("d"), directory("d"), file("d/a"), file("d/b")))
    after = view_of(bottom, layer(whiteout("d"), directory("d"), file("d/a")), layer(directory("d"), file("d/b")))
    assert compare(before, after) == []


def test_symlinked_parent_is_followed_in_its_layer_only() -> None:
    together = view_of(layer(directory("usr/lib"), symlink("lib", "usr/lib"), file("lib/x")))
    assert {b"lib", b"usr/lib/x"} <= set(flat(together))
    apart = view_of(layer(directory("usr/lib"), symlink("lib", "usr/lib")), layer(file("lib/x")))
    assert {b"lib/x"} <= set(flat(apart))
    found = {(item.path, item.what) for item in compare(together, apart)}
    assert found == {("/lib", "type"), ("/usr/lib/x", "type"), ("/usr", "attributes")} - {("/usr", "attributes")}


@pytest.mark.parametrize("target", ["usr/lib", "/usr/lib", "./usr/./lib", "../usr/lib", "usr/../usr/lib", "/../usr/lib/."])
def test_spellings_of_symlink_targets(target: str) -> None:
    view = view_of(layer(symlink("lib", target), file("lib/x", b"1")))
    assert entry_at(view, b"usr/lib/x").size == 1


def test_parent_of_a_symlinks_target() -> None:
    """`..` after a symlink leaves the directory that it leads to (fs.RootPath)."""
    view = view_of(layer(directory("a/b"), symlink("s", "a/b"), symlink("t", "s/../c"), file("t/x")))
    assert b"a/c/x" in flat(view)


def test_hard_link_brings_its_own_attributes() -> None:
    """moby's and containerd's createTarFile set owner, mode, times and xattrs after linking."""
    view = view_of(
        layer(file("a", b"1", mode=0o644, xattrs={"user.a": "1"}), hard_link("b", "a", mode=0o600, xattrs={"user.b": "2"}))
    )
    entry = entry_at(view, b"a")
    assert entry is entry_at(view, b"b")
    assert (entry.mode, dict(entry.xattrs)) == (0o600, {b"user.a": b"1", b"user.b": b"2"})


def test_hard_link_to_a_symlink_is_that_symlink() -> None:
    view = view_of(layer(symlink("s", "x"), hard_link("h", "s")))
    assert entry_at(view, b"h") is entry_at(view, b"s")
    assert entry_at(view, b"h").link == b"x"


def test_hard_link_out_of_its_layer() -> None:
    """moby and containerd refuse it; it is told apart from one that works."""
    apart = view_of(layer(file("a", b"1")), layer(hard_link("b", "a")))
    assert entry_at(apart, b"b").kind is Kind.HARD_LINK
    found = compare(view_of(layer(file("a", b"1"), hard_link("b", "a"))), apart)
    assert [(item.path, item.before, item.after) for item in found if item.what == "type"] == [("/b", "file", "hard link")]


def test_directory_of_another_layer_shows_whose_attributes_count() -> None:
    bottom = layer(directory("d", mode=0o700))
    explicit = view_of(bottom, layer(directory("d", mode=0o700), file("d/x")))
    implied = view_of(bottom, layer(file("d/x")))
    assert [(item.path, item.what) for item in compare(explicit, implied)] == [("/d", "attributes")]


def test_root_has_attributes_too() -> None:
    before, after = (view_of(layer(directory("./", mode=mode))) for mode in (0o755, 0o700))
    assert [str(item) for item in compare(before, after)] == ["/: mode: 0755 -> 0700"]


def test_pax_globals_in_force_are_compared() -> None:
    before = view_of(layer(global_header({"mtime": "5"}), file("a"), file("b")))
    after = view_of(layer(global_header({"mtime": "5"}), file("a")), layer(file("b")))
    assert [str(item) for item in compare(before, after)] == ["/b: pax global mtime: 5 -> absent"]
    repeated = view_of(layer(global_header({"mtime": "5"}), file("a")), layer(global_header({"mtime": "5"}), file("b")))
    assert compare(before, repeated) == []


def test_global_records_can_be_taken_back() -> None:
    view = view_of(layer(global_header({"mtime": "5", "comment": "x"}), global_header({"mtime": ""}), file("a")))
    assert dict(entry_at(view, b"a").globals) == {b"comment": b"x"}


def test_sparse_files_differ_by_their_map() -> None:
    one = view_of(layer(gnu_sparse("s", [(0, b"a" * 512)], 4096)))
    other = view_of(layer(gnu_sparse("s", [(512, b"a" * 512)], 4096)))
    assert [item.what for item in compare(one, other)] == ["content"]
    one = view_of(layer(pax_sparse("s", [(0, b"a" * 512)], 4096)))
    other = view_of(layer(pax_sparse("s", [(0, b"a" * 512)], 8192)))
    assert [item.what for item in compare(one, other)] == ["content"]


def test_very_deep_paths() -> None:
    """Deeper than Python's stack."""
    deep = "/".join("d" * 3000)
    view = view_of(layer(file(deep, b"x")), layer(file(deep, b"y")))
    assert entry_at(view, deep.encode()).size == 1
    assert len(compare(view, view_of(layer(file(deep, b"z"))))) == 1


def test_pax_times() -> None:
    for text, nanoseconds in (
        ("1.5", 1_500_000_000),
        ("-1.25", -1_250_000_000),
        ("7", 7_000_000_000),
        ("0.1234567899", 123_456_789),
    ):
        assert entry_at(view_of(layer(file("a", pax={"mtime": text}))), b"a").mtime == nanoseconds


@pytest.mark.parametrize(
    ("runs", "error"),
    [
        ([file("a"), file("a/b")], r"layer 1: offset 512: a/b: expected a directory above it, found a file, 'a'"),
        (
            [symlink("a", "b"), symlink("b", "a"), file("a/x")],
            r"layer 1: offset 1,024: a/x: expected at most 255 symlinks above it",
        ),
        ([file("a", pax={"mtime": "soon"})], r"layer 1: offset 0: expected a pax mtime in seconds, found b'soon'"),
        ([file("a", pax={"mtime": "1.x"})], r"layer 1: offset 0: expected a pax mtime in seconds"),
        ([file("a", pax={"uid": "root"})], r"layer 1: offset 0: expected a pax uid, found b'root'"),
        ([file("./")], r"layer 1: offset 0: ./: expected a directory as the root, found a file"),
        ([char_device("a", 1, 2)[:329] + b"z" + char_device("a", 1, 2)[330:]], r"layer 1: offset 0: .*checksum"),
    ],
)
def test_errors(runs: list[bytes], error: str) -> None:
    with pytest.raises(DamagedError, match=error):
        view_of(layer(*runs))


def test_unended() -> None:
    with pytest.raises(DamagedError, match="layer 1: offset 512: expected an end-of-archive block"):
        view_of(file("a"))


def digests(tars: list[bytes], wanted: Container[int] | None = None) -> Directory:
    """What `verify` and the proof merge: the entries of what is wanted, and digests of everything."""
    view = Directory()
    for tar in tars:
        tree = LayerTree("layer", wanted=wanted)
        tree.feed(tar)
        view = overlay(view, tree.close())
    return view


@given(stack=stacks(max_size=8), other=stacks(max_size=8), shared=st.integers(0, 4))
def test_digests_tell_apart_what_entries_do(stack: list[list[Op]], other: list[list[Op]], shared: int) -> None:
    """And the entries of what digests say differs explain it as well as all entries would."""
    both = [list(map(tar_of, one)) for one in (stack, [*stack[:shared], *other])]
    everything = compare(*(view_of(*tars) for tars in both))
    keys = differing(*map(digests, both))
    assert bool(keys) == bool(everything)
    assert compare(*(digests(tars, keys) for tars in both)) == everything
    if keys:
        assert compare(*map(digests, both)) != [], "something is said without any entry"


@given(stack=stacks(max_layers=4))
def test_layers_trees_stay_as_they_are(stack: list[list[Op]]) -> None:
    """Merging doesn't change a layer's tree, which may be part of several views."""
    trees, again = ([layer_tree([tar_of(ops)], "layer") for ops in stack] for _ in range(2))
    for _ in range(2):
        view = Directory()
        for tree in trees:
            view = overlay(view, tree)
        expect(view, model_of(stack))
    for tree, same in zip(trees, again, strict=True):
        assert compare(tree, same) == []
        assert same_markers(tree, same)
        assert [path for path, _ in walk(tree)] == [path for path, _ in walk(same)]


def test_links_in_another_order_are_read_again_but_the_same() -> None:
    """Digests of an inode tell the links that led to it in their order, which may come to the same."""
    one = layer(
        file("a", b"1", xattrs={"user.a": "1"}),
        hard_link("b", "a", xattrs={"user.b": "1"}),
        hard_link("c", "a", xattrs={"user.c": "1"}),
    )
    other = layer(
        file("a", b"1", xattrs={"user.a": "1"}),
        hard_link("c", "a", xattrs={"user.c": "1"}),
        hard_link("b", "a", xattrs={"user.b": "1"}),
    )
    keys = differing(digests([one]), digests([other]))
    assert len(keys) == 3
    assert compare(digests([one], keys), digests([other], keys)) == []
