"""What the headers of the upload protocol mean, as registries really write them (distribution-spec, "Pushing a blob in
chunks"). No I/O.
"""

import re
import threading

from layerkit.image.digest import Digest
from layerkit.image.foreign import natural

FLOOR = 10 << 20
"""Bytes of the smallest chunk: S3-backed registries buffer at least 5 MiB, and each request has its own cost."""

_RANGE = re.compile(r"(?:bytes[ =])?\s*(\d+)-(\d+)")


def acknowledged(value: str | None, expected: int) -> int | None:
    """How many bytes the registry holds, from its Range header: `0-N`, `bytes=0-N`; None when it doesn't say. `0-0` is how
    registries write "nothing", and also "one byte": it is read as one byte only if that is what is `expected`."""
    match = _RANGE.fullmatch(value.strip()) if value else None
    if match is None or match[1] != "0":
        return None
    last = natural(match[2])
    if last is None:
        return None
    if last == 0:
        return 1 if expected == 1 else 0
    return last + 1


def with_digest(location: str, digest: Digest) -> str:
    """The commit's URL. The query is never taken apart: it may be signed (`_state`)."""
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"


class ChunkSize:
    """Bytes of one PATCH, shared by all uploads to one registry: what one learnt about its edge holds for the others."""

    def __init__(self, size: int, floor: int = FLOOR) -> None:
        self._size = max(1, size)
        self._floor = min(floor, self._size)
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        return self._size

    @property
    def smallest(self) -> bool:
        return self._size <= self._floor

    def shrink(self, failed: int) -> bool:
        """A request of `failed` bytes was too large or took too long: half of that, in multiples of the floor. False when chunks
        are as small as they get; another upload may have shrunk them already."""
        with self._lock:
            if failed <= self._floor:
                return False
            half = min(failed, self._size) // 2
            if failed >= self._size:
                self._size = max(self._floor, half - half % self._floor)
            return True

    def at_least(self, minimum: int) -> None:
        """The registry's own minimum (OCI-Chunk-Min-Length)."""
        with self._lock:
            self._floor = max(self._floor, minimum)
            self._size = max(self._size, minimum)
