"""What extended attributes say to an overlay that is mounted over a layer.

Builders that read what an overlay wrote leave its marks in their layers. moby's and containers/storage's archive set every xattr
that a layer has, containerd's archive.Apply all but `trusted.`, umoci all. What the mounts then make of them was tried on Linux
6.18 and fuse-overlayfs 1.10, and is in fs/overlayfs/namei.c and fuse-overlayfs' is_directory_opaque:

| xattr | `trusted.overlay.` | `user.overlay.` | `user.fuseoverlayfs.` |
|---|---|---|---|
| opaque=y of a directory | hides what is below | with `userxattr`, it does; fuse-overlayfs heeds all three | fuse-overlayfs |
| opaque=x | its empty files with `whiteout` are whiteouts | the same, with `userxattr` | nothing |
| redirect of a directory | shows another one's content from below | with `userxattr`, it can't be opened | nothing |
| metacopy of a file | shows the content from below, or can't be opened | can't be opened | nothing |
| origin, impure, nlink, uuid, upper, protattr | nothing | nothing | nothing |

fuse-overlayfs takes any value that begins with `y`. A char device 0:0 is a whiteout for all of them: it takes the place of what
is below, as any file does, and is compared as the device it is.

A mark that hides what is below counts by what it hides: it is no attribute of its directory, as a part that repeats the entry
can't have it. What reads on below is compared by what it finds there.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from layerkit.filesystem.entry import Entry
from layerkit.tar.header import Kind

_OPAQUE = frozenset((b"trusted.overlay.opaque", b"user.overlay.opaque", b"user.fuseoverlayfs.opaque"))
_REDIRECT = (b"trusted.overlay.redirect", b"user.overlay.redirect")
_METACOPY = (b"trusted.overlay.metacopy", b"user.overlay.metacopy")
OVERLAY = b"overlay"
"""In the name of every mark."""

Marks = tuple[bytes, ...]
"""Sorted. One that several layers set is there as often."""
NO_MARKS: Marks = ()


class Look(NamedTuple):
    """A path that shows what layers below hold."""

    path: bytes
    below: bytes
    """Where it looks."""


def take_marks(entry: Entry, path: bytes) -> tuple[Marks, Look | None]:
    """Those of an entry that hide what is below, which are then no xattrs of it any more; and where it looks."""
    xattrs = entry.xattrs
    if entry.kind is Kind.DIRECTORY:
        marks = [name for name in _OPAQUE if xattrs.get(name, b"").startswith(b"y")]
        redirects = [name for name in _REDIRECT if xattrs.get(name)]
        entry.xattrs = {name: value for name, value in xattrs.items() if name not in marks and name not in redirects}
        marks += [name + b"=" + xattrs[name] for name in redirects]
        return tuple(sorted(marks)), _look(xattrs, path) if redirects else None
    if entry.kind is Kind.FILE and any(name in xattrs for name in _METACOPY):
        return NO_MARKS, _look(xattrs, path)
    return NO_MARKS, None


def joined_marks(first: Iterable[bytes], second: Iterable[bytes]) -> Marks:
    return tuple(sorted((*first, *second)))


def _look(xattrs: Mapping[bytes, bytes], path: bytes) -> Look:
    """A redirect is a path from the root, or a name beside the path."""
    target = next((xattrs[name] for name in _REDIRECT if xattrs.get(name)), None)
    if target is None:
        return Look(path, path)
    if target.startswith(b"/"):
        return Look(path, target.strip(b"/"))
    above = path.rpartition(b"/")[0]
    return Look(path, above + b"/" + target if above else target)
