"""Parts are read back as they are made: what was decoded is what counts.

In: a part's stream, as the bytes that went into a decoder and those that came out. Out: the part, with the digests of both. One
thread does that for all parts of a layer, in the order in which it is told; what it is told of one part comes before what it is
told of the next. It can go back: to the last place at which a decoder had ended.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol, Self

from isal import isal_zlib

from layerkit.compression.checksum import Tally
from layerkit.compression.codec import Codec, Decoder
from layerkit.compression.inflater import WINDOW, StreamError
from layerkit.errors import ProofError
from layerkit.image.blob import Blob, Buffer, Content, Joined, Writing
from layerkit.image.digest import Digest
from layerkit.layers.making import Making, Mark, Part
from layerkit.streams.stream import Stop
from layerkit.threads import Aside

_WAITING = 32
"""Outputs that may wait for their digests."""

_NOT_AS_MADE = (
    "Nothing was published. The input may have changed meanwhile; otherwise it is a bug in layerkit, or faulty memory: please "
    "try again, and report it if it happens twice"
)


class Made(Protocol):
    """Is told of parts, by the thread that reads them back."""

    def begin(self, number: int) -> Writing | None:
        """Part `number`, from 0, is about to be made; its bytes go there, if anywhere."""

    def made(self, number: int, part: Part) -> None:
        """It is made. One that got something late is made once more, and isn't begun then."""


class Record:
    """What is known of a part's stream as far as it was decoded, always of the same stretch of it: the digest of the bytes that
    went into the decoder, and that of those that came out."""

    __slots__ = ("_came", "_fed", "came", "size", "writing")

    def __init__(self) -> None:
        self._fed = hashlib.sha256()
        self._came = hashlib.sha256()
        self.size = 0
        """Bytes of the stream."""
        self.came = Tally()
        self.writing: Writing | None = None

    def take(self, fed: Buffer, came: Iterable[Buffer]) -> None:
        """The stream's next bytes, and what came out of them."""
        if fed:
            self._fed.update(fed)
            self.size += len(fed)
            if self.writing is not None:
                self.writing.write(fed)
        for data in came:
            self._came.update(data)
            self.came.crc = isal_zlib.crc32(data, self.came.crc)
            self.came.length += len(data)

    def copy(self) -> "Record":
        other = Record()
        other._fed, other._came = self._fed.copy(), self._came.copy()
        other.size, other.came = self.size, self.came.copy()
        return other

    def back_to(self, earlier: "Record") -> None:
        """What was taken since `earlier` was copied from this doesn't count."""
        other = earlier.copy()
        self._fed, self._came, self.size, self.came = other._fed, other._came, other.size, other.came
        if self.writing is not None:
            self.writing.rewind(self.size)

    @property
    def digest(self) -> Digest:
        return Digest(f"sha256:{self._fed.hexdigest()}")

    @property
    def diff_id(self) -> Digest:
        return Digest(f"sha256:{self._came.hexdigest()}")


