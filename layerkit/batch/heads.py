"""The first bytes of blobs, remembered: whoever decides about a layer looks at them, for each image that has it, and in a
registry each look is a request."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace

from layerkit.image.blob import Blob, Buffer, Bytes, Content
from layerkit.image.digest import Digest
from layerkit.image.image import Image

HEAD = 1 << 10
"""Bytes that are remembered: what tells a compression is in the first dozen."""

MOST = 20_000
"""Blobs of which they are."""


class Heads:
    """Of one registry. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Digest, bytes] = {}

    def of(self, image: Image) -> Image:
        """The image over the same blobs; those that aren't at hand are looked at once."""
        blobs: Mapping[Digest, Blob] = {
            digest: blob if blob.content.is_local else replace(blob, content=_Headed(self, digest, blob.content))
            for digest, blob in image.blobs.items()
        }
        return replace(image, blobs=blobs)

    def head(self, digest: Digest, content: Content) -> bytes:
        with self._lock:
            known = self._known.get(digest)
        if known is None:
            known = b"".join(map(bytes, content.section(0, min(HEAD, content.size)).chunks()))
            with self._lock:
                if len(self._known) < MOST:
                    self._known[digest] = known
        return known


class _Headed:
    """A `Content` whose beginning may be known."""

    def __init__(self, heads: Heads, digest: Digest, content: Content) -> None:
        self._heads = heads
        self._digest = digest
        self._content = content

    @property
    def size(self) -> int:
        return self._content.size

    @property
    def is_local(self) -> bool:
        return self._content.is_local

    def section(self, start: int, end: int) -> Content:
        start, end = max(start, 0), min(end, self.size)
        if end <= HEAD:
            return Bytes(self._heads.head(self._digest, self._content)[start:end])
        return self._content.section(start, end)

    def chunks(self, offset: int = 0) -> Iterator[Buffer]:
        return self._content.chunks(offset)
