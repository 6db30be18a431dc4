"""A gzip layer is cut the cheapest way that its bytes allow, and comes out right whichever that is."""

import gzip
import hashlib
import io
import random
import tarfile
import time
import zlib
from pathlib import Path

import pytest

from layerkit.compression.decode import decoded
from layerkit.errors import DamagedError
from layerkit.filesystem import compare, merged_view
from layerkit.image.blob import Blob, FileRange, InputFile
from layerkit.image.digest import Digest
from layerkit.image.media_types import Compression
from layerkit.layers import weave
from layerkit.layers.making import Part
from layerkit.layers.split import SplitOptions, split_layer
from layerkit.spool import Spool
from tests import tar_building

LIMIT = 5_000_000


@pytest.fixture(scope="module")
def tar() -> bytes:
    """24 MB of files that compress to about a third."""
    rnd = random.Random(11)
    words = [bytes(rnd.choices(b"abcdefghijklmnop", k=rnd.randint(3, 9))) for _ in range(5000)]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        folder = tarfile.TarInfo("data")
        folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o700, 1_700_000_000
        archive.addfile(folder)
        for number in range(600):
            data = b" ".join(rnd.choices(words, k=rnd.randint(100, 12_000)))
            info = tarfile.TarInfo(f"data/file-{number}")
            info.size, info.mtime = len(data), number
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("data/late-link")
        link.type, link.linkname = tarfile.LNKTYPE, "data/file-0"
        archive.addfile(link)
    return out.getvalue()


def _blob(stream: bytes, folder: Path) -> Blob:
    path = folder / "layer"
    path.write_bytes(stream)
    return Blob(Digest(f"sha256:{hashlib.sha256(stream).hexdigest()}"), FileRange(InputFile(path), 0, len(stream)))


def _split(stream: bytes, tar: bytes, folder: Path, jobs: int = 2) -> tuple[list[Part], Spool]:
    spool = Spool()
    diff_id = Digest(f"sha256:{hashlib.sha256(tar).hexdigest()}")
    parts = split_layer(_blob(stream, folder), "layer", SplitOptions(LIMIT, Compression.GZIP, jobs=jobs, diff_id=diff_id), spool)
    return parts, spool


def _check(parts: list[Part], tar: bytes) -> None:
    assert len(parts) > 1
    raws = []
    for part in parts:
        assert part.blob.size <= LIMIT
        stream = b"".join(part.blob.chunks())
        assert part.blob.digest == f"sha256:{hashlib.sha256(stream).hexdigest()}"
        raw = zlib.decompress(stream, 31)
        assert b"".join(map(bytes, decoded(part.blob.content, "part"))) == raw
        assert part.diff_id == f"sha256:{hashlib.sha256(raw).hexdigest()}"
        raws.append([raw])
    assert compare(merged_view([[tar]]), merged_view(raws)) == []


def test_one_thread_finds_boundaries_and_copies(tar: bytes, tmp_path: Path) -> None:
    stream = gzip.compress(tar, 6)
    parts, spool = _split(stream, tar, tmp_path)
    _check(parts, tar)
    assert spool.size == 0, "nothing was encoded to disk"
    assert sum(part.blob.size for part in parts) < len(stream) * 1.05


def test_the_number_of_cores_makes_no_difference(tar: bytes, tmp_path: Path) -> None:
    stream = gzip.compress(tar, 6)
    few, _ = _split(stream, tar, tmp_path, jobs=1)
    many, _ = _split(stream, tar, tmp_path, jobs=16)
    assert [part.blob.digest for part in few] == [part.blob.digest for part in many]


