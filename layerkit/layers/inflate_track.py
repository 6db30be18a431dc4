"""A gzip layer that is cut without being recompressed, read by one inflating thread.

ISA-L inflates on one core what takes rapidgzip more than two, and hashing and framing fill the other; what ISA-L doesn't tell is
where blocks begin. So the neighbourhood of every cut is kept, compressed and raw, and block boundaries are looked for in it
afterwards (`boundaries`). When no boundary is found near a cut, `gzip_track` does the same with an index of the whole stream.
"""

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from isal import igzip_lib, isal_zlib

from layerkit.errors import DamagedError
from layerkit.image.blob import Buffer, Sliceable, read_at
from layerkit.layers.boundaries import WINDOW, Neighbourhood
from layerkit.layers.codec import Codec, GzipCodec
from layerkit.layers.gzip_track import SeveralMembers
from layerkit.layers.handover import ahead
from layerkit.layers.track import Chunk, Restart

PIECE = 256 << 10
"""Compressed bytes inflated at a time: below, Python shows. With 128 KiB a 3.1 GB layer takes 7 % more time (means of seven)."""
_PIECES = 512
"""Pieces of a part at least: they get smaller for it. Where in its piece a member begins is estimated, and not the same in the
next release, where it may move a cut."""
_LEAST_PIECE = 4 << 10
_PIECE_OUTPUT = 2 << 20
"""Raw bytes above which pieces get smaller: what is kept near a cut is counted in pieces."""

_OUTPUT = 512 << 10
"""Raw bytes handed out at a time at most."""

_AROUND = 768 << 10
"""Compressed bytes kept on either side of a cut, unless pieces get smaller. Most encoders' blocks are 10 to 60 KiB."""

_AHEAD = 32
"""Outputs that the inflating thread may be ahead: with an eighth of that a 3.1 GB layer takes 9 % more time."""

EDGE = 128 << 10
"""Bytes by which a part may turn out larger because its edges are encoded anew."""

_MOST = 24 << 20
"""Raw bytes kept on either side of one cut."""

BUDGET = 160 << 20
"""Raw bytes kept near cuts, all together."""

_TRAILER = 8
_IsalError = cast(type[Exception], igzip_lib.IsalError)  # isal's stubs declare it as an instance


class NeedsIndex(Exception):  # noqa: N818 - not an error: another kind of track has to be taken
    """There are too many cuts, or no block boundary near one of them."""


class _Output(NamedTuple):
    """Raw bytes, and where the stream was before and after the piece that they came from."""

    raw: int
    data: bytes
    begin: int
    end: int
    whole: bool
    """Is this all that had come out when `end` was reached?"""


@dataclass
class _Cut:
    """What is kept of a cut's neighbourhood."""

    raw: int
    outputs: list[_Output]
    pieces_missing: int
    """Behind it."""
    kept: int = 0
    """Bytes of outputs."""
    restarts: tuple[Restart, ...] | None = None
    """The block boundaries near it, once they were looked for."""

    def wants(self, raw: int) -> bool:
        """Does what comes out from this offset on still belong to the neighbourhood?"""
        return (self.pieces_missing > 0 or raw < self.raw + 2 * WINDOW) and raw < self.raw + _MOST


@dataclass
class _Kept:
    cuts: dict[int, _Cut] = field(default_factory=dict)
    size: int = 0
    ahead: set[int] = field(default_factory=set)
    """Offsets that are still to come."""


