"""A zstd layer of many frames, cut where frames end; and an uncompressed one, cut anywhere.

Frames stand alone (RFC 8878, 3): parts copy them whole. Their compressed ends are in their headers, their raw ends are known once
they were decoded.
"""

from bisect import bisect_right
from collections.abc import Iterator

from layerkit.image.blob import Buffer, Sliceable
from layerkit.layers.codec import Codec, PlainCodec, ZstdCodec
from layerkit.layers.decode import decoded
from layerkit.layers.track import Chunk, Restart
from layerkit.layers.zstd_frames import FrameWalker


def frame_ends(blob: Sliceable, where: str) -> list[int]:
    """Offsets in the compressed stream at which frames end, ascending. Raises DamagedError."""
    ends: list[int] = []
    walker = FrameWalker(where, ended=ends.append)
    for chunk in blob.chunks():
        walker.feed(chunk)
    walker.close()
    return ends


class ZstdTrack:
    """`ends`: what `frame_ends` found."""

    history = 0

    def __init__(self, blob: Sliceable, where: str, ends: list[int]) -> None:
        self.codec: Codec = ZstdCodec()
        self._blob = blob
        self._where = where
        self._ends = ends
        self._restarts: list[Restart] = []

    def chunks(self) -> Iterator[Chunk]:
        self._restarts = [Restart(0, 0)]
        at = begin = 0
        for end in self._ends:
            whole = end - begin
            for data in decoded(self.compressed(begin, end), self._where):
                # How far into the frame a raw byte is can't be told; counting the whole frame is on the safe side.
                yield Chunk(data, at, begin, begin + whole)
                at += len(data)
            begin = end
            self._restarts.append(Restart(at, 8 * end))

    def remember(self, raw: int) -> None:
        pass  # everything can be found again

    def forget(self, raw: int) -> None:
        pass

    def settled(self, raw: int) -> bool:
        return raw <= self._restarts[-1].raw

    def certain(self, raw: int) -> int:
        return self._restarts[bisect_right(self._restarts, raw, key=lambda restart: restart.raw) - 1].bit // 8

    def restarts(self, upto: int | None = None) -> list[Restart]:
        return self._restarts

    def compressed(self, start: int, end: int) -> Sliceable:
        return self._blob.section(start, end)

    def raw(self, start: int, end: int) -> Iterator[Buffer]:
        index = bisect_right(self._restarts, start, key=lambda restart: restart.raw) - 1
        at = self._restarts[index].raw
        for data in decoded(self.compressed(self._restarts[index].bit // 8, self._blob.size), self._where):
            if at + len(data) > start:
                piece = memoryview(data)[max(start - at, 0) : end - at]
                yield piece
            at += len(data)
            if at >= end:
                return

    def close(self) -> None:
        pass


class PlainTrack:
    """An uncompressed layer that stays so: every part is ranges of it."""

    history = 0
    _STEP = 1 << 20

    def __init__(self, blob: Sliceable) -> None:
        self.codec: Codec = PlainCodec()
        self._blob = blob

    def chunks(self) -> Iterator[Chunk]:
        at = 0
        for data in self._blob.chunks():
            yield Chunk(data, at, at, at + len(data))
            at += len(data)

    def remember(self, raw: int) -> None:
        pass  # everything can be found again

    def forget(self, raw: int) -> None:
        pass

    def settled(self, raw: int) -> bool:
        return True

    def certain(self, raw: int) -> int:
        return raw // self._STEP * self._STEP

    def restarts(self, upto: int | None = None) -> list[Restart]:
        offsets = [*range(0, self._blob.size, self._STEP), self._blob.size]
        return [Restart(offset, 8 * offset) for offset in offsets]

    def compressed(self, start: int, end: int) -> Sliceable:
        return self._blob.section(start, end)

    def raw(self, start: int, end: int) -> Iterator[Buffer]:
        return self.compressed(start, end).chunks()

    def close(self) -> None:
        pass
