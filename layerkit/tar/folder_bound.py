"""How many directories the paths of a tar may lead through.

In: directories, and symlinks followed, as a reader of a layer comes by them. Out: nothing, or a DamagedError. A directory is held
in memory, whether or not it has an entry: 2,000 members whose paths are 1,900 directories deep compress to 3 MB, and took 7.4 GB
to remember. Symlinks that lead through each other take time in the same way.
"""

from layerkit.errors import DamagedError
from layerkit.tar.framing import Member

_FOLDERS, _FOLDERS_EACH = 50_000, 3
"""Directories: so many, and so many more for each member that brings one. Where they have entries of their own it is one."""
_BYTES, _BYTES_EACH = 32 << 20, 96
"""Bytes of their paths, likewise. Of real layers they are 60 to 110 long, and one member in eight brings one."""

_STEPS, _STEPS_EACH = 1_000_000, 256
"""Names in the targets of symlinks that are followed, likewise."""
SPELLED = 64 << 20
"""Bytes of paths that a reader may remember as they were spelled: beyond that it forgets them, and looks again."""


class FolderBound:
    """Of one layer."""

    __slots__ = ("_bytes", "_folders", "_last", "_members", "_steps", "_where")

    def __init__(self, where: str) -> None:
        self._where = where
        self._folders = self._bytes = self._members = self._steps = 0
        self._last = -1

    def add(self, length: int, member: Member) -> None:
        """`member` leads through a directory that is new, whose path has so many bytes. Raises DamagedError."""
        self._count(member)
        self._folders += 1
        self._bytes += length
        folders = _FOLDERS + _FOLDERS_EACH * self._members
        if self._folders > folders:
            raise self._error(member, f"paths that lead through at most {folders:,} directories so far")
        most = _BYTES + _BYTES_EACH * self._members
        if self._bytes > most:
            raise self._error(member, f"directories whose paths take at most {most:,} bytes so far")

    def follow(self, names: int, member: Member) -> None:
        """On its way there is a symlink, whose target has so many names. Raises DamagedError."""
        self._count(member)
        self._steps += names
        if self._steps > (most := _STEPS + _STEPS_EACH * self._members):
            raise self._error(member, f"symlinks above it that have led through at most {most:,} names so far")

    def _count(self, member: Member) -> None:
        if member.start != self._last:
            self._last = member.start
            self._members += 1

    def _error(self, member: Member, expected: str) -> DamagedError:
        name = member.name[:60].decode(errors="backslashreplace") + ("…" if len(member.name) > 60 else "")
        return DamagedError.mismatch(
            f"{self._where}: offset {member.start:,}: {name}", expected=expected, found="more (no real layer has them)"
        )
