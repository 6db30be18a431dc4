"""Before which members a layer is rather cut.

In: the paths of members, in order. Out: a `Rank` for each that is asked for; the lowest wins. It depends on names alone, so that
two releases rank what they have in common alike:

- A member nearer the root comes first: a cut between packages leaves both whole.
- A member that goes on with the name of the entry before it comes later: `numpy-2.1.dist-info` and `numpy.libs` stay with
  `numpy`.
- Otherwise hashes decide. A version in a name has no part in them.
"""

import hashlib
import re
from typing import NamedTuple


class Rank(NamedTuple):
    depth: int
    """Directories above the member."""
    goes_on: bool
    """Does its name begin like that of the entry before it in the same directory?"""
    hash: bytes


class Ranking:
    """Has to see every member, in order."""

    def __init__(self) -> None:
        self._last: list[bytes] = []
        """For each depth the path that was seen last."""

    def rank(self, path: bytes) -> Rank:
        """The rank of a member that comes next."""
        depth = path.count(b"/")
        stem = _stem(path)
        goes_on = depth < len(self._last) and _stem(self._last[depth]) == stem
        return Rank(depth, goes_on, hashlib.blake2b(path if goes_on else stem, digest_size=8).digest())

    def rank_below(self, bound: Rank | None, path: bytes) -> Rank | None:
        """The rank of a member that comes next, if it is lower than `bound`."""
        if bound is None:
            return self.rank(path)
        if path.count(b"/") > bound.depth:  # as most are
            return None
        found = self.rank(path)
        return found if found < bound else None

    def see(self, path: bytes) -> None:
        depth = path.count(b"/")
        while len(self._last) <= depth:
            self._last.append(b"")
        self._last[depth] = path


def _stem(path: bytes) -> bytes:
    """The path up to the version or suffix in its name, in lower case."""
    directory = path.rfind(b"/") + 1
    found = _STEM.match(path, directory)
    return path[: found.end()].lower() if found is not None else path


_STEM = re.compile(rb"[^A-Za-z]*[A-Za-z_]+")
