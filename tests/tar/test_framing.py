"""Member runs: where they begin and end, what they are called, and which errors are made of what is no tar."""

import io
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.errors import DamagedError
from layerkit.image.blob import InputFile
from layerkit.tar.framing import MAX_EXTENSION, Framer, Member, clean, members_of
from layerkit.tar.header import Kind
from tests.tar_building import (
    BLOCK,
    block_device,
    char_device,
    directory,
    fifo,
    file,
    global_header,
    gnu_sparse,
    hard_link,
    header,
    layer,
    member,
    padded,
    pax_sparse,
    symlink,
    with_checksum,
)


def framed(data: bytes, sizes: list[int] | None = None) -> list[Member]:
    """The members of a tar that comes in pieces of the given sizes, over and over."""
    framer = Framer("layer 1")
    members = []
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)] if sizes else len(data)
        members += framer.feed(memoryview(data)[at : at + size])
        at, turn = at + size, turn + 1
    framer.close()
    return members


RUNS = {
    "file": (file("a/b", b"hello"), Kind.FILE, b"a/b", b"", 5),
    "empty file": (file("a"), Kind.FILE, b"a", b"", 0),
    "exactly a block": (file("a", b"x" * BLOCK), Kind.FILE, b"a", b"", BLOCK),
    "directory": (directory("d"), Kind.DIRECTORY, b"d/", b"", 0),
    "directory without slash": (member("d", b"5"), Kind.DIRECTORY, b"d", b"", 0),
    "old directory": (member("d/", b"\0"), Kind.DIRECTORY, b"d/", b"", 0),
    "old file": (member("f", b"\0", data=b"1"), Kind.FILE, b"f", b"", 1),
    "contiguous file": (member("f", b"7", data=b"1"), Kind.FILE, b"f", b"", 1),
    "symlink": (symlink("s", "../x"), Kind.SYMLINK, b"s", b"../x", 0),
    "hard link": (hard_link("h", "a/b"), Kind.HARD_LINK, b"h", b"a/b", 0),
    "hard link that claims a size": (member("h", b"1", link="a", size=10_000), Kind.HARD_LINK, b"h", b"a", 0),
    "directory that claims a size": (member("d/", b"5", size=10_000), Kind.DIRECTORY, b"d/", b"", 0),
    "character device": (char_device("null", 1, 3), Kind.CHAR_DEVICE, b"null", b"", 0),
    "block device": (block_device("sda", 8, 0), Kind.BLOCK_DEVICE, b"sda", b"", 0),
    "fifo": (fifo("p"), Kind.FIFO, b"p", b"", 0),
    "pax long names": (symlink("n" * 300, "t" * 300), Kind.SYMLINK, b"n" * 300, b"t" * 300, 0),
    "gnu long names": (symlink("n" * 300, "t" * 300, gnu=True), Kind.SYMLINK, b"n" * 300, b"t" * 300, 0),
    "no UTF-8": (file(b"\xff\xfe", b"1"), Kind.FILE, b"\xff\xfe", b"", 1),
    "xattrs": (file("f", b"1", xattrs={"user.a": b"\0\xff"}), Kind.FILE, b"f", b"", 1),
    "base-256 numbers": (file("f", b"1", uid=1 << 40, mtime=-5, gnu=True), Kind.FILE, b"f", b"", 1),
    "pax size": (member("f", b"0", data=b"x" * 600, size=0, pax={"size": "600"}), Kind.FILE, b"f", b"", 600),
    "gnu sparse": (gnu_sparse("s", [(0, b"a" * BLOCK), (1 << 20, b"b")], (1 << 20) + 1), Kind.FILE, b"s", b"", BLOCK + 1),
    "pax sparse": (pax_sparse("s", [(4096, b"b" * 7)], 5000), Kind.FILE, b"s", b"", BLOCK + 7),
    "global header": (global_header({"comment": "x"}), Kind.GLOBAL, b"pax_global_header", b"", 0),
}


@pytest.mark.parametrize("name", RUNS)
def test_each_kind(name: str) -> None:
    run, kind, path, link, size = RUNS[name]
    (first, found, last) = framed(layer(file("before", b"1"), run, file("after", b"2")))
    assert (found.kind, found.name, found.link, found.size) == (kind, path, link, size)
    assert (found.start, found.end) == (first.end, first.end + len(run)) == (first.end, last.start)
    assert found.head + run[found.data - found.start :] == run


