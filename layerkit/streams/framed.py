"""A zstd layer of many frames, cut where frames end; and an uncompressed one, cut anywhere.

Frames stand alone (RFC 8878, 3): parts copy them whole. Their compressed ends are in their headers, their raw ends are known once
they were decoded.
"""

from collections.abc import Iterator, Sequence

from layerkit.compression.codec import Codec, Decoder, PlainCodec, ZstdCodec
from layerkit.compression.inflater import StreamError
from layerkit.compression.zstd_frames import FrameWalker
from layerkit.errors import DamagedError
from layerkit.image.blob import CHUNK, Content, read_at
from layerkit.streams.stream import Boundary, Output, Stop


def frame_ends(blob: Content, where: str) -> list[int]:
    """Offsets in the compressed stream at which frames end, ascending. Raises DamagedError."""
    ends: list[int] = []
    walker = FrameWalker(where, ended=ends.append)
    for chunk in blob.chunks():
        walker.feed(chunk)
    walker.close()
    return ends


class Standing:
    """What streams have in common whose pieces stand alone: every end of a piece is a boundary, and a stop."""

    history = 0
    begin = Boundary(0, 0)
    window = 0
    lookahead = 0
    shortest = 1

    def resume(self, at: Stop, decoder: Decoder) -> Iterator[Output]:
        raise AssertionError("pieces that stand alone are never entered in their middle")

    def check(self, crc: int, length: int) -> None:
        """There is nothing to compare that the decoder hasn't."""

    def last_before(self, kept: Sequence[Output], raw: int) -> Boundary | None:
        return next((kept.stop.at for kept in reversed(kept) if kept.stop is not None and kept.after <= raw), None)

    def first_after(self, kept: Sequence[Output], raw: int) -> Boundary | None:
        return next((kept.stop.at for kept in kept if kept.stop is not None and kept.after >= raw), None)

    def close(self) -> None:
        pass


class ZstdStream(Standing):
    """`ends`: what `frame_ends` found; `margin`: bytes of the longest frame."""

    def __init__(self, blob: Content, where: str, ends: Sequence[int], margin: int) -> None:
        self.codec: Codec = ZstdCodec()
        self.margin = margin
        self.size: int | None = blob.size
        self._blob = blob
        self._where = where
        self._ends = ends

    def start(self) -> Iterator[Output]:
        begin = raw = 0
        for end in self._ends:
            decoder = self.codec.decoder()
            at = begin
            while at < end:
                fed = read_at(self._blob, at, min(CHUNK, end - at))
                at += len(fed)
                part = fed
                try:
                    for data in decoder.feed(fed):
                        yield Output(data, raw, begin, end, False, part)
                        raw += len(data)
                        part = b""
                    if at == end:
                        decoder.close()
                except StreamError as error:
                    raise DamagedError.mismatch(
                        f"{self._where}: near offset {at:,} of the compressed layer",
                        expected=f"a sound zstd frame from offset {begin:,}",
                        found="something else",
                        why=str(error),
                    ) from None
                whole = at == end
                # Nothing need come out of a skippable frame.
                yield Output(b"", raw, begin, end, whole, part, Stop(Boundary(raw, 8 * end), b"") if whole else None)
            begin = end

    def compressed(self, start: int, end: int) -> Content:
        return self._blob.section(start, end)


class PlainStream(Standing):
    """An uncompressed layer that stays so."""

    margin = 0

    def __init__(self, blob: Content) -> None:
        self.codec: Codec = PlainCodec()
        self.size: int | None = blob.size
        self._blob = blob

    def start(self) -> Iterator[Output]:
        at = 0
        for chunk in self._blob.chunks():
            data = bytes(chunk)
            end = at + len(data)
            yield Output(data, at, at, end, True, data, Stop(Boundary(end, 8 * end), b""))
            at = end

    def compressed(self, start: int, end: int) -> Content:
        return self._blob.section(start, end)
