"""Parts woven from verbatim bits and new edges decode to exactly what was meant, whoever decodes them."""

import gzip
import random
import shutil
import subprocess
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isal import igzip_lib, isal_zlib

from layerkit.compression.codec import GzipCodec, PlainCodec, ZstdCodec
from layerkit.compression.decode import decoded
from layerkit.errors import ProofError
from layerkit.image.blob import Blob, Buffer, Bytes, Joined, Writing
from layerkit.image.digest import sha256
from layerkit.image.media_types import Compression
from layerkit.layers.making import Part
from layerkit.layers.weave import Edit, Weaver
from layerkit.plan.placement import Step, Tail
from layerkit.spool import Spool
from layerkit.streams import deflate_blocks
from layerkit.streams import gzip as gzip_stream
from layerkit.streams.encoded import EncodedStream
from layerkit.streams.framed import PlainStream, ZstdStream, frame_ends
from layerkit.streams.gzip import GzipStream
from layerkit.streams.stream import Output, Stream
from layerkit.tar.header import END_OF_ARCHIVE


def text(size: int, seed: int) -> bytes:
    chance = random.Random(seed)
    words = [bytes(chance.choices(b"abcdefghijklmnop_", k=chance.randint(2, 9))) for _ in range(2000)]
    return b" ".join(chance.choices(words, k=size // 5))[:size]


DATA: dict[str, Callable[[int], bytes]] = {
    "text": lambda seed: text(900_000, seed),
    "noise": lambda seed: random.Random(seed).randbytes(700_000),
    "repetitive": lambda seed: b"%08d the same line over and over\n" % seed * 60_000,
    "mixed": lambda seed: text(300_000, seed) + bytes(500_000) + random.Random(seed).randbytes(200_000) + text(200_000, ~seed),
}


def zlib_at(level: int) -> Callable[[bytes], bytes]:
    return lambda data: gzip.compress(data, level, mtime=0)


def flushed(data: bytes) -> bytes:
    """Blocks that end at bytes, as pigz and Go's parallel gzip write them."""
    stream = zlib.compressobj(6, wbits=31)
    blocks = [stream.compress(data[at : at + 100_000]) + stream.flush(zlib.Z_SYNC_FLUSH) for at in range(0, len(data), 100_000)]
    return b"".join(blocks) + stream.flush()


def named(data: bytes) -> bytes:
    """With a file name and a comment in the header, as `gzip FILE` writes it."""
    body = gzip.compress(data, 6, mtime=1)
    return body[:3] + b"\x18" + body[4:10] + b"layer.tar\0" + b"a comment\0" + body[10:]


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "zlib 1": zlib_at(1),
    "zlib 6": zlib_at(6),
    "zlib 9": zlib_at(9),
    "stored": zlib_at(0),
    "isal": lambda data: igzip_lib.compress(data, 1, igzip_lib.COMP_GZIP),
    "flush blocks": flushed,
    "named": named,
}


def by_zlib(stream: bytes) -> bytes:
    inflater = zlib.decompressobj(31)
    data = inflater.decompress(stream)
    assert inflater.eof
    assert not inflater.unused_data
    return data


def by_isal(stream: bytes) -> bytes:
    return isal_zlib.decompress(stream, 31)


def by_gnu_gzip(stream: bytes) -> bytes:
    return subprocess.run(["gzip", "-dc"], input=stream, capture_output=True, check=True).stdout


DECODERS: list[Callable[[bytes], bytes]] = [by_zlib, by_isal]
if shutil.which("gzip"):
    DECODERS.append(by_gnu_gzip)


def gzip_of(compress: Callable[[bytes], bytes]) -> Callable[[bytes], Stream]:
    return lambda raw: GzipStream(Bytes(compress(raw)), "layer", limit=LIMIT)


STREAMS: dict[str, Callable[[bytes], Stream]] = {
    **{name: gzip_of(compress) for name, compress in COMPRESSORS.items()},
    "encoded gzip": lambda raw: EncodedStream(chunks_of(raw), "layer", GzipCodec(), Spool(), jobs=2, piece=50_000),
    "encoded zstd": lambda raw: EncodedStream(chunks_of(raw), "layer", ZstdCodec(), Spool(), jobs=2, piece=50_000),
    "zstd frames": lambda raw: zstd_frames(raw),
    "encoded plain": lambda raw: EncodedStream(chunks_of(raw), "layer", PlainCodec(), Spool(), jobs=2, piece=50_000),
    "plain": lambda raw: PlainStream(Bytes(raw)),
}
LIMIT = 1 << 22


def chunks_of(raw: bytes) -> Callable[[], Iterator[Buffer]]:
    return lambda: Bytes(raw).chunks()


def zstd_frames(raw: bytes) -> Stream:
    blob = Bytes(b"".join(zstandard.compress(raw[at : at + 70_000]) for at in range(0, len(raw), 70_000)))
    return ZstdStream(blob, "layer", frame_ends(blob, "layer"), 70_000)


@dataclass
class Told:
    """Notes what parts consist of and what is made of them."""

    consist: dict[int, bytearray] = field(default_factory=dict)
    parts: dict[int, Part] = field(default_factory=dict)
    written: dict[int, "Written"] = field(default_factory=dict)

    def consists(self, number: int, data: Buffer) -> None:
        self.consist.setdefault(number, bytearray()).extend(data)

    def check(self, number: int, size: int) -> None:
        pass

    def begin(self, number: int) -> Writing | None:
        return self.written.setdefault(number, Written())

    def made(self, number: int, part: Part) -> None:
        self.parts[number] = part


class Written:
    """Takes a part's bytes as they are made."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.blob: Blob | None = None

    def write(self, data: Buffer) -> None:
        self.data += data

    def rewind(self, size: int) -> None:
        assert size <= len(self.data)
        del self.data[size:]

    def finish(self, blob: Blob) -> None:
        self.blob = blob

    def discard(self) -> None:
        assert self.blob is None


class Asked(NamedTuple):
    """An edit, at an offset of the raw tar."""

    at: int
    cut: bytes | None = None
    insert: bytes = b""
    skip: int = 0
    late: tuple[int, bytes] | None = None


def woven(stream: Stream, raw: bytes, asked: Sequence[Asked], *, behind: int = 0) -> tuple[Told, list[Part]]:
    """The parts. Each output waits until `behind` more bytes have come, as it does for headers that aren't complete."""
    told = Told()
    waiting = sorted(asked, key=lambda edit: edit.at)
    with closing(stream), Weaver(stream, "layer", Spool(), told) as weaver:
        pending: deque[Output] = deque()
        seen = bytearray()
        for output in weaver.outputs():
            assert output.raw == len(seen), "every byte once, in order"
            seen += output.data
            pending.append(output)
            while pending and pending[0].after + behind <= len(seen):
                take(weaver, pending.popleft(), waiting)
        while pending:
            take(weaver, pending.popleft(), waiting)
        assert seen == raw
        assert weaver.crc == zlib.crc32(raw)
        stream.check(weaver.crc, len(raw))
        parts = weaver.finish(b"the end")
    return told, parts


def take(weaver: Weaver, output: Output, waiting: list[Asked]) -> None:
    edits = []
    while waiting and waiting[0].at < output.after:
        edit = waiting.pop(0)
        tails = [Tail(*edit.late)] if edit.late else []
        edits.append(Edit(edit.at, edit.at + edit.skip, Step(edit.cut, edit.insert, not edit.skip, tails)))
    weaver.take(output, edits)


def meant(raw: bytes, asked: Sequence[Asked]) -> list[bytes]:
    """What the parts should be, put together the simple way."""
    parts, late = [b""], dict[int, bytes]()
    at = 0
    for edit in sorted(asked, key=lambda edit: edit.at):
        parts[-1] += raw[at : edit.at]
        at = max(at, edit.at)
        if edit.cut is not None:
            parts.append(edit.cut)
        if edit.late:
            late[edit.late[0]] = late.get(edit.late[0], b"") + edit.late[1]
        parts[-1] += edit.insert
        at = max(at, edit.at + edit.skip)
    parts[-1] += raw[at:]
    ends = [END_OF_ARCHIVE] * (len(parts) - 1) + [b"the end"]
    return [part + late.get(number, b"") + end for number, (part, end) in enumerate(zip(parts, ends, strict=True))]


def check(stream: Stream, raw: bytes, asked: Sequence[Asked], *, behind: int = 0) -> list[Part]:
    told, parts = woven(stream, raw, asked, behind=behind)
    expected = meant(raw, asked)
    assert len(parts) == len(expected)
    for number, (part, data) in enumerate(zip(parts, expected, strict=True)):
        made = b"".join(map(bytes, part.blob.chunks()))
        assert len(made) == part.blob.size
        assert sha256(made) == part.blob.digest
        assert sha256(data) == part.diff_id
        assert b"".join(map(bytes, decoded(Bytes(made), "part"))) == data
        if stream.codec.compression is Compression.GZIP:
            for decoder in DECODERS:
                assert decoder(made) == data
        written = told.written[number]
        assert written.blob is not None
        assert bytes(written.data) == b"".join(map(bytes, written.blob.chunks())), "what was written is what it was said to be"
        assert told.parts[number] == part
    return parts


@st.composite
def edits(draw: st.DrawFn, size: int) -> list[Asked]:
    """Few or many, near to each other and far apart, at the beginning and the end."""
    places: list[int] = draw(st.lists(st.integers(0, size - 1), max_size=5, unique=True))
    steps: list[int] = draw(st.lists(st.sampled_from((1, 511, 5_000, 32_767, 32_768, 32_769)), max_size=12))
    if places:
        places = sorted({*places, *(place for step in steps if (place := places[0] + step) < size)})
    found: list[Asked] = []
    cuts = skipped = 0
    for at in sorted(places):
        if at < skipped:
            continue
        cut = draw(st.sampled_from((None, b"", b"head" * 128)))
        skip = draw(st.sampled_from((0, 0, 512, 100_000)))
        late = (draw(st.integers(0, cuts - 1)), b"late" * 10) if cuts and draw(st.booleans()) else None
        insert = draw(st.sampled_from((b"", b"", b"new" * 100)))
        found.append(Asked(at, cut, insert, min(skip, size - at), late))
        cuts += cut is not None
        skipped = at + skip
    return found


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(draws=st.data())
def test_any_edits_of_any_stream(name: str, draws: st.DataObject) -> None:
    raw = DATA[draws.draw(st.sampled_from(sorted(DATA)))](draws.draw(st.integers(0, 3)))
    asked = draws.draw(edits(len(raw)))
    behind = draws.draw(st.sampled_from((0, 0, 1000, 300_000)))
    check(STREAMS[name](raw), raw, asked, behind=behind)


@pytest.mark.parametrize("name", STREAMS)
def test_what_is_left_out_at_the_end_stays_out(name: str) -> None:
    """The seam ends behind it, not before."""
    raw = DATA["noise"](0)
    check(STREAMS[name](raw), raw, [Asked(len(raw) - 513, b""), Asked(len(raw) - 512, skip=512)])


@pytest.mark.parametrize("name", ["zlib 6", "isal", "flush blocks"])
def test_stops_on_the_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are longer than it is from one stop to the next: nothing before the last one is read again."""
    monkeypatch.setattr(gzip_stream, "STOPS", 200_000)
    raw = text(6_000_000, 3)
    read_back: list[int] = []
    chunks = Joined.section

    def noted(self: Joined, start: int, end: int) -> Joined:
        read_back.append(end - start)
        return chunks(self, start, end)

    monkeypatch.setattr(Joined, "section", noted)
    asked = [
        Asked(1_000_000, insert=b"new"),
        Asked(3_000_000, b"head"),
        Asked(4_500_000, skip=100_000),
        Asked(5_800_000, late=(0, b"!")),
    ]
    check(STREAMS[name](raw), raw, asked)
    assert max(read_back) < 1_000_000, "a part is 1.2 MB"


@pytest.mark.parametrize("compressor", ["zlib 6", "isal"])
def test_most_is_copied(compressor: str) -> None:
    """Two halves are hardly larger than the whole."""
    raw = text(8_000_000, 5)
    parts = check(STREAMS[compressor](raw), raw, [Asked(4_000_000, b"")])
    assert sum(part.blob.size for part in parts) <= len(COMPRESSORS[compressor](raw)) * 1.02


def test_a_false_stop_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever looks like a boundary and isn't: the decoder says so, and the stream is read on from the stop before."""
    monkeypatch.setattr(gzip_stream, "STOPS", 200_000)
    search = deflate_blocks.block_start
    found: list[int | None] = []

    def wrong(piece: bytes, bits: int) -> int | None:
        bit = search(piece, bits)
        found.append(bit)
        return bit if bit is None or len(found) % 2 else bit + 13

    monkeypatch.setattr(gzip_stream, "block_start", wrong)
    raw = text(6_000_000, 4)
    check(STREAMS["zlib 6"](raw), raw, [Asked(2_000_000, b"head"), Asked(4_000_000, insert=b"new")])
    assert len([bit for bit in found if bit is not None]) >= 4


def test_a_seam_without_an_end_is_encoded_as_it_goes() -> None:
    """A stream of fixed codes only: no boundary is found behind an edit."""
    raw = text(30_000_000, 6)
    compressor = zlib.compressobj(6, zlib.DEFLATED, 31, 8, zlib.Z_FIXED)
    stream = GzipStream(Bytes(compressor.compress(raw) + compressor.flush()), "layer", limit=LIMIT)
    check(stream, raw, [Asked(1, insert=b"new"), Asked(12_000_000, b"head")])


@pytest.mark.parametrize("compressor", ["zlib 6", "zlib 1"])
def test_a_seam_of_which_much_was_encoded_ends_behind_that(compressor: str) -> None:
    """What compresses a hundredfold is encoded before as much has come as it takes to find a boundary."""
    raw = b"".join(b"%07d" % number + bytes(505) for number in range(100_000))
    stream = GzipStream(Bytes(COMPRESSORS[compressor](raw)), "layer", limit=10_000_000)
    check(stream, raw, [Asked(1, insert=b"new"), Asked(25_000_000, b"head")])


@pytest.mark.parametrize("name", ["zlib 6", "encoded gzip", "zstd frames", "plain"])
def test_what_does_not_read_back_is_no_part(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bit falls over in what is encoded at the edges."""
    raw = text(900_000, 1)
    stream = STREAMS[name](raw)
    literal = stream.codec.literal

    def wrong(pieces: Iterable[Buffer]) -> bytes:
        data = bytearray(b"".join(pieces))
        data[len(data) // 2] ^= 1
        return literal([bytes(data)])

    monkeypatch.setattr(stream.codec, "literal", wrong)
    with pytest.raises(ProofError, match=r"layer: .*read back.*Nothing was published"):
        woven(stream, raw, [Asked(500_000, b"head")])


def test_nobody_is_told_of_what_was_dropped() -> None:
    """An interrupt in the middle."""
    raw = text(900_000, 2)
    told = Told()
    stream = STREAMS["zlib 6"](raw)
    with pytest.raises(KeyboardInterrupt), Weaver(stream, "layer", Spool(), told) as weaver:
        for output in weaver.outputs():
            weaver.take(output, [])
            raise KeyboardInterrupt
    assert told.parts == {}