def test_without_boundaries_near_the_cuts_what_is_there_is_encoded(tar: bytes, tmp_path: Path) -> None:
    """A stream of fixed codes only: its block headers can't be told from anything else."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, 31, 8, zlib.Z_FIXED)
    parts, _ = _split(compressor.compress(tar) + compressor.flush(), tar, tmp_path)
    _check(parts, tar)


def test_several_members_are_encoded(tar: bytes, tmp_path: Path) -> None:
    middle = len(tar) // 2
    parts, spool = _split(gzip.compress(tar[:middle], 6) + gzip.compress(tar[middle:], 6), tar, tmp_path)
    _check(parts, tar)
    assert spool.size > 0


def test_the_same_layer_gives_the_same_parts(tar: bytes, tmp_path: Path) -> None:
    stream = gzip.compress(tar, 6)
    first, _ = _split(stream, tar, tmp_path)
    second, _ = _split(stream, tar, tmp_path)
    assert [part.blob.digest for part in first] == [part.blob.digest for part in second]


def test_a_wrong_diff_id_is_found(tar: bytes, tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="diff_id"):
        _split(gzip.compress(tar, 6), tar + b"something else", tmp_path)


@pytest.mark.parametrize("place", [0.3, 0.9999])
def test_a_damaged_stream_is_found(tar: bytes, tmp_path: Path, place: float) -> None:
    stream = bytearray(gzip.compress(tar, 6))
    stream[int(len(stream) * place)] ^= 0x40
    with pytest.raises(DamagedError, match="layer"):
        _split(bytes(stream), tar, tmp_path)


def test_a_truncated_stream_is_found(tar: bytes, tmp_path: Path) -> None:
    stream = gzip.compress(tar, 6)
    with pytest.raises(DamagedError, match="truncated"):
        _split(stream[: len(stream) * 9 // 10], tar, tmp_path)


def test_the_source_is_checked_by_what_it_inflates_to_or_by_its_bytes(tar: bytes, tmp_path: Path) -> None:
    """One of both is enough: the diff_id says what the layer is, the digest what the blob is."""
    stream = gzip.compress(tar, 1)
    right = Digest(f"sha256:{hashlib.sha256(tar).hexdigest()}")
    wrong = Digest("sha256:" + "0" * 64)
    sound = _blob(stream, tmp_path)
    misnamed = Blob(wrong, sound.content)

    def split(blob: Blob, diff_id: Digest | None) -> list[Part]:
        return split_layer(blob, "layer", SplitOptions(LIMIT, Compression.GZIP, jobs=1, diff_id=diff_id), Spool())

    _check(split(misnamed, right), tar)
    with pytest.raises(DamagedError, match="diff_id"):
        split(sound, wrong)
    with pytest.raises(DamagedError, match="content of that digest"):
        split(misnamed, None)
    with pytest.raises(DamagedError, match="content of that digest"):
        split(misnamed, wrong)


@pytest.mark.parametrize("at", [0, 3])
def test_zeros_longer_than_a_seam(at: int, tmp_path: Path) -> None:
    """What is encoded of a long seam isn't copied as well; and nobody tries thousands of offsets at which zeros are the same."""
    chance = random.Random(5)
    runs = [tar_building.file(f"file-{number}", chance.randbytes(1_500_000)) for number in range(8)]
    runs.insert(at, tar_building.directory("opt") + tar_building.file("zeros", bytes(300 << 20)))
    raw = tar_building.layer(*runs)
    begun = time.process_time()
    parts, spool = _split(gzip.compress(raw, 6), raw, tmp_path)
    assert time.process_time() - begun < 20
    assert spool.size == 0, "it was copied"
    assert max(part.blob.size for part in parts) <= LIMIT
    for part in parts:
        data = b"".join(map(bytes, decoded(part.blob.content, "part")))
        assert part.diff_id == f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.mark.parametrize("longest", [100_000, 1_000_000])
@pytest.mark.parametrize("at", [0, 1, 3])
def test_long_seams(at: int, longest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in small: every seam over zeros is a long one."""
    monkeypatch.setattr(weave, "_LONGEST_SEAM", longest)
    monkeypatch.setattr(weave, "_MOST_KEPT", 4 * longest)
    chance = random.Random(at)
    runs = [tar_building.file(f"opt/file-{number}", chance.randbytes(1_500_000)) for number in range(10)]
    for place in range(at, 11, 4):
        runs.insert(place, tar_building.directory(f"opt{place}") + tar_building.file(f"zeros-{place}", bytes(30 << 20)))
    runs.append(tar_building.hard_link("link", "opt/file-1"))
    raw = tar_building.layer(*runs)
    parts, _ = _split(gzip.compress(raw, 6), raw, tmp_path)
    _check(parts, raw)


@pytest.mark.parametrize("files", [2, 3, 4, 7])
@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.NONE])
def test_what_follows_the_end_of_the_archive_costs_nothing(files: int, compression: Compression, tmp_path: Path) -> None:
    """Nobody reads it: a layer, or a last part of one file, that is only too large for that isn't refused."""
    chance = random.Random(files)
    runs = [tar_building.file(f"file-{number}", chance.randbytes(2_400_000)) for number in range(files)]
    raw = tar_building.layer(*runs) + chance.randbytes(9_000_000)
    stream = gzip.compress(raw, 1) if compression is Compression.GZIP else raw
    given = SplitOptions(LIMIT, compression, diff_id=Digest(f"sha256:{hashlib.sha256(raw).hexdigest()}"))
    parts = split_layer(_blob(stream, tmp_path), "layer", given, Spool())
    assert max(part.blob.size for part in parts) <= LIMIT
    raws = [[b"".join(map(bytes, decoded(part.blob.content, "part")))] for part in parts]
    assert compare(merged_view([[tar_building.layer(*runs)]]), merged_view(raws)) == []
