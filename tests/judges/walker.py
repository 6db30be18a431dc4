"""A mounted tree, as strictly as `lstat` tells it, and how two of them differ."""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Seen(NamedTuple):
    """One path. All of it must be the same, but for times that only say when the tree was made."""

    mode: int
    """Type and permission bits."""
    uid: int
    gid: int
    size: int
    mtime_ns: int
    device: tuple[int, int]
    target: bytes
    content: str
    """SHA-256 of a regular file."""
    xattrs: tuple[tuple[str, bytes], ...]
    shares_with: bytes
    """The first path, in byte order, of the same inode; the path itself if it has none."""


_OWN = ("trusted.overlay.", "user.overlay.", "user.fuseoverlayfs.", "security.selinux")
"""xattrs that belong to the storage, not to the image; if they are in an image, what they do counts."""


def walk(root: Path) -> dict[bytes, Seen]:
    """Every path below `root`, and the root itself as an empty one."""
    seen: dict[bytes, Seen] = {}
    firsts: dict[tuple[int, int], bytes] = {}
    for path in sorted(_paths(os.fsencode(root))):
        info = os.lstat(path)
        name = path[len(os.fsencode(root)) + 1 :]
        inode = info.st_dev, info.st_ino
        seen[name] = Seen(
            mode=info.st_mode,
            uid=info.st_uid,
            gid=info.st_gid,
            size=0 if stat.S_ISDIR(info.st_mode) else info.st_size,
            mtime_ns=info.st_mtime_ns,
            device=(os.major(info.st_rdev), os.minor(info.st_rdev)),
            target=os.readlink(path) if stat.S_ISLNK(info.st_mode) else b"",  # noqa: PTH115 - paths are bytes, of any encoding
            content=_digest(path) if stat.S_ISREG(info.st_mode) else "",
            xattrs=_xattrs(path),
            shares_with=firsts.setdefault(inode, name) if info.st_nlink > 1 and not stat.S_ISDIR(info.st_mode) else name,
        )
    return seen


def differences(before: Mapping[bytes, Seen], after: Mapping[bytes, Seen], since_ns: int) -> list[str]:
    """One line each. A time later than `since_ns` on both sides is the applier's own clock (directories it had to make)."""
    found = [f"{path!r} is gone" for path in before.keys() - after.keys()]
    found += [f"{path!r} is new" for path in after.keys() - before.keys()]
    for path in before.keys() & after.keys():
        one, other = before[path], after[path]
        if one.mtime_ns >= since_ns and other.mtime_ns >= since_ns:
            other = other._replace(mtime_ns=one.mtime_ns)
        found += [
            f"{path!r}: {field}: {left!r} -> {right!r}"
            for field, left, right in zip(Seen._fields, one, other, strict=True)
            if left != right
        ]
    return sorted(found)


def _paths(root: bytes) -> list[bytes]:
    found = [root]
    for folder, names, files in os.walk(root):
        found += [os.path.join(folder, name) for name in (*names, *files)]  # noqa: PTH118 - as below
    return found


def _digest(path: bytes) -> str:
    with open(path, "rb") as file:  # noqa: PTH123 - as above
        return hashlib.file_digest(file, "sha256").hexdigest()


def _xattrs(path: bytes) -> tuple[tuple[str, bytes], ...]:
    names = sorted(name for name in os.listxattr(path, follow_symlinks=False) if not name.startswith(_OWN))
    return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)
