"""What overlays' own marks make of merged layers.

In: the marks of an upper layer, the view of those below it. Out: what they hide from some overlays is another one than what all
see, and what reads on below has a digest of what it finds there. Real layers hardly ever have any: it need not be fast.
"""

import copy
from collections.abc import Iterable
from typing import TypeVar

from layerkit.filesystem.attributes import hidden_attributes
from layerkit.filesystem.directory import Directory, Inode, directories
from layerkit.filesystem.entry import Entry
from layerkit.filesystem.marks import Look, Marks, joined_marks
from layerkit.filesystem.rows import Row, Rows

_DIGEST = 1 << 64
E = TypeVar("E", Entry, Entry | None)


def hide_from_some(view: Directory, marks: Marks) -> None:
    """Some overlays don't see anything that `view` holds so far, itself left out."""
    inodes: dict[Inode, Inode] = {}
    waiting = [view]
    while waiting:
        directory = waiting.pop()
        for name, child in directory.children.items():
            if isinstance(child, Directory):
                own = directory.children[name] = child.own()
                if own.attributes is not None:
                    own.attributes = hidden_attributes(own.attributes, marks)
                own.entry = _hidden(own.entry, marks)
                waiting.append(own)
            else:
                directory.children[name] = inodes.setdefault(child, _hidden_inode(child, marks))
        if directory.files is not None:
            files = Rows(directory.files.width)
            for number, key in enumerate(directory.files.all_keys()):
                row = directory.files[number]
                files.add(key, row._replace(attributes=hidden_attributes(row.attributes, marks)))
            directory.files = files
        if directory.entries is not None:
            directory.entries = {name: _hidden(entry, marks) for name, entry in directory.entries.items()}


def what_they_show(looks: Iterable[Look], below: Directory) -> dict[bytes, int]:
    """Of what looks below, what is there: path -> digest of what it finds, if it finds anything."""
    found = ((look.path, _at(below, look.below)) for look in looks)
    return {path: _digest(node) for path, node in found if node is not None}


def _hidden_inode(inode: Inode, marks: Marks) -> Inode:
    other = Inode(hidden_attributes(inode.attributes, marks), inode.digest, inode.link, _hidden(inode.entry, marks))
    other.origin = inode.origin
    other.whole = inode.whole or inode
    return other


def _hidden(entry: E, marks: Marks) -> E:
    if entry is None:
        return entry
    other = copy.copy(entry)
    other.hidden = joined_marks(entry.hidden, marks)
    return other


def _at(root: Directory, path: bytes) -> Directory | Inode | Row | None:
    here = root
    *above, name = path.split(b"/")
    for part in above:
        child = here.children.get(part)
        if not isinstance(child, Directory):
            return None
        here = child
    if not name:
        return here
    return here.children.get(name) or here.row(here.numbers().get(here.key_of(name)))


def _digest(node: Directory | Inode | Row) -> int:
    if not isinstance(node, Directory):
        return hash((node.attributes, node.digest))
    total = 0
    for directory in directories(node):
        total += hash((directory.key, directory.attributes))
        for name, child in directory.children.items():
            if isinstance(child, Inode):
                total += hash((directory.key_of(name), child.attributes, child.digest))
        for key, number in directory.numbers().items():
            total += hash((key, directory.row(number)))
    return total % _DIGEST