class ReadBack:
    """A context manager: when it ends, so does its thread. `where` names the layer."""

    def __init__(self, codec: Codec, where: str, told: Made) -> None:
        self._codec = codec
        self._where = where
        self._told = told
        self._records: dict[int, Record] = {}
        """By the part's number."""
        self._marks: dict[Mark, Record] = {}
        """What was known at each mark."""
        self._parts: dict[int, Part] = {}
        self._lane: Aside[Callable[[], None]] = Aside(lambda job: job(), _WAITING)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lane.close()
        for number, record in self._records.items():
            if number not in self._parts and record.writing is not None:
                record.writing.discard()

    def take(self, making: Making, fed: Buffer, *came: bytes) -> None:
        """The part's next bytes, and what came out of them."""
        self._put(making, partial(self._take, making.number, fed, came))

    def mark(self, making: Making, stop: Stop) -> None:
        """A decoder has ended here, and another goes on."""
        mark = making.marked(stop)
        self._put(making, partial(self._note, making.number, mark))

    def sewn(self, making: Making) -> Decoder:
        """A seam is encoded: instead of what was taken since the part's last mark, it is decoded from there to its end so far,
        which is another. The decoder that goes on behind it. Raises ProofError."""
        mark = making.mark
        self._put(making, partial(self._back, making.number, mark))
        decoder = self._codec.decoder(mark.history, mark.bit)
        history = mark.history
        for fed, data in self._decoded(making, decoder, making.since_mark()):
            self.take(making, fed, data)
            history = data[-WINDOW:] if len(data) >= WINDOW else (history + data)[-WINDOW:]
        with self._told_of(making):
            if any(decoder.feed(self._codec.last())):
                raise StreamError("something comes where nothing should")
            decoder.close()
        self._put(making, partial(self._note, making.number, making.marked_here(history)))
        return self._codec.decoder(history)

    def close(self, making: Making, content: Content, trailer: bytes, tally: Tally) -> None:
        """The part is complete: `content` is all of its stream, with `trailer` at its end; `tally` is what has to come out.
        Called once more, it is another part from its last mark on."""
        is_first, making.is_closed = not making.is_closed, True
        self._put(making, partial(self._close, making, making.mark, content, trailer, tally, is_first))

    def parts(self) -> dict[int, Part]:
        """All that were closed. Nothing may be told afterwards."""
        self._lane.drain()
        return self._parts

    def _put(self, making: Making, job: Callable[[], None]) -> None:
        if not making.is_begun:
            making.is_begun = True
            self._lane.put(partial(self._begin, making.number, making.mark))
        self._lane.put(job)

    def _begin(self, number: int, mark: Mark) -> None:
        record = self._records[number] = Record()
        record.writing = self._told.begin(number)
        record.take(self._codec.begin(), ())
        self._marks[mark] = record.copy()

    def _take(self, number: int, fed: Buffer, came: Iterable[bytes]) -> None:
        self._records[number].take(fed, came)

    def _note(self, number: int, mark: Mark) -> None:
        self._marks[mark] = self._records[number].copy()

    def _back(self, number: int, mark: Mark) -> None:
        self._records[number].back_to(self._marks[mark])

    def _close(self, making: Making, mark: Mark, content: Content, trailer: bytes, tally: Tally, is_first: bool) -> None:
        if is_first:
            record = self._records[making.number]
            record.back_to(self._marks[mark])
        else:
            record = self._marks[mark].copy()
        decoder = self._codec.decoder(mark.history, mark.bit)
        rest = Joined([content]).section(mark.size, content.size - len(trailer))
        for fed, data in self._decoded(making, decoder, rest):
            record.take(fed, (data,))
        with self._told_of(making):
            decoder.close()
        record.take(trailer, ())
        self._compare(making, record.came, tally)
        blob = Blob(record.digest, content)
        if record.writing is not None:
            record.writing.finish(blob)
        part = self._parts[making.number] = Part(blob, record.diff_id)
        self._told.made(making.number, part)

    def _decoded(self, making: Making, decoder: Decoder, content: Content) -> Iterator[tuple[Buffer, bytes]]:
        """The bytes of `content`, each with what came out of them, if anything."""
        for chunk in content.chunks():
            fed: Buffer = chunk
            with self._told_of(making):
                for data in decoder.feed(chunk):
                    yield fed, data
                    fed = b""
            if fed:
                yield fed, b""

    def _compare(self, making: Making, found: Tally, expected: Tally) -> None:
        if (found.crc, found.length) != (expected.crc, expected.length):
            raise ProofError(
                f"{self._name(making)}, read back: expected {expected.length:,} bytes of CRC-32 {expected.crc:08x}, which went "
                f"into it, found {found.length:,} of {found.crc:08x}. {_NOT_AS_MADE}"
            )

    @contextmanager
    def _told_of(self, making: Making) -> Iterator[None]:
        try:
            yield
        except StreamError as error:
            raise ProofError(f"{self._name(making)} can't be read back: {error}. {_NOT_AS_MADE}") from None

    def _name(self, making: Making) -> str:
        return f"{self._where}: new layer {making.number + 1}"
