"""A gzip layer that is cut without being recompressed, read by one inflating thread.

ISA-L inflates on one core what takes other decoders more than two, and hashing and framing fill the other; what ISA-L doesn't
tell is where blocks begin. So they are looked for where they are needed (`deflate_blocks`): near the cuts, and at stops.

A *stop* is where the decoder is made to end: one block boundary every STOPS compressed bytes or so. The bytes before it are fed
with an empty final block behind them; if the decoder says that the stream has ended there, with nothing left over, that was a
boundary beyond doubt, and everything up to it has been decoded as it will be published. Another decoder goes on from there with
the last 32 KiB as its history. Whatever has to be decided about the bytes behind a stop, nothing before it is read again.
"""

import struct
from collections.abc import Iterator, Sequence

from layerkit.compression.codec import Codec, Decoder, GzipCodec
from layerkit.compression.deflate_bits import ending
from layerkit.compression.gzip_members import TRAILER, Feed, read_header
from layerkit.compression.inflater import WINDOW, Inflater, StreamError
from layerkit.errors import DamagedError
from layerkit.image.blob import Buffer, Content, read_at
from layerkit.streams.deflate_blocks import CERTAIN, Neighbourhood, block_start
from layerkit.streams.stream import Boundary, NoBoundary, Output, SeveralMembers, Stop

PIECE = 256 << 10
"""Compressed bytes inflated at a time: below, Python shows. With 128 KiB a 3.1 GB layer takes 7 % more time (means of seven)."""
_PIECES = 512
"""Pieces of a part at least: they get smaller for it. Where in its piece a member begins is estimated, and not the same in the
next release, where it may move a cut."""
_LEAST_PIECE = 4 << 10
_PIECE_OUTPUT = 2 << 20
"""Raw bytes above which pieces get smaller: what is kept near a cut is counted in pieces."""

EDGE = 128 << 10
"""Bytes by which a part may turn out larger because its edges are encoded anew."""

_AROUND = 768 << 10
"""Compressed bytes before a cut in which boundaries are looked for. Most encoders' blocks are 10 to 60 KiB."""
_LOOKAHEAD = 160 << 10
"""Compressed bytes behind a cut: two blocks, and what it takes to be sure of one."""

STOPS = 16 << 20
"""Compressed bytes from one stop to the next at least, unless a part is long: finding one takes as long as inflating 4 MiB."""
_STOPS = 16
"""Stops in a part at most."""
_LOOK = 160 << 10
"""Compressed bytes in which a stop is looked for; where there is none, the next is tried."""

_SHORTEST = 64 << 10
"""Compressed bytes of a stretch below which copying isn't worth its seams; never less than 4."""


