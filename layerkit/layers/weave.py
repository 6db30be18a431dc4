"""Parts are woven out of a layer's compressed stream: stretches of it as they are, and what stands between them encoded anew.

In: the stream's outputs in order, and edits: where a part ends, what is inserted, what isn't taken. Out: parts, each decoded from
the very bytes that it consists of.

One decoder does both, reading the layer and reading the parts back. As long as nothing is edited, what it is fed is what is
published. An edit at raw offset `a` makes a *seam*: the part is copied up to the last boundary before `a`, the raw bytes between
that and the first boundary whose history lies behind the edit are encoded, and from there on it is copied again. When the seam is
known, the part is decoded once more from its last *mark*, a place that a decoder was made to end at (`streams.stream`, Stop; the
end of what is encoded at a seam; the part's beginning), over the seam, and on: from now on this decoder is the one that reads
the layer. What it gives up to where the other one had come is only read back, what it gives then is news too.

A part that has ended is read back from its last mark to its end beside all this, on the thread that digests.
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple, Protocol, Self

from isal import isal_zlib

from layerkit.compression.codec import Decoder
from layerkit.compression.deflate_bits import entering, leaving
from layerkit.image.blob import Buffer, Joined, read_at
from layerkit.layers.making import Copy, Making, Part, Raw
from layerkit.layers.read_back import Made, ReadBack
from layerkit.plan.placement import Step
from layerkit.spool import Spool
from layerkit.streams.stream import Boundary, NoBoundary, Output, Stop, Stream
from layerkit.threads import ahead

_AHEAD = 32
"""Outputs that the decoding thread may be ahead: with an eighth of that a 3.1 GB layer takes 9 % more time."""
_MOST_KEPT = 24 << 20
"""Raw bytes kept before a place that may be a seam's."""
_LONGEST_SEAM = 8 << 20
"""Raw bytes of a seam before what there is of it is encoded."""

_MOST_SEAMS = 64
_RAW_OF_A_SEAM = 16 << 20
"""A seam costs as much as encoding about so many raw bytes: with more of them, encoding everything is faster."""


class Edit(NamedTuple):
    """What a member brings with it that isn't simply kept."""

    at: int
    """Offset in the raw tar at which it begins."""
    end: int
    step: Step


class Watcher(Made, Protocol):
    """Is told of what parts consist of, and of parts that are made."""

    def consists(self, number: int, data: Buffer) -> None:
        """The next bytes of part `number`'s raw tar, from 0."""

    def check(self, number: int, size: int) -> None:
        """Part `number`'s stream will have `size` bytes. Raises what is to be done about that."""


