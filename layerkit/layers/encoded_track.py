"""A layer that has to be encoded: uncompressed, single-frame zstd, several gzip members, or any that changes its compression.

The raw tar is encoded in pieces that stand alone, on all cores, into a temporary file. Every piece's end is a place where the
result can be cut, so that from here on it is treated like a stream that was there already.
"""

import os
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from layerkit.image.blob import Buffer, FileRange, Joined, Sliceable
from layerkit.layers.codec import Codec
from layerkit.layers.spool import Spool
from layerkit.layers.track import Chunk, Restart

PIECE = 1 << 20
"""Raw bytes encoded at a time. Each piece begins with an empty window, which costs less than 0.5 % at this size."""

_WAITING = 16
"""Pieces that may wait for each thread, encoded or not: what takes them is at times the slower one, at times not."""


class EncodedTrack:
    """`source` gives the raw tar from its beginning, each time it is called."""

    history = 0

    def __init__(
        self, source: Callable[[], Iterator[Buffer]], codec: Codec, spool: Spool, *, jobs: int | None = None, piece: int = PIECE
    ) -> None:
        """`jobs` threads encode; `piece` is the raw bytes of one restart to the next."""
        self.codec = codec
        self._source = source
        self._spool = spool
        self._piece = piece
        self._jobs = jobs or os.cpu_count() or 1
        self._restarts: list[Restart] = []
        self._parts: list[tuple[int, int]] = []
        """Where in the spool each piece is: offset, and bytes of the stream before it."""
        self._complete = False

    def chunks(self) -> Iterator[Chunk]:
        if self._complete:
            yield from self._again()
            return
        start = cost = 0
        self._restarts = [Restart(0, 0)]
        self._parts = []  # an earlier try may have ended in the middle
        with ThreadPoolExecutor(self._jobs, thread_name_prefix="encode") as pool:
            waiting: deque[tuple[bytes, Future[bytes]]] = deque()
            source = pieces(self._source(), self._piece)
            try:
                while True:
                    while len(waiting) < _WAITING * self._jobs and (data := next(source, None)) is not None:
                        waiting.append((data, pool.submit(self.codec.literal, [data])))
                    if not waiting:
                        break
                    data, encoding = waiting.popleft()
                    encoded = encoding.result()
                    stored = self._spool.append(encoded)
                    self._parts.append((stored.start, cost))
                    after = cost + len(encoded)
                    yield Chunk(data, start, cost, after)
                    start += len(data)
                    cost = after
                    self._restarts.append(Restart(start, 8 * cost))
            finally:
                for _, encoding in waiting:
                    encoding.cancel()
        self._complete = True

    def remember(self, raw: int) -> None:
        pass  # everything can be found again

    def forget(self, raw: int) -> None:
        pass

    def settled(self, raw: int) -> bool:
        return self._complete or raw <= self._restarts[-1].raw

    def certain(self, raw: int) -> int:
        return self._restarts[bisect_right(self._restarts, raw, key=lambda restart: restart.raw) - 1].bit // 8

    def restarts(self, upto: int | None = None) -> list[Restart]:
        return self._restarts

    def compressed(self, start: int, end: int) -> Sliceable:
        """Pieces are one after the other in the spool, unless another layer was encoded meanwhile."""
        found: list[FileRange] = []
        index = bisect_right(self._parts, start, key=lambda part: part[1]) - 1
        while start < end:
            offset, cost = self._parts[index]
            stop = min(end, self._restarts[index + 1].bit // 8)
            offset += start - cost
            if found and found[-1].start + found[-1].size == offset:
                found[-1] = self._spool.range(found[-1].start, found[-1].size + stop - start)
            else:
                found.append(self._spool.range(offset, stop - start))
            start = stop
            index += 1
        return Joined(found)

    def raw(self, start: int, end: int) -> Iterator[Buffer]:
        index = bisect_right(self._restarts, start, key=lambda restart: restart.raw) - 1
        while start < end:
            data = self._decode(index)
            at = self._restarts[index].raw
            piece = data[start - at : end - at]
            yield piece
            start += len(piece)
            index += 1

    def close(self) -> None:
        pass

    def _again(self) -> Iterator[Chunk]:
        at = 0
        for index, data in enumerate(pieces(self._source(), self._piece)):
            yield Chunk(data, at, self._restarts[index].bit // 8, self._restarts[index + 1].bit // 8)
            at += len(data)

    def _decode(self, index: int) -> bytes:
        """One piece's raw bytes, out of the spool."""
        begin, end = self._restarts[index], self._restarts[index + 1]
        content = self.compressed(begin.bit // 8, end.bit // 8)
        stream = b"".join(bytes(chunk) for chunk in content.chunks())
        return self.codec.decode(stream, end.raw - begin.raw)


def pieces(source: Iterator[Buffer], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of exactly `size`, the last one shorter. Bytes that come in that size aren't copied."""
    held: list[Buffer] = []
    length = 0
    for chunk in source:
        if not held and len(chunk) == size and isinstance(chunk, bytes):
            yield chunk
            continue
        view = memoryview(chunk)
        while length + len(view) >= size:
            take = size - length
            yield b"".join([*held, view[:take]])
            held, length = [], 0
            view = view[take:]
        if view:
            held.append(bytes(view))
            length += len(view)
    if held:
        yield b"".join(held)
