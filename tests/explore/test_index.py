"""Files as a tree that is looked at one directory at a time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from layerkit.explore.index import Index, Shown, State
from layerkit.explore.reading import matching, of_all, of_layer, so_far
from tests.costs.reading import layer_files, platform_files
from tests.tar_building import file, layer, whiteout

paths = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(lambda parts: "/".join(parts) + "/f")
contents = st.dictionaries(paths, st.integers(0, 3000), max_size=10)


def leaves(index: Index, folder: Shown, path: str = "") -> dict[str, Shown]:
    assert folder.folder is not None
    found = {}
    for child in index.children(folder.folder):
        below = f"{path}/{child.name}" if path else child.name
        if child.folder is None:
            found[below] = child
        else:
            inside = leaves(index, child, below)
            assert child.files == len(inside)
            assert child.size == sum(one.size for one in inside.values())
            assert child.cost == sum(one.cost for one in inside.values())
            found |= inside
    return found


@given(contents)
@settings(deadline=None)
def test_every_file_is_found_where_it_is(sizes: dict[str, int]) -> None:
    index = Index(so_far(layer_files(layer(*(file(path, b"x" * size) for path, size in sizes.items())))))
    assert {path: one.size for path, one in leaves(index, index.root).items()} == sizes
    assert len(index) == index.root.files == len(sizes)


@given(contents, st.booleans())
@settings(deadline=None)
def test_lists_are_in_order(sizes: dict[str, int], by_name: bool) -> None:
    index = Index(so_far(layer_files(layer(*(file(path, b"x" * size) for path, size in sizes.items())))))
    found = index.children(0, by_name=by_name)
    assert found == sorted(found, key=lambda one: one.name if by_name else (-one.cost, one.name))


@given(contents, st.sampled_from(["", "a", "B/c", "zzz"]))
@settings(deadline=None)
def test_a_filter(sizes: dict[str, int], text: str) -> None:
    read = layer_files(layer(*(file(path, b"x" * size) for path, size in sizes.items())))
    index = matching(so_far(read), text)
    assert set(leaves(index, index.root)) == {path for path in sizes if text.casefold() in path}


def test_what_a_layer_does() -> None:
    below = layer(file("keep", b"1"), file("change", b"old"), file("d/gone", b"22"))
    above = layer(file("new", b"3"), file("change", b"new"), whiteout("d/gone"))
    files = platform_files(below, above).files

    def states(index: Index) -> dict[str, State]:
        return {path: one.state for path, one in leaves(index, index.root).items()}

    assert set(states(Index(of_layer(files, 1))).values()) == {State.ADDED}
    assert states(Index(of_layer(files, 2))) == {"new": State.ADDED, "change": State.CHANGED, "d/gone": State.REMOVED}
    assert set(states(Index(of_all(files)))) == {"keep", "change", "new"}
    assert states(Index(of_layer(files, 3))) == {}