class Weaver:
    """A context manager: when it ends, so do its threads. All methods are called by one thread."""

    def __init__(self, stream: Stream, where: str, spool: Spool, watcher: Watcher, head: bytes = b"") -> None:
        """`where` names the layer; `head` is what the first part begins with."""
        self._stream = stream
        self._codec = stream.codec
        self._spool = spool
        self._watcher = watcher
        self._read_back = ReadBack(self._codec, where, watcher)
        self._reader: Iterator[Output] = iter(())
        self._pushed: Output | None = None
        """What the reader gave last, as far as it is news."""
        self._read_to = 0
        """Offset up to which outputs were given out."""
        self._read_back_to = 0
        """Offset up to which the open part has been read back although its outputs are still to come."""
        self._ended: list[Making] = []
        """By number."""
        self._waiting: list[Making] = []
        """Those that end in the open seam."""
        self._kept: deque[Output] = deque()
        self._kept_size = 0
        """Raw bytes."""
        self._at = 0
        """Offset up to which bytes were taken or left out."""
        self._skip_to = 0
        """Offset up to which they aren't taken."""
        self._right = 0
        """Offset behind the seam's last edit."""
        self._seam_from = self._seam_begin = 0
        """Where what there is of the seam begins, in the raw tar and, about, in the compressed stream."""
        self._try_at: int | None = None
        """Offset in the compressed stream from which on a boundary behind the seam is looked for."""
        self._step = stream.lookahead
        self._seams = 0
        self._crc = self._crc_at = 0
        self._output = Output(b"", 0, 0, 0, True, b"")
        """The one that is being taken."""
        self._open = self._new_part()
        if head:
            self._insert(head)
        else:
            self._open.copy = Copy(stream.begin, stream.begin.bit // 8, len(self._open.contents), self._open.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_reader()
        self._read_back.__exit__()

    @property
    def crc(self) -> int:
        """CRC-32 of all that was taken."""
        return self._crc

    def outputs(self) -> Iterator[Output]:
        """The layer, in order, to be given to `take`. Raises DamagedError, NoBoundary, ProofError."""
        self._reader = ahead(self._stream.start(), _AHEAD)
        while True:
            output = self._pushed if self._pushed is not None else next(self._reader, None)
            self._pushed = None
            if output is None:
                return
            self._read_to = output.after
            yield output

    def take(self, output: Output, edits: Sequence[Edit]) -> None:
        """The next output; `edits` begin in it, in order, and it is known what becomes of all of it. Raises NoBoundary,
        ProofError, and what `Watcher.check` raises."""
        self._output = output
        for edit in edits:
            self._advance(edit.at)
            self._edit(edit)
        self._advance(output.after)
        self._running_crc(output.after)
        self._kept.append(output)
        self._kept_size += len(output.data)
        if self._open.seam is not None:
            self._go_on(output)
        elif output.raw >= self._read_back_to:
            self._take(output)
        if self._open.seam is None:
            self._trim()

    def _take(self, output: Output) -> None:
        """It is part of the stretch that is being copied."""
        self._read_back.take(self._open, output.fed, output.data)
        if output.stop is not None:
            self._read_back.mark(self._open, output.stop)

    def finish(self, tail: bytes, last_words: bytes = b"") -> list[Part]:
        """Everything was taken. `tail` is what the last part's raw tar ends with, `last_words` what one more part consists of.
        Raises like `take`."""
        self._open.tail = tail
        self._end_part()
        if last_words:
            self._open = self._new_part()
            self._insert(last_words)
            self._end_part()
        self._close_waiting()
        for part in self._ended:
            if len(part.late) > part.late_taken:
                self._close(part)
        parts = self._read_back.parts()
        return [parts[part.number] for part in self._ended]

    # What edits do.

    def _edit(self, edit: Edit) -> None:
        step = edit.step
        if step.head is not None:
            self._end_part()
            self._open = self._new_part()
            self._insert(step.head)
        for tail in step.tails:
            self._ended[tail.part].late += tail.runs
            self._watcher.consists(tail.part, tail.runs)
        if step.insert:
            self._insert(step.insert)
        if not step.keep:
            self._begin_seam()
            self._open.close_range(self._at, self._running_crc(self._at))
            self._skip_to = max(self._skip_to, edit.end)
            self._right = max(self._right, edit.end)

    def _new_part(self) -> Making:
        return Making(len(self._ended), self._codec.begin(), self._spool.keep)

    def _end_part(self) -> None:
        """The open part ends here; what it ends with is encoded when the seam is known."""
        self._begin_seam()
        self._open.close_range(self._at, self._running_crc(self._at))
        self._ended.append(self._open)
        self._waiting.append(self._open)

    def _begin_seam(self) -> None:
        """From here on the open part isn't copied, or it is already so."""
        if self._open.seam is None:
            if not self._waiting:
                self._seam_from, self._seam_begin = self._at, self._output.end
            self._open.seam = []
            self._open.seam_at = self._at
        self._right = max(self._right, self._at)
        self._try_at = None
        self._step = self._stream.lookahead

    def _insert(self, runs: bytes) -> None:
        self._begin_seam()
        part = self._open
        part.close_range(self._at, self._running_crc(self._at))
        part.tally.add(runs)
        if runs:
            assert part.seam is not None
            part.seam.append(runs)
            self._watcher.consists(part.number, runs)

    def _advance(self, upto: int) -> None:
        """The bytes up to here belong to the open part, unless they are left out."""
        begin = max(self._at, self._skip_to)
        if begin < upto:
            part = self._open
            start = self._output.raw
            self._watcher.consists(part.number, memoryview(self._output.data)[begin - start : upto - start])
            if part.range is None:
                part.range = begin, self._running_crc(begin)
            if part.seam is not None:
                part.sew(begin, upto)
        self._at = max(self._at, upto)

    def _running_crc(self, at: int) -> int:
        """The layer's CRC-32 up to an offset in the output that is being taken; asked for in ascending order."""
        if at > self._crc_at:
            start = self._output.raw
            self._crc = isal_zlib.crc32(memoryview(self._output.data)[self._crc_at - start : at - start], self._crc)
            self._crc_at = at
        return self._crc

    # Seams.

    def _trim(self) -> None:
        """Pieces that no seam can need any more go."""
        last = self._kept[-1]
        while self._kept:
            end = self._kept[0].end
            is_complete = last.whole or last.end > end
            if not (is_complete and end <= last.end - self._stream.window) and self._kept_size <= _MOST_KEPT:
                return
            while self._kept:
                oldest = self._kept.popleft()
                self._kept_size -= len(oldest.data)
                if oldest.whole:
                    break

    def _go_on(self, output: Output) -> None:
        """A seam is open: it may be time to look for a boundary behind it, or to encode what there is of it."""
        # Behind the history of what was edited, and behind what was encoded of the seam already, if it is a long one.
        needed = max(self._right + self._stream.history if self._right else 0, self._seam_from)
        if output.after >= needed and output.whole:
            if self._try_at is None:
                self._try_at = output.end + self._step
            if output.end >= self._try_at:
                kept = tuple(self._kept)
                boundary = self._stream.first_after(kept, needed) if needed else self._stream.begin
                if boundary is not None:
                    self._close_waiting()
                    self._go_on_from(boundary)
                    return
                self._step = max(2 * self._step, 1)
                self._try_at = output.end + self._step
        length = output.after - self._seam_from
        if length > _MOST_KEPT or (length > _LONGEST_SEAM and output.end >= self._seam_begin + self._stream.lookahead):
            self._close_waiting()
            self._encode(self._open)
            self._seam_from, self._seam_begin = output.after, output.end
            self._trim()

    def _go_on_from(self, boundary: Boundary) -> None:
        """The seam ends at `boundary`; from there on the part is copied."""
        part = self._open
        part.cut_seam(boundary.raw)
        self._encode(part)
        part.seam = None
        decoder = self._read_back.sewn(part)
        byte, bit = divmod(boundary.bit, 8)
        part.copy = Copy(boundary, byte + (bit > 0), len(part.contents), part.size)
        if bit:
            part.add(enters := entering(read_at(self._stream.compressed(byte, byte + 1), 0, 1), bit))
            self._read_back.take(part, enters, *decoder.feed(enters))
        if self._stream.history:
            self._read_on(part, boundary, decoder)
            return
        for output in self._kept:  # what stands alone is read once: the reader goes on
            if 8 * output.begin >= boundary.bit:
                self._take(output)

    def _read_on(self, part: Making, boundary: Boundary, decoder: Decoder) -> None:
        """The decoder that has read the part over its seam goes on reading the layer."""
        self._seams += 1
        if self._seams > _MOST_SEAMS + boundary.raw // _RAW_OF_A_SEAM:
            raise NoBoundary
        history = b"".join(self._bytes_of([Raw(max(boundary.raw - self._stream.history, 0), boundary.raw)]))
        self._close_reader()
        self._reader = ahead(self._stream.resume(Stop(boundary, history), decoder), _AHEAD)
        self._read_back_to = self._read_to
        for output in self._reader:
            known = self._read_to - output.raw
            self._read_back.take(part, output.fed, output.data[:known])
            if len(output.data) > known:
                self._pushed = output._replace(data=output.data[known:], raw=self._read_to, fed=b"")
            if len(output.data) >= known:
                break

    def _close_waiting(self) -> None:
        """The parts that end in the seam are complete."""
        for part in self._waiting:
            self._encode(part)
            self._close(part)
        self._waiting = []

    def _encode(self, part: Making) -> None:
        """What there is of a part's seam goes to its contents, behind the stretch that was being copied."""
        assert part.seam is not None
        if part.copy is not None:
            self._leave(part, part.copy)
            part.copy = None
        if part.seam:
            part.add(self._codec.literal(list(self._bytes_of(part.seam))))
        part.seam = []

    def _leave(self, part: Making, copy: Copy) -> None:
        """The stretch ends at the last boundary before the seam; what is between the two is the seam's, too."""
        assert part.seam is not None
        found = self._stream.last_before(tuple(self._kept), part.seam_at)
        places = [place for place in (found, part.mark.boundary, copy.begin) if place is not None and place.raw <= part.seam_at]
        left = max((place for place in places if place >= copy.begin), default=copy.begin)
        if left.bit - copy.begin.bit >= 8 * self._stream.shortest:
            byte, bit = divmod(left.bit, 8)
            if copy.byte < byte:
                part.append(self._stream.compressed(copy.byte, byte))
            part.add(leaving(read_at(self._stream.compressed(byte, byte + 1), 0, 1), bit) if bit else b"")
        else:
            part.drop(copy)
            left = copy.begin
        if left.raw < part.seam_at:
            if not self._kept or left.raw < self._kept[0].raw:
                raise NoBoundary
            part.seam.insert(0, Raw(left.raw, part.seam_at))

    def _bytes_of(self, pieces: Sequence[Raw | bytes]) -> Iterator[Buffer]:
        for piece in pieces:
            if not isinstance(piece, Raw):
                yield piece
                continue
            for output in self._kept:
                if output.raw < piece.end and output.after > piece.start:
                    yield memoryview(output.data)[max(piece.start - output.raw, 0) : piece.end - output.raw]

    def _close(self, part: Making) -> None:
        """The part is complete, but for what may still come late. Raises what `Watcher.check` raises."""
        ends = part.late + part.tail
        part.late_taken = len(part.late)
        tally = part.tally.copy()
        tally.add(ends)
        last = (self._codec.literal([ends]) if ends else b"") + self._codec.last()
        trailer = self._codec.trailer(tally.crc, tally.length)
        content = Joined([*part.contents, self._spool.keep(last + trailer)])
        self._watcher.check(part.number, content.size)
        self._read_back.close(part, content, trailer, tally)

    def _close_reader(self) -> None:
        reader, self._reader = self._reader, iter(())
        if isinstance(reader, Generator):
            reader.close()
