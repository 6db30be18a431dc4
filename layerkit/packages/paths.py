"""Where a path really is. In: a path as a database has it. Out: as the image has it, its directories' symlinks followed.

dpkg lists `/lib/x86_64-linux-gnu/libc.so.6`; where `/lib` is a symlink to `usr/lib`, the layer has `usr/lib/x86_64-linux-gnu/…`.
"""

from collections.abc import Callable
from typing import TypeAlias

Links: TypeAlias = Callable[[bytes], bytes | None]
"""Where the symlink at a path leads to, as it says so; None when there is none. Paths are without a leading slash."""

MAX_PATH = 4096
"""Bytes of a path: Linux' PATH_MAX."""
_MAX_HOPS = 40
"""Symlinks followed on the way: as many as Linux follows."""
_MAX_REMEMBERED = 10_000
"""Directories. Databases list files by directory, so that a few are enough."""


class Paths:
    def __init__(self, links: Links) -> None:
        self._links = links
        self._known: dict[bytes, bytes | None] = {}

    def real(self, path: bytes) -> bytes | None:
        """From the root, without a leading slash; None when it can't be a file's. A last symlink isn't followed."""
        if len(path) > MAX_PATH:
            return None
        folder, _, name = path.rpartition(b"/")
        if name in (b"", b".", b".."):
            return None
        if folder in self._known:
            above = self._known[folder]
        else:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            above = self._known[folder] = self._folder(folder)
        if above is None:
            return None
        return above + b"/" + name if above else name

    def _folder(self, path: bytes) -> bytes | None:
        waiting = path.split(b"/")[::-1]
        real, hops = b"", 0
        while waiting:
            name = waiting.pop()
            if name in (b"", b"."):
                continue
            if name == b"..":
                real = real.rpartition(b"/")[0]
                continue
            here = real + b"/" + name if real else name
            target = self._links(here)
            if target is None:
                real = here
                continue
            hops += 1
            if hops > _MAX_HOPS or len(target) > MAX_PATH:
                return None
            if target.startswith(b"/"):
                real = b""
            waiting += target.split(b"/")[::-1]
        return real if len(real) <= MAX_PATH else None
