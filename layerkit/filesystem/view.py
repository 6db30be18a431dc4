"""Layers merged into one tree, as an overlay mount shows them.

In: the trees of layers, from the bottom up. Out: the tree of all of them. Whiteouts hide what lower layers have, never their own
layer's entries (image-spec layer.md, "Whiteouts"); a directory over a directory merges, and the upper one's attributes win.

Trees are never changed by merging, so that one layer's tree may be part of two views. Markers are kept: a stack of a few layers
merged by itself still says what it would hide of the layers below.
"""

from collections.abc import Iterable, Iterator

from layerkit.filesystem.entry import Entry
from layerkit.filesystem.layer_tree import Directory, LayerTree
from layerkit.image.blob import Buffer


def merged_view(layers: Iterable[Iterable[Buffer]]) -> Directory:
    """The filesystem that raw layer tars make, each given as its bytes in pieces. Raises DamagedError."""
    view = Directory()
    for number, pieces in enumerate(layers, 1):
        view = overlay(view, layer_tree(pieces, f"layer {number}"))
    return view


def layer_tree(pieces: Iterable[Buffer], where: str) -> Directory:
    """One layer's tree. `where` is what messages call it. Raises DamagedError."""
    tree = LayerTree(where)
    for piece in pieces:
        tree.feed(piece)
    return tree.close()


def overlay(lower: Directory, upper: Directory) -> Directory:
    """`upper` on top of `lower`."""
    root = Directory()
    waiting = [(lower, upper, root)]
    while waiting:
        low, up, out = waiting.pop()
        _merge_directory(low, up, out)
        for name, child in up.children.items():
            below = out.children.get(name)
            if isinstance(child, Directory) and isinstance(below, Directory) and not child.replaces:
                merged = out.children[name] = Directory()
                waiting.append((below, child, merged))
            else:
                out.children[name] = _over_file(child) if isinstance(child, Directory) and below is not None else child
    return root


def _merge_directory(low: Directory, up: Directory, out: Directory) -> None:
    """Everything about a directory but the children that both sides have."""
    out.entry = up.entry if up.entry is not None else low.entry
    out.implied = up.implied
    out.opaque = low.opaque or up.opaque
    out.replaces = low.replaces
    out.whiteouts = low.whiteouts | up.whiteouts
    if not up.opaque:
        out.children = dict(low.children)
    for name in up.whiteouts:
        out.children.pop(name, None)
    if low.contested or up.contested:
        kept = {
            name: how
            for name, how in low.contested.items()
            if name in out.children and (name not in up.children or _merges(out.children[name], up.children[name]))
        }
        out.contested = {**kept, **up.contested}


def _merges(below: Directory | Entry | None, above: Directory | Entry) -> bool:
    """Is it a directory over a directory, and not over one that was gone in between?"""
    return isinstance(above, Directory) and isinstance(below, Directory) and not above.replaces


def _over_file(directory: Directory) -> Directory:
    """A directory that replaced a lower layer's file has nothing to do with what lies below that file."""
    over = Directory()
    over.entry, over.implied, over.opaque, over.replaces = directory.entry, directory.implied, directory.opaque, True
    over.children, over.whiteouts, over.contested = directory.children, directory.whiteouts, directory.contested
    return over


def walk(view: Directory) -> Iterator[tuple[bytes, Directory | Entry]]:
    """Every path and what is there, the root as an empty path first."""
    waiting: list[tuple[bytes, Directory | Entry]] = [(b"", view)]
    while waiting:
        path, node = waiting.pop()
        yield path, node
        if isinstance(node, Directory):
            prefix = path + b"/" if path else b""
            waiting.extend((prefix + name, child) for name, child in node.children.items())
