"""Files as a tree to draw. In: files of one layer, or of a whole platform. Out: a `Node` in which what costs little is one."""

from collections.abc import Iterable

from layerkit.costs.contents import Node
from layerkit.costs.directory_sums import DirectorySums
from layerkit.costs.folders import ROOT
from layerkit.costs.image_files import ImageFiles
from layerkit.costs.layer_files import FILE, LayerFiles

REST = "…"
"""What the smaller ones of a directory are called together."""
MAX_DEPTH = 40
"""Directories within each other; what is deeper is part of the rest of the last one."""


def platform_tree(files: ImageFiles, least: int) -> Node:
    """All files that can be seen. What costs less than `least` bytes isn't shown by itself."""
    return _tree(files.seen(), least)


def layer_tree(layer: LayerFiles, least: int) -> Node:
    """All files of a layer, those that later layers take away, too."""
    return _tree(((layer, number) for number in range(len(layer)) if layer.kinds[number] == FILE), least)


def _tree(files: Iterable[tuple[LayerFiles, int]], least: int) -> Node:
    sums = DirectorySums()
    children: dict[int, list[Node]] = {}
    for layer, number in files:
        size, cost = layer.sizes[number], layer.cost_of(number)
        sums.add(layer, layer.folder[number], size, cost)
        if cost >= least:
            folder = sums.number_of(layer, layer.folder[number])
            children.setdefault(folder, []).append(Node(_text(layer.name_of(number)), 1, size, cost))
    sums.roll_up()
    folders = sums.folders
    depths = [0]
    for number in range(1, len(folders)):
        depths.append(depths[folders.above[number]] + 1)
    for number in range(len(folders) - 1, ROOT, -1):  # what is in a directory comes before it
        found = children.pop(number, [])
        if sums.files[number] and sums.costs[number] >= least and depths[number] <= MAX_DEPTH:
            node = _joined(_directory(sums, number, found))
            children.setdefault(folders.above[number], []).append(node)
    return _directory(sums, ROOT, children.pop(ROOT, []))


def _directory(sums: DirectorySums, number: int, found: list[Node]) -> Node:
    name, files, size, cost = _text(sums.folders.names[number]), sums.files[number], sums.sizes[number], sums.costs[number]
    found.sort(key=lambda node: (-node.cost, node.name))
    rest = files - sum(node.files for node in found)
    if rest:
        found.append(Node(REST, rest, size - sum(node.size for node in found), cost - sum(node.cost for node in found)))
    return Node(name, files, size, cost, tuple(found))


def _joined(node: Node) -> Node:
    """A directory with nothing but a directory in it is one with it: `usr/local/lib`."""
    if len(node.children) != 1 or not node.children[0].children:
        return node
    (only,) = node.children
    return Node(f"{node.name}/{only.name}", only.files, only.size, only.cost, only.children)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
