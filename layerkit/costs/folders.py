"""Paths of directories as numbers. In: paths. Out: a number for each, with its name and the number of the one above.

Only names are held, each once: a hostile layer may have a million directories that are 2,000 deep each, whose paths written out
would take gigabytes.
"""

import struct
from array import array
from collections.abc import Iterator

ROOT = 0
_KEY = struct.Struct("q")


class Folders:
    """Number 0 is the root; whatever is above a directory has a lower number."""

    def __init__(self) -> None:
        self.names = [b""]
        self.above = array("I", [ROOT])
        """Of each: the number of the directory that it is in."""
        self._children: dict[tuple[int, bytes], int] = {}
        self._known = {hash(b""): ROOT}
        """By the hash of the path as it was spelled: 64 bits of SipHash, so that nobody can choose paths that share one."""
        self._keys = [b""]

    def __len__(self) -> int:
        return len(self.names)

    def number_of(self, path: bytes) -> int:
        """Without a leading slash. It is added if it isn't there."""
        key = hash(path)
        found = self._known.get(key)
        if found is None:
            found = ROOT
            for name in path.split(b"/"):
                found = self.child(found, name)
            self._known[key] = found
        return found

    def child(self, above: int, name: bytes) -> int:
        """It is added if it isn't there."""
        found = self._children.get((above, name))
        if found is None:
            found = self._children[above, name] = len(self.names)
            self.names.append(name)
            self.above.append(above)
        return found

    def key(self, number: int) -> bytes:
        """Stands for the path, in all `Folders` of this process: eight bytes of its hash."""
        keys = self._keys
        while len(keys) <= number:
            keys.append(_KEY.pack(hash(keys[self.above[len(keys)]] + b"/" + self.names[len(keys)])))
        return keys[number]

    def path(self, number: int) -> bytes:
        """Without a leading slash."""
        return b"/".join(reversed(list(self._upwards(number))))

    def _upwards(self, number: int) -> Iterator[bytes]:
        while number != ROOT:
            yield self.names[number]
            number = self.above[number]
