"""Real tars, the odd ones that the authors of tar readers collected: each is framed to its end, or refused with an offset."""

import bz2
import gzip
from pathlib import Path

import pytest

from layerkit.errors import DamagedError
from layerkit.image.blob import InputFile
from layerkit.tar.framing import Framer, Member, members_of
from tests.fixtures import FIXTURES, fixture_files

MEMBERS = {
    "moby/emptyLayer.tar": 13,
    "moby/xattr-layer.tar": 1,
    "tar-rs/7z_long_path.tar": 2,
    "tar-rs/biguid_gnu.tar": 1,
    "tar-rs/biguid_pax.tar": 1,
    "tar-rs/directory.tar": 3,
    "tar-rs/duplicate_dirs.tar": 2,
    "tar-rs/file_times.tar": 1,
    "tar-rs/link.tar": 2,
    "tar-rs/pax.tar": 2,
    "tar-rs/pax2.tar": 5,
    "tar-rs/pax_size.tar": 1,
    "tar-rs/reading_files.tar": 2,
    "tar-rs/simple.tar": 3,
    "tar-rs/simple_missing_last_header.tar": 3,  # one zero block, which readers take for an end
    "tar-rs/spaces.tar": 1,
    "tar-rs/sparse-1.tar": 1,
    "tar-rs/sparse-large.tar": 1,
    "tar-rs/sparse.tar": 4,
    "tar-rs/xattrs.tar": 2,
    "tar-split/extranils.tar.gz": 1,
    "tar-split/fatlonglink.tar.gz": 22,
    "tar-split/file-and-dir.tar": 2,
    "tar-split/gnu-long-nul.tar": 1,
    "tar-split/gnu-nil-sparse-data.tar": 1,
    "tar-split/gnu-nil-sparse-hole.tar": 1,
    "tar-split/gnu-not-utf8.tar": 1,
    "tar-split/gnu-sparse-big.tar": 1,
    "tar-split/gnu-utf8.tar": 1,
    "tar-split/gnu.tar": 2,
    "tar-split/hardlink.tar": 2,
    "tar-split/hdr-only.tar": 16,
    "tar-split/invalid-go17.tar": 1,
    "tar-split/iso-8859.tar.gz": 2,
    "tar-split/longlink.tar.gz": 18,
    "tar-split/pax-global-records.tar": 6,  # two of them global headers
    "tar-split/pax-nil-sparse-data.tar": 1,
    "tar-split/pax-nil-sparse-hole.tar": 1,
    "tar-split/pax-nul-path.tar": 1,
    "tar-split/pax-nul-xattrs.tar": 1,
    "tar-split/pax-records.tar": 1,
    "tar-split/pax-sparse-big.tar": 1,
    "tar-split/pax.tar": 2,
    "tar-split/sparse-formats.tar": 5,
    "tar-split/star.tar": 2,
    "tar-split/t.tar.gz": 2,
    "tar-split/trailing-slash.tar": 1,
    "tar-split/ustar-file-devs.tar": 1,
    "tar-split/ustar.tar": 1,
    "tar-split/v7.tar": 2,
    "tar-split/writer.tar": 3,
    "tar-split/xattrs.tar": 2,
}

NO_END = "expected an end-of-archive block, found the end of the file"
ERRORS = {
    "tar-rs/empty_filename.tar": f"offset 512: {NO_END}",
    "tar-split/gnu-incremental.tar": "offset 0: expected a tar member of a known type, found type b'D'",
    "tar-split/gnu-multi-hdrs.tar": f"offset 4,608: {NO_END}",
    "tar-split/issue10968.tar": "offset 0: expected a size in bytes, found -",
    "tar-split/issue11169.tar": "offset 0: expected the rest of a 'x' extension header, found the end of the file",
    "tar-split/issue12435.tar": "offset 0: expected extension headers of at most 4,194,304 bytes for one member",
    "tar-split/neg-size.tar": "offset 0: expected a size in bytes, found -",
    "tar-split/nil-uid.tar": f"offset 1,024: {NO_END}",
    "tar-split/notenoughnils.tar.gz": f"offset 512: {NO_END}",
    "tar-split/pax-bad-hdr-file.tar": "offset 512: expected a pax record of 33 bytes",
    "tar-split/pax-bad-hdr-large.tar.bz2": "offset 0: expected a path of at most 16,384 bytes, found 1,048,563",
    "tar-split/pax-bad-mtime-file.tar": f"offset 2,560: {NO_END}",
    "tar-split/pax-multi-hdrs.tar": f"offset 4,608: {NO_END}",
    "tar-split/pax-path-hdr.tar": "offset 1,024: expected the header that the extension header is for",
    "tar-split/pax-pos-size-file.tar": f"offset 2,560: {NO_END}",
    "tar-split/ustar-file-reg.tar": f"offset 1,536: {NO_END}",
    "tar-split/writer-big-long.tar": "expected the data of 'longname/",
    "tar-split/writer-big.tar": "expected the data of 'tmp/16gig.txt', found the end of the file",
}

TARS = [path.relative_to(FIXTURES / "tars").as_posix() for path in fixture_files("tars")]


def read(name: str) -> bytes:
    data = (FIXTURES / "tars" / name).read_bytes()
    if name.endswith(".gz"):
        return gzip.decompress(data)
    return bz2.decompress(data) if name.endswith(".bz2") else data


def framed(data: bytes, step: int) -> list[Member]:
    framer = Framer("a.tar")
    members = [member for at in range(0, len(data), step) for member in framer.feed(data[at : at + step])]
    framer.close()
    return members


def test_all_fixtures_are_in_the_tables() -> None:
    if not TARS:
        pytest.skip("no fixtures here")
    assert sorted(TARS) == sorted([*MEMBERS, *ERRORS])


@pytest.mark.parametrize("name", TARS)
def test_fixture(name: str, tmp_path: Path) -> None:
    data = read(name)
    if name in ERRORS:
        with pytest.raises(DamagedError, match=r"^a\.tar: offset [\d,]+: ") as caught:
            framed(data, 1 << 20)
        assert ERRORS[name] in str(caught.value)
        return
    members = framed(data, 1 << 20)
    assert len(members) == MEMBERS[name]
    assert [member.start for member in members[1:]] == [member.end for member in members[:-1]], "runs leave no gap"
    assert members[0].start == 0
    if len(data) < 1 << 20:
        assert framed(data, 700) == members
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    assert list(members_of(InputFile(path), "a.tar")) == members


@pytest.mark.parametrize("name", sorted(set(TARS) & set(ERRORS)))
def test_refused_the_same_by_position(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(read(name))
    with pytest.raises(DamagedError) as caught:
        list(members_of(InputFile(path), "a.tar"))
    assert ERRORS[name] in str(caught.value)
