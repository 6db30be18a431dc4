"""Where the frames of a zstd stream begin and end, from its headers alone.

In: the compressed bytes in order. Out: nothing but the word that they are whole: the library's readers end silently at a
truncated stream, and a layer that ends early is a layer with files missing. RFC 8878, section 3.1 (frames, skippable frames,
blocks).
"""

from collections.abc import Callable, Generator

from layerkit.errors import DamagedError
from layerkit.image.blob import Buffer

_MAGIC = 0xFD2FB528
_SKIPPABLE = 0x184D2A50
_SKIPPABLE_MASK = 0xFFFFFFF0
_DICTIONARY_ID_SIZES = (0, 1, 2, 4)
_CONTENT_SIZE_SIZES = (0, 2, 4, 8)
_RAW, _RLE, _COMPRESSED = 0, 1, 2


class FrameWalker:
    """Follows a zstd stream from frame to frame. `where` is what messages call it; `ended` is told the offset of each frame's
    end."""

    def __init__(self, where: str, ended: Callable[[int], None] | None = None) -> None:
        self.where = where
        self._ended = ended
        self.at = 0
        """Bytes seen so far."""
        self.frame_start = 0
        """Offset of the frame that the stream is in, or of the end if it is between frames."""
        self.frames = 0
        """Frames that ended, skippable ones included."""
        self._steps = self._walk()
        self._want = next(self._steps)
        self._carry = b""

    def feed(self, data: Buffer) -> None:
        """The next bytes. Raises DamagedError for what is no zstd frame."""
        view = memoryview(data)
        at, end = 0, len(view)
        self.at += end
        while at < end:
            want = self._want
            if want < 0:
                step = min(-want, end - at)
                at += step
                self._want = want + step
                if self._want == 0:
                    self._want = self._steps.send(b"")
                continue
            take = min(want - len(self._carry), end - at)
            self._carry += view[at : at + take]
            at += take
            if len(self._carry) == want:
                piece, self._carry = self._carry, b""
                self._want = self._steps.send(piece)

    def close(self) -> None:
        """To be called after the last byte. Raises DamagedError when a frame isn't complete."""
        if self.at > self.frame_start:
            raise DamagedError.mismatch(
                f"{self.where}: offset {self.at:,} of the compressed layer",
                expected=f"the rest of the zstd frame that begins at offset {self.frame_start:,}",
                found="the end of the blob",
                why="it is truncated",
            )

    def _walk(self) -> Generator[int, bytes, None]:
        """Yields n > 0: the next n bytes are wanted; n < 0: the next -n bytes are of no interest. Is sent the bytes."""
        at = 0
        while True:
            self.frame_start = at
            magic = int.from_bytes((yield 4), "little")
            at += 4
            if magic & _SKIPPABLE_MASK == _SKIPPABLE:
                size = int.from_bytes((yield 4), "little")
                at += 4 + size
                if size:
                    yield -size
            elif magic == _MAGIC:
                descriptor = (yield 1)[0]
                at += 1
                single_segment = descriptor >> 5 & 1
                size = _CONTENT_SIZE_SIZES[descriptor >> 6] or single_segment
                size += _DICTIONARY_ID_SIZES[descriptor & 3] + (1 - single_segment)
                if size:
                    yield -size
                at += size
                last = False
                while not last:
                    block = int.from_bytes((yield 3), "little")
                    last, kind, size = bool(block & 1), block >> 1 & 3, block >> 3
                    if kind > _COMPRESSED:
                        raise self._error(at, "a zstd block of a known type", f"the reserved type {kind}")
                    size = 1 if kind == _RLE else size
                    if size:
                        yield -size
                    at += 3 + size
                if descriptor & 4:  # a checksum of the content, which the decoder compares
                    yield -4
                    at += 4
            else:
                raise self._error(at - 4, "a zstd frame", f"bytes that begin with {magic.to_bytes(4, 'little').hex()}")
            self.frames += 1
            if self._ended is not None:
                self._ended(at)

    def _error(self, at: int, expected: str, found: str) -> DamagedError:
        return DamagedError.mismatch(f"{self.where}: offset {at:,} of the compressed layer", expected=expected, found=found)