@given(names=st.lists(st.sampled_from(sorted(RUNS)), max_size=12), sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=5))
def test_any_pieces_give_what_positions_give(names: list[str], sizes: list[int]) -> None:
    data = layer(*(RUNS[name][0] for name in names), end=bytes(4 * BLOCK))
    with tempfile.NamedTemporaryFile() as stored:
        stored.write(data)
        stored.flush()
        by_position = list(members_of(InputFile(Path(stored.name)), "layer 1"))
    assert framed(data, sizes) == by_position
    assert len(by_position) == len(names)
    assert b"".join(data[item.start : item.end] for item in by_position) == data[: -4 * BLOCK]


@given(names=st.lists(st.sampled_from(sorted(set(RUNS) - {"global header"})), max_size=12))
def test_python_reads_the_same_members(names: list[str]) -> None:
    data = layer(*(RUNS[name][0] for name in names))
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as archive:
        expected = [item.name.encode("utf-8", "surrogateescape") for item in archive]
    assert [item.name.rstrip(b"/") for item in framed(data)] == expected


@given(
    names=st.lists(st.sampled_from(sorted(RUNS)), min_size=1, max_size=6),
    where=st.floats(0, 1, exclude_max=True),
    sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=3),
)
def test_truncated_anywhere(names: list[str], where: float, sizes: list[int]) -> None:
    data = layer(*(RUNS[name][0] for name in names), end=b"")
    cut = data[: int(where * len(data))]
    if not cut:
        return
    with pytest.raises(DamagedError, match=r"^layer 1: offset [\d,]+: expected .*, found "):
        framed(cut, sizes)
    with tempfile.NamedTemporaryFile() as stored:
        stored.write(cut)
        stored.flush()
        with pytest.raises(DamagedError, match=r"^layer 1: offset [\d,]+: expected .*, found "):
            list(members_of(InputFile(Path(stored.name)), "layer 1"))


@given(names=st.lists(st.sampled_from(sorted(RUNS)), max_size=4), damage=st.integers(0, BLOCK - 1), bit=st.integers(0, 7))
def test_flipped_bit_in_mid_archive(names: list[str], damage: int, bit: int) -> None:
    """Python's tarfile ends there without a word; here it is an error that gives the offset of the header."""
    before = b"".join(RUNS[name][0] for name in names)
    block = bytearray(header("victim", b"5"))
    block[damage] ^= 1 << bit
    said = [bytes(each[148:156]).partition(b"\0")[0].strip(b" ") for each in (block, header("victim", b"5"))]
    if 148 <= damage < 156 and said[0] == said[1]:
        return  # only what stands before or behind the checksum's digits changed
    with pytest.raises(DamagedError, match=f"^layer 1: offset {len(before):,}: expected"):
        framed(layer(before, bytes(block), file("after")))


def test_checksum_of_signed_characters() -> None:
    """Some old tars summed them so; archive/tar takes both."""
    block = bytearray(header(b"\xff\xfe", b"5"))
    block[148:156] = b"        "
    signed = sum(byte - 256 if byte > 127 else byte for byte in block)
    block[148:156] = b"%06o\0 " % signed
    assert [item.name for item in framed(layer(bytes(block)))] == [b"\xff\xfe"]


