"""Layers merged into one tree, as an overlay mount shows them.

In: the trees of layers, from the bottom up. Out: the tree of all of them. Whiteouts hide what lower layers have, never their own
layer's entries (image-spec layer.md, "Whiteouts"); a directory over a directory merges, and the upper one's attributes win.

A layer's tree is never changed by merging, so that it may be part of two views. What merging made is changed by merging more
into it. Markers are kept: a stack of a few layers merged by itself still says what it would hide of the layers below.
"""

from collections.abc import Callable, Container, Iterable, Iterator

from layerkit.filesystem.directory import Directory, Inode
from layerkit.filesystem.entry import Entry
from layerkit.filesystem.hiding import hide_from_some, what_they_show
from layerkit.filesystem.layer_tree import EVERYTHING, LayerTree
from layerkit.filesystem.marks import joined_marks
from layerkit.filesystem.rows import Row, Rows
from layerkit.image.blob import Buffer


def merged_view(layers: Iterable[Iterable[Buffer]]) -> Directory:
    """The filesystem that raw layer tars make, each given as its bytes in pieces, with all entries. Raises DamagedError."""
    view = Directory()
    for number, pieces in enumerate(layers, 1):
        view = overlay(view, layer_tree(pieces, f"layer {number}"))
    return view


def layer_tree(pieces: Iterable[Buffer], where: str) -> Directory:
    """One layer's tree, with all entries. `where` is what messages call it. Raises DamagedError."""
    tree = LayerTree(where, wanted=EVERYTHING)
    for piece in pieces:
        tree.feed(piece)
    return tree.close()


Gone = Callable[[Directory | Inode | Row], None]


def overlay(lower: Directory, upper: Directory, *, gone: Gone | None = None) -> Directory:
    """`upper` on top of `lower`. Those of the two that were merged before must not be used any more. `gone` is told what of the
    lower one isn't there any more: whole directories, and files and inodes once for each of their paths."""
    root = lower.own()
    if upper.looks or upper.shown:
        root.shown = {**root.shown, **upper.shown, **what_they_show(upper.looks, root)}
        root.looks += upper.looks
    waiting = [(root, upper)]
    while waiting:
        out, up = waiting.pop()
        _hide(out, up, gone)
        files = _merge_files(out, up, gone)
        for name, child in up.children.items():
            below = out.children.get(name)
            if isinstance(child, Directory) and isinstance(below, Directory) and not child.replaces:
                merged = out.children[name] = below.own()
                waiting.append((merged, child))
                continue
            if below is not None and gone is not None:
                gone(below)
            if isinstance(child, Directory) and (below is not None or name in files):
                child = _over_file(child)
            out.children[name] = child
    return root


def _hide(out: Directory, up: Directory, gone: Gone | None) -> None:
    """What the upper directory says of itself, and hides of the lower one."""
    if up.attributes is not None:
        out.attributes, out.entry = up.attributes, up.entry
    out.implied = up.implied
    if up.opaque:
        out.opaque = True
    if up.whiteouts:
        out.whiteouts |= up.whiteouts
    if up.marks:
        out.marks = joined_marks(out.marks, up.marks)
    hidden = (*out.children, *(out.entries or ())) if up.opaque else up.whiteouts
    if gone is not None and (up.opaque or hidden):
        _tell(out, None if up.opaque else {out.key_of(name) for name in hidden}, hidden, gone)
    if hidden:
        out.remove(hidden)
    if up.opaque:
        out.files = None
    if up.marks:
        hide_from_some(out, up.marks)
    if out.contested or up.contested:
        kept = {
            name: how for name, how in out.contested.items() if out.holds(name) and (not up.holds(name) or _merges(out, up, name))
        }
        out.contested = {**kept, **up.contested}


def _merges(out: Directory, up: Directory, name: bytes) -> bool:
    """Is it a directory over a directory, and not over one that was gone in between?"""
    below, above = out.children.get(name), up.children.get(name)
    return isinstance(above, Directory) and isinstance(below, Directory) and not above.replaces


def _tell(out: Directory, keys: Container[int] | None, names: Iterable[bytes], gone: Gone) -> None:
    """The files of these keys (None: all) and whatever else has one of these names are no longer there."""
    for name in names:
        if name in out.children:
            gone(out.children[name])
    if out.files is not None:
        for key, number in out.numbers().items():
            if keys is None or key in keys:
                gone(out.files[number])


def _merge_files(out: Directory, up: Directory, gone: Gone | None) -> set[bytes]:
    """The upper one's files. Returns the names of the upper one's directories that take the place of a lower file."""
    fresh = {out.key_of(name): name for name in up.children if name not in out.children}
    over = {fresh[key] for key in out.files.all_keys() if key in fresh} if out.files is not None and fresh else set()
    if out.entries is not None:
        for name in up.children:
            out.entries.pop(name, None)
    if gone is not None and out.files is not None:
        _tell(out, fresh.keys() | set(up.files.all_keys() if up.files is not None else ()), (), gone)
    if up.files is None:
        return over
    if out.children or out.entries:
        named = {out.key_of(name): name for name in (*out.children, *(out.entries or ())) if name not in up.children}
        for key in up.files.all_keys():
            if key in named:
                before = out.children.pop(named[key], None)
                if before is not None and gone is not None:
                    gone(before)
                if out.entries is not None:
                    out.entries.pop(named[key], None)
    if out.files is None:
        out.files = Rows(up.files.width)
    out.files.data += up.files.data
    if up.entries is not None:
        out.entries = {**(out.entries or {}), **up.entries}
    return over


def _over_file(directory: Directory) -> Directory:
    """A directory that replaced a lower layer's file has nothing to do with what lies below that file."""
    over = directory.own()
    over.replaces = True
    return over


def walk(view: Directory) -> Iterator[tuple[bytes, Directory | Entry]]:
    """Every path and what is there, the root as an empty path first. Of a tree with all entries."""
    waiting = [(b"", view)]
    while waiting:
        path, directory = waiting.pop()
        yield path, directory
        prefix = path + b"/" if path else b""
        for name, child in directory.children.items():
            if isinstance(child, Directory):
                waiting.append((prefix + name, child))
            elif child.entry is not None:
                yield prefix + name, child.entry
        for name, entry in (directory.entries or {}).items():
            yield prefix + name, entry
