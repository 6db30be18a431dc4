"""A blob's bytes for one request after the other.

Chunks of an upload follow each other, and a Content may have to work for its bytes: reading on costs nothing, beginning at an
offset may. So the iterator is kept while chunks succeed, and begun anew at the right offset when one has to be sent again.
"""

from collections.abc import Iterator

from layerkit.errors import DamagedError
from layerkit.image.blob import Blob, Buffer


class BlobReader:
    """Reads one blob for one upload; not thread-safe."""

    def __init__(self, blob: Blob, label: str) -> None:
        self._blob = blob
        self._label = label
        self._pieces: Iterator[Buffer] | None = None
        self._left = memoryview(b"")
        self._position = 0

    def read(self, offset: int, size: int) -> Iterator[Buffer]:
        """`size` bytes from `offset`. Raises DamagedError when the content ends before."""
        pieces, left = self._pieces, self._left
        self._pieces = None  # until this read is complete, nobody knows where the iterator stands
        if pieces is None or self._position != offset:
            pieces, left = self._blob.chunks(offset), memoryview(b"")
        end = offset + size
        while offset < end:
            if not left:
                piece = next(pieces, None)
                if piece is None:
                    raise DamagedError.mismatch(
                        f"{self._label}: blob {self._blob.digest}",
                        expected=f"{self._blob.size:,} bytes",
                        found=f"{offset:,} bytes",
                        why="the file is truncated or was altered",
                    )
                left = memoryview(piece)
                continue
            part = left[: end - offset]
            yield part
            offset += len(part)
            left = left[len(part) :]
        self._pieces, self._left, self._position = pieces, left, offset