@pytest.mark.parametrize(
    ("tar", "error"),
    [
        (layer(member("x", b"D")), "offset 0: expected a tar member of a known type, found type b'D' .*'x'"),
        (layer(member("x", b"V")), "found type b'V'"),
        (layer(file("a", b"1"), b"\x01" * BLOCK), "offset 1,024: expected an octal checksum"),
        (layer(file("a", b"1"), with_checksum(file("b")[:124] + b"zz" + file("b")[126:BLOCK])), "offset 1,024: .*octal size"),
        (layer(header("x", b"x", size=MAX_EXTENSION + 1)), "extension headers of at most 4,194,304 bytes for one member"),
        (layer(header("x", b"g", size=MAX_EXTENSION + 1)), "extension headers of at most 4,194,304 bytes for one member"),
        (layer(header("x", b"x", size=4) + padded(b"oops")), "offset 512: expected a pax record"),
        (layer(header("x", b"g", size=4) + padded(b"oops")), "offset 512: expected a pax record"),
        (layer(header("x", b"x", size=9) + padded(b"99 a=bcd\n")), "expected a pax record of 99 bytes"),
        (layer(file("f", pax={"size": "-1"})), "expected a pax size in bytes"),
        (layer(file("f", pax={"size": "9" * 5000})), "offset 0: expected a pax size in bytes, found b'9999.*5,000 bytes"),
        (layer(file("f", pax={"size": str(1 << 63)})), "expected a pax size in bytes"),
        (
            b"".join(header("x", b"L", size=1 << 20) + bytes(1 << 20) for _ in range(5)),
            f"offset {3 * ((1 << 20) + BLOCK):,}: expected extension headers of at most 4,194,304 bytes for one member",
        ),
        (
            layer(header("x", b"L", size=3) + padded(b"ab\0")),
            "offset 1,024: expected the header that the extension header is for",
        ),
        (layer(file("a", size=-1, gnu=True)), "expected a size in bytes, found -1"),
        (file("a", b"x"), "offset 1,024: expected an end-of-archive block, found the end of the file"),
        (b"x", "offset 0: expected a tar header of 512 bytes, found 1 bytes"),
    ],
)
def test_errors(tar: bytes, error: str) -> None:
    with pytest.raises(DamagedError, match=f"^layer 1: .*{error}"):
        framed(tar)


def test_truncated_in_a_long_sparse_map() -> None:
    block, more, last = bytearray(header("s", b"S")), bytearray(BLOCK), bytes(BLOCK)
    block[482] = more[504] = 1  # another block of the map follows
    run = with_checksum(bytes(block)) + more + last
    assert [found.head for found in framed(layer(run))] == [run]
    with pytest.raises(DamagedError, match=r"^layer 1: offset 1,024: expected the rest of a sparse map, found the end of the"):
        framed(run[: 3 * BLOCK - 1])


def test_extension_headers_have_a_limit_in_all() -> None:
    """Each member's is small enough; a layer of many members may have more of them."""
    run = header("x", b"L", size=1 << 20) + bytes(1 << 20) + file("a")
    with pytest.raises(DamagedError, match=r"expected extension headers of at most 67,1.* bytes for 64 members, found more"):
        framed(run * 65)
    usual = file("a", pax={"comment": "x" * 400})
    assert len(framed(layer(usual * 3))) == 3


def test_a_sparse_map_has_a_limit() -> None:
    block, more = bytearray(header("s", b"S")), bytearray(BLOCK)
    block[482] = more[504] = 1  # another block of the map follows
    with pytest.raises(DamagedError, match="expected extension headers of at most 4,194,304 bytes for one member"):
        framed(with_checksum(bytes(block)) + bytes(more) * (MAX_EXTENSION // BLOCK + 1))


def test_nothing_at_all_is_an_empty_layer() -> None:
    assert framed(b"") == []
    assert framed(layer()) == []
    assert framed(bytes(10_240)) == []


def test_what_follows_the_end_is_not_read() -> None:
    framer = Framer("layer 1")
    assert [item.name for item in framer.feed(layer(file("a")) + b"anything at all")] == [b"a"]
    assert framer.feed(b"more of it") == []
    assert framer.close() == BLOCK


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (b"a", b"a"),
        (b"./a", b"a"),
        (b"/a", b"a"),
        (b"a/", b"a"),
        (b"a//b", b"a/b"),
        (b"a/./b/", b"a/b"),
        (b"b/../a", b"a"),
        (b"../../a", b"a"),
        (b".", b""),
        (b"./", b""),
        (b"/", b""),
        (b"..", b""),
        (b".a/..b/c.", b".a/..b/c."),
        (b"\xff/./\n", b"\xff/\n"),
    ],
)
def test_clean(name: bytes, path: bytes) -> None:
    assert clean(name) == path


@given(st.lists(st.sampled_from([b"a", b"b", b".", b"..", b"", b".c"]), max_size=8))
def test_clean_twice_is_clean(parts: list[bytes]) -> None:
    path = clean(b"/".join(parts))
    assert clean(path) == path == clean(b"/" + path + b"/")
    assert not {b"", b".", b".."} & set(path.split(b"/")) or path == b""