class GzipStream:
    """`limit`: bytes of a part. Raises DamagedError when the blob doesn't begin with a gzip header."""

    history = WINDOW
    window = _AROUND
    lookahead = _LOOKAHEAD
    shortest = _SHORTEST

    def __init__(self, blob: Content, where: str, *, limit: int) -> None:
        self.codec: Codec = GzipCodec()
        self.size: int | None = blob.size
        self._blob = blob
        self._where = where
        self._piece = min(max(limit // _PIECES, _LEAST_PIECE), PIECE)
        self._stops = max(STOPS, limit // _STOPS)
        self.margin = max(self._piece, EDGE)
        feed = Feed(blob.chunks())
        read_header(feed, where)
        self.begin = Boundary(0, 8 * feed.at)
        self._end = 0
        """Offset of the trailer, once it was reached."""

    def start(self) -> Iterator[Output]:
        return self._read(Stop(self.begin, b""), Inflater())

    def resume(self, at: Stop, decoder: Decoder) -> Iterator[Output]:
        assert isinstance(decoder, Inflater)
        return self._read(at, decoder)

    def check(self, crc: int, length: int) -> None:
        trailer = read_at(self._blob, self._end, TRAILER)
        if len(trailer) < TRAILER or struct.unpack("<II", trailer) != (crc, length & 0xFFFFFFFF):
            raise DamagedError.mismatch(
                f"{self._where}: offset {self._end:,} of the compressed layer",
                expected=f"CRC-32 {crc:08x} and length {length:,}",
                found=trailer.hex() or "the end of the blob",
                why="the gzip stream is damaged or truncated; save or build the image again",
            )
        for chunk in self._blob.chunks(self._end + TRAILER):
            if bytes(chunk).strip(b"\0"):
                raise SeveralMembers

    def last_before(self, kept: Sequence[Output], raw: int) -> Boundary | None:
        near = self._near(kept)
        return None if near is None else near.last_before(raw)

    def first_after(self, kept: Sequence[Output], raw: int) -> Boundary | None:
        near = self._near(kept)
        return None if near is None else near.first_after(raw)

    def compressed(self, start: int, end: int) -> Content:
        return self._blob.section(start, end)

    def close(self) -> None:
        pass

    def _near(self, kept: Sequence[Output]) -> Neighbourhood | None:
        # How much has come out is known at the ends of pieces only; the first that is kept may have lost its beginning.
        first = next((at for at, output in enumerate(kept, 1) if output.whole), len(kept))
        near = kept[first:]
        if not near:
            return None
        begin, end, raw = near[0].begin, near[-1].end, near[0].raw
        return Neighbourhood(
            stream=read_at(self._blob, begin, end - begin),
            base=begin,
            raw=b"".join(output.data for output in near),
            raw_base=raw,
            counts=((begin, raw), *((output.end, output.after) for output in near if output.whole)),
        )

    def _read(self, start: Stop, inflater: Inflater) -> Iterator[Output]:
        """From `start` on, where `inflater` is; it has read the stream's bits in the byte that the boundary is in."""
        raw, at = start.at.raw, -(-start.at.bit // 8)
        size = self._piece
        stops = _Stops(self._blob, at, self._stops, start.history)
        ended = False
        while not ended:
            stop = stops.near(at, size)
            fed = read_at(self._blob, at, size if stop is None else stop // 8 - at)
            if not fed and stop is None:
                raise DamagedError.mismatch(
                    f"{self._where}: offset {at:,} of the compressed layer",
                    expected="the rest of the gzip stream",
                    found="the end of the blob",
                    why="it is truncated",
                )
            begin, end, before = at, at + len(fed), raw
            part: Buffer = fed
            data = b""
            try:
                for following in inflater.feed(fed):
                    if data:
                        yield Output(data, raw, begin, end, False, part)
                        stops.passed(data)
                        raw += len(data)
                        part = b""
                    data = following
            except StreamError as error:
                raise DamagedError(
                    f"{self._where}: near offset {begin:,} of the compressed layer: the gzip stream is damaged ({error}); "
                    "save or build the image again"
                ) from None
            made = None
            if stop is not None:
                rest = self._rest(inflater, stop)
                if rest is None:
                    inflater = self._again(start, end, raw + len(data))
                else:
                    data += rest
            stops.passed(data)
            if stop is not None and rest is not None:
                made = start = Stop(Boundary(raw + len(data), stop), stops.history())
                inflater = Inflater(start.history, stop % 8)
            elif inflater.ended:
                ended = True
                self._end = end = end - inflater.unused
                part = part[: len(part) - inflater.unused]
            yield Output(data, raw, begin, end, True, part, made)
            raw, at = raw + len(data), end
            if raw - before > _PIECE_OUTPUT:
                size = max(size // 2, _LEAST_PIECE)
            elif raw - before < _PIECE_OUTPUT // 4:
                size = min(size * 2, self._piece)

    def _rest(self, inflater: Inflater, stop: int) -> bytes | None:
        """Ends the inflater at a stop: the last bytes that come out. None: it was none, and the inflater is lost."""
        try:
            rest = b"".join(inflater.feed(ending(read_at(self._blob, stop // 8, 1), stop % 8)))
        except StreamError:
            return None
        return rest if inflater.ended and not inflater.unused else None

    def _again(self, start: Stop, end: int, raw: int) -> Inflater:
        """An inflater that has read from `start` to byte `end`, at offset `raw` of the tar. Raises NoBoundary when it says
        something else than the one before."""
        inflater = Inflater(start.history, start.at.bit % 8)
        at, came = start.at.bit // 8, start.at.raw
        while at < end:
            fed = read_at(self._blob, at, min(self._piece, end - at))
            came += sum(map(len, inflater.feed(fed)))
            at += len(fed)
        if came != raw:
            raise NoBoundary
        return inflater


class _Stops:
    """Where the stream is stopped, depending on nothing but its bytes and where reading began."""

    def __init__(self, blob: Content, at: int, every: int, history: bytes) -> None:
        self._blob = blob
        self._every = every
        self._next = at + every
        self._found: int | None = None
        """Offset in bits."""
        self._recent = [history]
        self._size = len(history)

    def near(self, at: int, size: int) -> int | None:
        """The stop in the piece of `size` bytes at `at`, as an offset in bits."""
        if self._found is None and at >= self._next:
            self._next = at + self._every
            bit = block_start(read_at(self._blob, at, _LOOK + CERTAIN), 8 * _LOOK)
            self._found = None if bit is None else 8 * at + bit
        if self._found is None or self._found // 8 - at > size:
            return None
        found, self._found = self._found, None
        return found

    def passed(self, data: bytes) -> None:
        self._recent.append(data)
        self._size += len(data)
        while self._size - len(self._recent[0]) >= WINDOW:
            self._size -= len(self._recent.pop(0))

    def history(self) -> bytes:
        return b"".join(self._recent)[-WINDOW:]
