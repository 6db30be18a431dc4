"""Trees as columns: nothing is lost, what costs most is kept, and no tree is too deep or too wide."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from layerkit.costs.contents import Node
from layerkit.report.page.tree import DEEPEST, LONGEST_NAME, REST, Columns, columns


def directory(name: str, children: list[Node]) -> Node:
    found = sorted(children, key=lambda child: -child.cost)
    return Node(name, sum(n.files for n in found), sum(n.size for n in found), sum(n.cost for n in found), tuple(found))


names = st.text("abc/<é", min_size=1, max_size=4)
leaves = st.builds(Node, names | st.just(REST), st.just(1), st.integers(0, 10**9), st.integers(0, 10**9))
trees = st.recursive(leaves, lambda inner: st.builds(directory, names, st.lists(inner, min_size=1, max_size=4)), max_leaves=25)
images = st.dictionaries(st.integers(1, 500), trees, max_size=4)


def inside(found: Columns, place: int) -> Iterator[int]:
    return (index for index, above in enumerate(found.above) if above == place)


@given(images, st.integers(0, 40))
def test_nothing_is_lost(image: dict[int, Node], most: int) -> None:
    """What is in a node that is shown is there or drawn together: the sums stay what they were."""
    found = columns(image, most)
    assert found.above[0] == -1
    assert all(above < index for index, above in enumerate(found.above))
    assert [found.name[index] for index in inside(found, 0)] == [str(number) for number in sorted(image)]
    for index in range(len(found.name)):
        children = list(inside(found, index))
        if children and index:
            for column in (found.files, found.size, found.cost):
                assert sum(column[child] for child in children) == column[index]
    assert found.cost[0] == sum(tree.cost for tree in image.values())


@given(images, st.integers(0, 40))
def test_what_costs_most_is_kept(image: dict[int, Node], most: int) -> None:
    found = columns(image, most)
    shown = [index for index in range(1 + len(image), len(found.name)) if found.name[index] != REST]
    assert len(shown) <= most
    every = sorted((node.cost for tree in image.values() for node in below(tree)), reverse=True)
    assert [found.cost[index] for index in shown] == every[:most]


def below(node: Node) -> Iterator[Node]:
    for child in node.children:
        if child.name != REST:
            yield child
            yield from below(child)


def test_a_deep_tree() -> None:
    node = Node("file", 1, 10, 5)
    for _ in range(5_000):
        node = Node("x", 1, 10, 5, (node,))
    found = columns({1: node}, 6_000)
    assert len(found.name) == 2 + DEEPEST + 1
    assert found.name[-1] == REST
    assert found.cost[-1] == 5


def test_a_wide_tree_of_long_names() -> None:
    children = [Node(f"{number}{'x' * 4_000}", 1, 9, number) for number in range(50_000)]
    found = columns({1: directory("", children)}, 100)
    assert len(found.name) == 2 + 100 + 1
    assert found.cost[2] == 49_999
    assert max(map(len, found.name)) == LONGEST_NAME
    assert found.files[-1] == 49_900


def test_no_trees() -> None:
    assert columns({}, 100) == Columns([-1], [""], [0], [0], [0])
