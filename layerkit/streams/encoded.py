"""A layer that has to be encoded: uncompressed, single-frame zstd, several gzip members, or any that changes its compression.

The raw tar is encoded in pieces that stand alone, on all cores, into a temporary file, and each piece is decoded again at once:
what comes out is what is encoded, not what went in. Every piece's end is a place where the result can be cut, so that from here
on it is treated like a stream that was there already.
"""

import os
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from layerkit.compression.codec import Codec
from layerkit.compression.inflater import StreamError
from layerkit.errors import ProofError
from layerkit.image.blob import Buffer, Content, FileRange, Joined
from layerkit.spool import Spool
from layerkit.streams.framed import Standing
from layerkit.streams.stream import Boundary, Output, Stop

PIECE = 1 << 20
"""Raw bytes encoded at a time. Each piece begins with an empty window, which costs less than 0.5 % at this size."""

_WAITING = 16
"""Pieces that may wait for each thread, encoded or not: what takes them is at times the slower one, at times not."""


class _Encoded(NamedTuple):
    stream: bytes
    raw: tuple[bytes, ...]
    """What comes out of it."""


class EncodedStream(Standing):
    """`source` gives the raw tar from its beginning, each time it is called."""

    def __init__(
        self,
        source: Callable[[], Iterator[Buffer]],
        where: str,
        codec: Codec,
        spool: Spool,
        *,
        jobs: int | None = None,
        piece: int = PIECE,
    ) -> None:
        """`jobs` threads encode; `piece` is the raw bytes from one boundary to the next."""
        self.codec = codec
        self.margin = piece // 2
        self.size: int | None = None
        self._source = source
        self._where = where
        self._spool = spool
        self._piece = piece
        self._jobs = jobs or os.cpu_count() or 1
        self._pieces: list[tuple[int, int, int]] = []
        """Of each piece: where the stream is when it begins, its bytes, and where it is in the spool."""

    def start(self) -> Iterator[Output]:
        raw = at = 0
        for piece in self._encoded():
            begin, at = at, at + len(piece.stream)
            for number, data in enumerate(piece.raw, 1):
                is_last = number == len(piece.raw)
                after = raw + len(data)
                stop = Stop(Boundary(after, 8 * at), b"") if is_last else None
                yield Output(data, raw, begin, at, is_last, piece.stream if is_last else b"", stop)
                raw = after

    def compressed(self, start: int, end: int) -> Content:
        """Pieces are one after the other in the spool, unless another layer was encoded meanwhile."""
        found: list[FileRange] = []
        index = bisect_right(self._pieces, start, key=lambda piece: piece[0]) - 1
        while start < end:
            begin, size, offset = self._pieces[index]
            stop = min(end, begin + size)
            offset += start - begin
            if found and found[-1].start + found[-1].size == offset:
                found[-1] = self._spool.range(found[-1].start, found[-1].size + stop - start)
            else:
                found.append(self._spool.range(offset, stop - start))
            start = stop
            index += 1
        return Joined(found)

    def _encoded(self) -> Iterator[_Encoded]:
        """Every piece. What was encoded in an earlier try is only decoded again."""
        there = len(self._pieces)
        for _, size, offset in self._pieces[:there]:
            yield self._decoded(b"".join(map(bytes, self._spool.range(offset, size).chunks())))
        with ThreadPoolExecutor(self._jobs, thread_name_prefix="encode") as pool:
            waiting: deque[Future[_Encoded]] = deque()
            source = islice(pieces(self._source(), self._piece), there, None)
            at = sum(self._pieces[-1][:2]) if self._pieces else 0
            try:
                while True:
                    while len(waiting) < _WAITING * self._jobs and (data := next(source, None)) is not None:
                        waiting.append(pool.submit(self._encode, data))
                    if not waiting:
                        break
                    encoded = waiting.popleft().result()
                    self._pieces.append((at, len(encoded.stream), self._spool.append(encoded.stream).start))
                    at += len(encoded.stream)
                    yield encoded
            finally:
                for future in waiting:
                    future.cancel()

    def _encode(self, data: bytes) -> _Encoded:
        found = self._decoded(self.codec.literal([data]))
        if b"".join(found.raw) != data:
            raise self._not_as_made("it isn't what went in")
        return found

    def _decoded(self, stream: bytes) -> _Encoded:
        decoder = self.codec.decoder()
        try:
            raw = tuple(decoder.feed(stream))
            # Whether a piece ends where the next can begin is seen at the end of a stream.
            raw += tuple(decoder.feed(self.codec.last()))
            decoder.close()
        except StreamError as error:
            raise self._not_as_made(str(error)) from None
        return _Encoded(stream, raw or (b"",))

    def _not_as_made(self, why: str) -> ProofError:
        return ProofError(
            f"{self._where}: what was encoded can't be read back: {why}. Nothing was published. This is a bug in layerkit, or "
            "faulty memory: please try again, and report it if it happens twice"
        )


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