class InflateTrack:
    history = WINDOW

    def __init__(self, blob: Sliceable, where: str, *, limit: int) -> None:
        """`limit`: bytes of a part. Raises DamagedError when the blob doesn't begin with a gzip header."""
        self.codec: Codec = GzipCodec()
        self._blob = blob
        self._where = where
        self._piece = min(max(limit // _PIECES, _LEAST_PIECE), PIECE)
        self._around = _AROUND // self._piece
        self.margin = max(self._piece, EDGE)
        """Bytes by which costs may be off at the edges of a part."""
        self._begin = _header_size(read_at(blob, 0, 1 << 17), where)
        self._recent: deque[_Output] = deque()
        self._kept = _Kept()
        self._seen = 0

    def chunks(self) -> Iterator[Chunk]:
        """Raises SeveralMembers after the last chunk if the stream isn't a single member, DamagedError if it isn't sound."""
        self._recent.clear()
        self._kept = _Kept()
        crc = at = cost = piece_at = end = 0
        ratio = 0.5
        pieces_kept = raw_kept = 0
        for output in ahead(self._inflate(), _AHEAD):
            self._recent.append(output)
            pieces_kept += output.whole
            raw_kept += len(output.data)
            while pieces_kept > self._around + 1 or (raw_kept > _MOST and len(self._recent) > 1):
                oldest = self._recent.popleft()
                pieces_kept -= oldest.whole
                raw_kept -= len(oldest.data)
            self._extend(output)
            self._seen = at + len(output.data)
            for raw in [raw for raw in self._kept.ahead if raw <= self._seen]:
                self._kept.ahead.discard(raw)
                self.remember(raw)
            # Where in its piece an output ends isn't known; the piece before compressed about as well.
            estimate = output.end if output.whole else min(cost + int(len(output.data) * ratio), output.end)
            after = max(estimate, cost)  # the last piece turns out shorter than it was when it was read
            yield Chunk(output.data, at, cost, after)
            crc = isal_zlib.crc32(output.data, crc)
            at += len(output.data)
            cost = after
            end = output.end
            if output.whole:
                ratio = (output.end - output.begin) / max(at - piece_at, 1)
                piece_at = at
        self._check_trailer(crc, at, end)

    def remember(self, raw: int) -> None:
        """Something may begin or end at this offset, which is behind the last chunk, in it, or shortly before it. Raises
        NeedsIndex when too much would have to be kept."""
        if raw > self._seen:
            self._kept.ahead.add(raw)
            return
        if raw in self._kept.cuts:
            return
        cut = self._kept.cuts[raw] = _Cut(raw, list(self._recent), self._around)
        cut.kept = sum(len(output.data) for output in cut.outputs)
        self._kept.size += cut.kept
        if self._kept.size > BUDGET:
            self._trim()
        if self._kept.size > BUDGET:
            raise NeedsIndex

    def forget(self, raw: int) -> None:
        cut = self._kept.cuts.pop(raw, None)
        if cut is not None:
            self._kept.size -= cut.kept

    def settled(self, raw: int) -> bool:
        return not any(cut.wants(self._seen) for cut in self._kept.cuts.values() if cut.raw <= raw)

    def certain(self, raw: int) -> int:
        cut = self._kept.cuts.get(raw)
        outputs = cut.outputs if cut is not None else self._recent
        return outputs[0].begin if outputs and outputs[0].raw <= raw else 0

    def restarts(self, upto: int | None = None) -> list[Restart]:
        found = {Restart(0, 8 * self._begin)}
        for cut in self._kept.cuts.values():
            if upto is None or cut.raw <= upto:
                found.update(self._look(cut))
        return sorted(found)

    def compressed(self, start: int, end: int) -> Sliceable:
        return self._blob.section(start, end)

    def raw(self, start: int, end: int) -> Iterator[Buffer]:
        """Raises NeedsIndex for bytes that weren't kept."""
        for cut in self._kept.cuts.values():
            if not cut.outputs:
                continue
            last = cut.outputs[-1]
            if cut.outputs[0].raw <= start and end <= last.raw + len(last.data):
                for output in cut.outputs:
                    if output.raw < end and output.raw + len(output.data) > start:
                        yield memoryview(output.data)[max(start - output.raw, 0) : end - output.raw]
                return
        if start < end:
            raise NeedsIndex

    def close(self) -> None:
        self._kept = _Kept()
        self._recent.clear()

    def _extend(self, output: _Output) -> None:
        """The neighbourhoods that are still open get what has come out."""
        for cut in self._kept.cuts.values():
            if cut.wants(output.raw):
                cut.outputs.append(output)
                cut.pieces_missing -= output.whole
                cut.kept += len(output.data)
                self._kept.size += len(output.data)

    def _look(self, cut: _Cut) -> tuple[Restart, ...]:
        """The boundaries on both sides of a cut."""
        if cut.restarts is None:
            near = self._neighbourhood(cut)
            both = near.last_before(cut.raw), near.first_after(cut.raw + WINDOW)
            cut.restarts = tuple(restart for restart in both if restart is not None)
        return cut.restarts

    def _trim(self) -> None:
        """Only the raw bytes between a cut and the boundaries next to it will be needed again."""
        for cut in self._kept.cuts.values():
            if cut.restarts is not None or cut.pieces_missing > 0:
                continue
            around = [restart.raw for restart in self._look(cut)]
            low, high = min([*around, cut.raw]), max([*around, cut.raw])
            cut.outputs = [output for output in cut.outputs if output.raw < high and output.raw + len(output.data) > low]
            self._kept.size -= cut.kept
            cut.kept = sum(len(output.data) for output in cut.outputs)
            self._kept.size += cut.kept

    def _neighbourhood(self, cut: _Cut) -> Neighbourhood:
        first, last = cut.outputs[0], cut.outputs[-1]
        counts = [(first.begin, first.raw)]
        counts += [(output.end, output.raw + len(output.data)) for output in cut.outputs if output.whole]
        return Neighbourhood(
            stream=read_at(self._blob, first.begin, last.end - first.begin),
            base=first.begin,
            raw=b"".join(output.data for output in cut.outputs),
            raw_base=first.raw,
            counts=tuple(counts),
        )

    def _inflate(self) -> Iterator[_Output]:
        inflater = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_DEFLATE)
        begin, raw = self._begin, 0
        size = self._piece
        ended = False
        while not ended:
            piece = read_at(self._blob, begin, size)
            before = raw
            if not piece:
                raise DamagedError.mismatch(
                    f"{self._where}: offset {begin:,} of the compressed layer",
                    expected="the rest of the gzip stream",
                    found="the end of the blob",
                    why="it is truncated",
                )
            end = begin + len(piece)
            while True:
                try:
                    data = inflater.decompress(piece, _OUTPUT)
                except _IsalError as error:
                    raise DamagedError(
                        f"{self._where}: near offset {begin:,} of the compressed layer: the gzip stream is damaged ({error}); "
                        "save or build the image again"
                    ) from None
                piece = b""
                ended = inflater.eof
                whole = ended or inflater.needs_input
                if ended:
                    end -= len(inflater.unused_data)
                yield _Output(raw, data, begin, end, whole)
                raw += len(data)
                if whole:
                    break
            begin = end
            if raw - before > _PIECE_OUTPUT:
                size = max(size // 2, _LEAST_PIECE)
            elif raw - before < _PIECE_OUTPUT // 4:
                size = min(size * 2, self._piece)

    def _check_trailer(self, crc: int, length: int, end: int) -> None:
        """One member, and nothing but zeros behind it."""
        trailer = read_at(self._blob, end, _TRAILER)
        if len(trailer) < _TRAILER or struct.unpack("<II", trailer) != (crc, length & 0xFFFFFFFF):
            raise DamagedError.mismatch(
                f"{self._where}: offset {end:,} of the compressed layer",
                expected=f"CRC-32 {crc:08x} and length {length:,}",
                found=trailer.hex() or "the end of the blob",
                why="the gzip stream is damaged",
            )
        for chunk in self._blob.chunks(end + _TRAILER):
            if bytes(chunk).strip(b"\0"):
                raise SeveralMembers


def _header_size(head: bytes, where: str) -> int:
    """Bytes of a gzip member's header (RFC 1952, 2.3). Raises DamagedError."""
    size = 10
    flags = head[3] if len(head) > size and head[:3] == b"\x1f\x8b\x08" else -1
    if flags & 4:  # FEXTRA
        size += 2 + int.from_bytes(head[size : size + 2], "little")
    for flag in (8, 16):  # FNAME, FCOMMENT
        if flags & flag:
            size = head.find(b"\0", size) + 1 or len(head)
    if flags & 2:  # FHCRC
        size += 2
    if flags < 0 or size >= len(head):
        raise DamagedError.mismatch(f"{where}: gzip layer", expected="a gzip header", found=head[:10].hex())
    return size
