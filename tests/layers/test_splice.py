"""Parts put together from verbatim bits and new edges decode to exactly what was meant, whoever decodes them."""

import gzip
import hashlib
import itertools
import random
import shutil
import subprocess
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isal import igzip_lib, isal_zlib

from layerkit.image.blob import Bytes, Sliceable
from layerkit.image.digest import sha256
from layerkit.layers.codec import GzipCodec, ZstdCodec
from layerkit.layers.decode import decoded
from layerkit.layers.encoded_track import EncodedTrack
from layerkit.layers.framed_track import PlainTrack, ZstdTrack, frame_ends
from layerkit.layers.gzip_track import GzipTrack
from layerkit.layers.inflate_track import InflateTrack, NeedsIndex
from layerkit.layers.part import Piece, Raw, Recipe
from layerkit.layers.splice import Encode, Verbatim, alignment, arrange, assemble
from layerkit.layers.spool import Spool
from layerkit.layers.track import Restart, Track


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

TRACKS: dict[str, Callable[[Sliceable], Track]] = {
    "inflate": lambda blob: InflateTrack(blob, "layer", limit=1 << 30),
    "index": lambda blob: GzipTrack(blob, "layer", threads=1, chunk_size=128 << 10),
    "encoded": lambda blob: EncodedTrack(lambda: decoded(blob, "layer"), GzipCodec(), Spool(), jobs=2, piece=50_000),
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


def recipe(pieces: Sequence[Piece], raw: bytes) -> tuple[Recipe, bytes]:
    """The recipe of these pieces of `raw`, and what it should decode to."""
    meant = b"".join(raw[piece.start : piece.end] if isinstance(piece, Raw) else piece for piece in pieces)
    return Recipe(tuple(pieces), sha256(meant), zlib.crc32(meant), len(meant)), meant


def assembled(track: Track, pieces: Sequence[Piece], raw: bytes, min_verbatim: int) -> tuple[bytes, bytes]:
    """The part's stream, read whole and again from the middle; and what it should decode to."""
    made, meant = recipe(pieces, raw)
    content = assemble(made, track, Spool().keep, min_verbatim=min_verbatim)
    stream = b"".join(map(bytes, content.chunks()))
    assert len(stream) == content.size
    middle = len(stream) // 2 + 1
    assert b"".join(map(bytes, content.chunks(middle))) == stream[middle:]
    return stream, meant


def streamed(track: Track, edges: Sequence[int]) -> bytes:
    """The raw tar, with those offsets remembered as they go by."""
    raw = bytearray()
    for chunk in track.chunks():
        assert chunk.start == len(raw)
        assert chunk.cost <= chunk.cost_after
        raw += chunk.data
        for edge in edges:
            if chunk.start <= edge <= len(raw):
                track.remember(edge)
    return bytes(raw)


@st.composite
def cuts(draw: st.DrawFn, size: int) -> list[int]:
    """Ascending offsets, near to each other and far apart."""
    found = draw(st.lists(st.integers(1, size - 1), min_size=1, max_size=4, unique=True))
    if draw(st.booleans()):
        found.append(min(found[0] + draw(st.sampled_from((1, 511, 32_767, 32_768, 32_769))), size - 1))
    return sorted({0, *found, size})


@pytest.mark.parametrize("track_name", TRACKS)
@pytest.mark.parametrize("compressor", COMPRESSORS)
@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(draws=st.data())
def test_any_cuts_of_any_stream(track_name: str, compressor: str, draws: st.DataObject) -> None:
    """Each stretch between two cuts, with new bytes before, between and behind, alone and all together."""
    raw = DATA[draws.draw(st.sampled_from(sorted(DATA)))](draws.draw(st.integers(0, 3)))
    edges = draws.draw(cuts(len(raw)))
    min_verbatim = draws.draw(st.sampled_from((4, 1000, 64 << 10)))
    blob = Bytes(COMPRESSORS[compressor](raw))
    try:
        with closing(TRACKS[track_name](blob)) as track:
            check_parts(track, raw, edges, min_verbatim)
    except NeedsIndex:
        with closing(TRACKS["index"](blob)) as track:
            check_parts(track, raw, edges, min_verbatim)


def check_parts(track: Track, raw: bytes, edges: Sequence[int], min_verbatim: int) -> None:
    assert streamed(track, edges) == raw
    stretches = [Raw(start, end) for start, end in itertools.pairwise(edges)]
    parts: list[list[Piece]] = [[b"lead" * 128, stretch, bytes(1024)] for stretch in stretches]
    parts.append([piece for stretch in stretches for piece in (stretch, b"seam" * 10)])
    parts.append([Raw(0, len(raw))])
    for pieces in parts:
        stream, meant = assembled(track, pieces, raw, min_verbatim)
        for decoder in DECODERS:
            assert decoder(stream) == meant


@pytest.mark.parametrize("compressor", ["zlib 6", "isal"])
def test_most_is_copied(compressor: str) -> None:
    """Two halves are hardly larger than the whole; nothing but their edges is new."""
    raw = text(8_000_000, 5)
    stream = COMPRESSORS[compressor](raw)
    for name in ("inflate", "index"):
        with closing(TRACKS[name](Bytes(stream))) as track:
            assert streamed(track, [0, 4_000_000, len(raw)]) == raw
            halves: list[list[Piece]] = [[Raw(0, 4_000_000), bytes(1024)], [Raw(4_000_000, len(raw))]]
            total = 0
            for half in halves:
                total += len(assembled(track, half, raw, 64 << 10)[0])
                steps = list(arrange(half, track.restarts(), track.history))
                copied = sum(step.end.bit - step.begin.bit for step in steps if isinstance(step, Verbatim)) // 8
                assert copied > 0.85 * len(stream) / 2, name
        assert total <= len(stream) * 1.02


@pytest.mark.parametrize("bit", range(1, 8))
@pytest.mark.parametrize("level", [1, 6, 9])
def test_alignment_to_every_bit(bit: int, level: int) -> None:
    """Empty blocks bring a stream to any bit, and any stream goes on from there."""
    value, count = alignment(bit)
    assert count % 8 == bit
    assert value < 1 << count
    data = text(5000, bit)
    packed = zlib.compressobj(level, wbits=-15)
    follows = packed.compress(data) + packed.flush()
    first = zlib.compressobj(6, wbits=-15)
    lead = first.compress(b"lead") + first.flush(zlib.Z_SYNC_FLUSH)
    whole = value | int.from_bytes(follows, "little") << count
    stream = lead + whole.to_bytes((count + 8 * len(follows) + 7) // 8, "little")
    inflater = zlib.decompressobj(-15)
    assert inflater.decompress(stream) == b"lead" + data
    stream = stream.removesuffix(inflater.unused_data)  # the last byte, when the shift left nothing in it
    trailer = zlib.crc32(b"lead" + data).to_bytes(4, "little") + (4 + len(data)).to_bytes(4, "little")
    header = GzipCodec().begin()
    for decoder in DECODERS:
        assert decoder(header + stream + trailer) == b"lead" + data


@given(
    restarts=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 5000)), min_size=1, max_size=30),
    pieces=st.lists(st.one_of(st.binary(max_size=5), st.tuples(st.integers(0, 150_000), st.integers(0, 60_000))), max_size=8),
    history=st.sampled_from((0, 32_768)),
    min_verbatim=st.integers(0, 2000),
)
def test_arrangement_covers_every_byte_once(
    restarts: list[tuple[int, int]], pieces: list[bytes | tuple[int, int]], history: int, min_verbatim: int
) -> None:
    """And copies only what has its history in the part."""
    places = [Restart(0, 0)]
    for raw_step, bit_step in restarts:
        places.append(Restart(places[-1].raw + raw_step, places[-1].bit + 8 * bit_step))
    wanted = [Raw(piece[0], piece[0] + piece[1]) if isinstance(piece, tuple) else piece for piece in pieces]
    seen: list[int | bytes] = []
    for step in arrange(wanted, places, history, min_verbatim=min_verbatim):
        assert isinstance(step, Encode | Verbatim)
        for piece in step.pieces if isinstance(step, Encode) else [Raw(step.begin.raw, step.end.raw)]:
            if isinstance(piece, Raw) and isinstance(step, Verbatim):
                source = next(
                    each for each in wanted if isinstance(each, Raw) and each.start <= piece.start and piece.end <= each.end
                )
                assert not source.start or piece.start >= source.start + history
                assert step.end.bit - step.begin.bit >= 8 * max(min_verbatim, 4)
            if piece:
                seen.extend(piece if isinstance(piece, Raw) else [piece])
    assert joined(seen) == joined([part for piece in wanted for part in (piece if isinstance(piece, Raw) else [piece])])


