"""The layers' trees as one that a page can draw: its most expensive files and directories, as many as fit.

In: a tree for each layer. Out: columns, in which the one above a node is named by its place. Deep trees are no trouble: nothing
here goes down by calling itself, and neither does what reads columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from layerkit.costs.contents import Node
from layerkit.report.page.text import shown

REST = "…"
"""The name of what is drawn together."""

LONGEST_NAME = 200
"""Characters of a name that are kept; several directories in each other may be one name."""

DEEPEST = 60
"""Directories within each other; what is deeper is drawn together."""

_Waiting = tuple[int, int, int, int, Node]
"""Its cost below zero, when it was found, how deep, where the one above is, and what it is: the heap's first costs most."""


@dataclass
class Columns:
    """The first is the image itself, and the layers follow it."""

    above: list[int] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    cost: list[int] = field(default_factory=list)

    def add(self, above: int, name: str, files: int, size: int, cost: int) -> int:
        self.above.append(above)
        self.name.append(name)
        self.files.append(files)
        self.size.append(size)
        self.cost.append(cost)
        return len(self.name) - 1


def columns(trees: Mapping[int, Node], most: int) -> Columns:
    """`trees`: by the layer's number. `most`: nodes beyond the layers; those for what is drawn together aren't counted."""
    found = Columns()
    found.add(
        -1,
        "",
        sum(tree.files for tree in trees.values()),
        sum(tree.size for tree in trees.values()),
        sum(tree.cost for tree in trees.values()),
    )
    waiting: list[_Waiting] = []
    rests: dict[int, list[int]] = {}
    order = 0
    for number, tree in sorted(trees.items()):
        place = found.add(0, str(number), tree.files, tree.size, tree.cost)
        for child in tree.children:
            order += 1
            waiting.append((-child.cost, order, 1, place, child))
    heapify(waiting)
    while waiting:
        _, _, depth, above, node = heappop(waiting)
        if most <= 0 or depth > DEEPEST or node.name == REST:
            rest = rests.setdefault(above, [0, 0, 0])
            for column, value in enumerate((node.files, node.size, node.cost)):
                rest[column] += value
            continue
        most -= 1
        place = found.add(above, shown(node.name, LONGEST_NAME), node.files, node.size, node.cost)
        for child in node.children:
            order += 1
            heappush(waiting, (-child.cost, order, depth + 1, place, child))
    for above, rest in rests.items():
        found.add(above, REST, *rest)
    return found
