"""What of a member's path says whether a layer is rather cut before it.

In: the paths of members, in order. Out: a `Rank` for each that is asked for. It depends on names alone, so that two releases rank
what they have in common alike:

- A member that goes on with the name of the entry before it isn't where a package begins: `numpy-2.1.dist-info` and `numpy.libs`
  stay with `numpy`.
- Otherwise hashes decide. A version in a name has no part in them.
"""

import hashlib
import re
from typing import NamedTuple


class Rank(NamedTuple):
    goes_on: bool
    """Does its name begin like that of the entry before it in the same directory?"""
    hash: int


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
        digest = hashlib.blake2b(path if goes_on else stem, digest_size=8).digest()
        return Rank(goes_on, int.from_bytes(digest, "little"))

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
