"""Files as a tree to draw."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from layerkit.costs.contents import Node
from layerkit.costs.tree import MAX_DEPTH, REST, layer_tree, platform_tree
from tests.costs.reading import layer_files, platform_files
from tests.tar_building import directory, file, layer

paths = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5).map("/".join)


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from nodes(child)


@given(st.dictionaries(paths.map(lambda path: path + "/f"), st.integers(0, 5000), max_size=12), st.integers(0, 3000))
@settings(deadline=None)
def test_sums_hold_everywhere(sizes: dict[str, int], least: int) -> None:
    tree = layer_tree(layer_files(layer(*(file(path, b"x" * size) for path, size in sizes.items()))), least)
    assert (tree.files, tree.size) == (len(sizes), sum(sizes.values()))
    for node in nodes(tree):
        if node.children:
            assert node.files == sum(child.files for child in node.children)
            assert node.size == sum(child.size for child in node.children)
            assert node.cost == sum(child.cost for child in node.children)
            costs = [child.cost for child in node.children if child.name != REST]
            assert costs == sorted(costs, reverse=True)
            assert all(cost >= least for cost in costs)


def test_a_tree() -> None:
    blob = layer(directory("usr"), file("usr/lib/x/a", b"x" * 9000), file("usr/lib/x/b", b""), file("etc/c", b"y" * 300))
    tree = layer_tree(layer_files(blob), 0)
    assert [child.name for child in tree.children] == ["usr/lib/x", "etc"]
    assert [(child.name, child.size) for child in tree.children[0].children] == [("a", 9000), ("b", 0)]


def test_what_is_replaced_is_in_the_layer_and_not_in_the_whole() -> None:
    read = platform_files(layer(file("a", b"x" * 5000), file("b", b"")), layer(file("a", b"y")))
    assert platform_tree(read.files, 0).size == 1
    assert layer_tree(read.files.distinct[0], 0).size == 5000


def test_deep_paths_end_in_a_rest() -> None:
    tree = layer_tree(layer_files(layer(*(file("/".join("d" * depth + "f"), b"x" * 600) for depth in range(200)))), 0)
    deepest = max(nodes(tree), key=lambda node: node.name == REST)
    assert deepest.files == 200 - MAX_DEPTH - 1