def joined(marks: list[int | bytes]) -> list[int | bytes]:
    """Stretches [a, b) [b, c) are [a, c); empty ones and empty literals are nothing."""
    found: list[int | bytes] = []
    numbers: list[int] = []
    for mark in [*marks, b"end"]:
        if isinstance(mark, int):
            numbers.append(mark)
            continue
        while numbers:
            start, end = numbers[0], numbers[1]
            del numbers[:2]
            while numbers and numbers[0] == end:
                end = numbers[1]
                del numbers[:2]
            if end > start:
                found += [start, end]
        if mark:
            found.append(mark)
    return found


def zstd_track(data: bytes) -> Track:
    blob = Bytes(b"".join(ZstdCodec().literal([data[at : at + 70_000]]) for at in range(0, len(data), 70_000)))
    return ZstdTrack(blob, "layer", frame_ends(blob, "layer"))


@pytest.mark.parametrize("make", [zstd_track, lambda data: PlainTrack(Bytes(data))], ids=["zstd frames", "uncompressed"])
@settings(max_examples=15)
@given(draws=st.data())
def test_frames_and_plain_bytes(make: Callable[[bytes], Track], draws: st.DataObject) -> None:
    raw = DATA["mixed"](draws.draw(st.integers(0, 3)))
    edges = draws.draw(cuts(len(raw)))
    with closing(make(raw)) as track:
        assert streamed(track, edges) == raw
        for start, end in itertools.pairwise(edges):
            assert b"".join(map(bytes, track.raw(start, end))) == raw[start:end]
            stream, meant = assembled(track, [b"lead", Raw(start, end), b"tail"], raw, 4)
            assert b"".join(map(bytes, decoded(Bytes(stream), "part"))) == meant


def test_the_same_recipe_gives_the_same_bytes() -> None:
    raw = text(2_000_000, 1)
    digests = set()
    for _ in range(2):
        with closing(TRACKS["index"](Bytes(COMPRESSORS["zlib 6"](raw)))) as track:
            streamed(track, [100_000])
            digests.add(hashlib.sha256(assembled(track, [Raw(100_000, len(raw))], raw, 1000)[0]).hexdigest())
    assert len(digests) == 1
