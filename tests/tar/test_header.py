"""Numbers, pax records and names, read back from what was written."""

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from layerkit.tar.header import HeaderError, Kind, parse_header, parse_number, parse_pax, sparse_extension_follows
from tests.tar_building import BLOCK, header, number, pax_records, with_checksum

keys = st.binary(min_size=1, max_size=20).filter(lambda key: b"=" not in key)


@given(value=st.integers(-(1 << 55), (1 << 55) - 1))
def test_numbers_of_8_bytes(value: int) -> None:
    assert parse_number(number(value, 8), "size") == value


@given(value=st.integers(-(1 << 87), (1 << 87) - 1))
def test_numbers_of_12_bytes(value: int) -> None:
    assert parse_number(number(value, 12), "size") == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000644\0", 0o644),
        (b"   644 \0", 0o644),
        (b"644 \0   ", 0o644),
        (b"644\0junk", 0o644),
        (b"\0\0\0\0\0\0\0\0", 0),
        (b"        ", 0),
        (b"77777777", 0o77777777),
    ],
)
def test_octal_as_programs_write_it(field: bytes, value: int) -> None:
    assert parse_number(field, "mode") == value


@pytest.mark.parametrize("field", [b"0000888\0", b"-000001\0", b"0x00001\0", b"1 1     "])
def test_no_number(field: bytes) -> None:
    with pytest.raises(HeaderError, match="expected an octal mode, found"):
        parse_number(field, "mode")


@given(st.text("01234567890 \0_+-xo", min_size=8, max_size=8).map(str.encode))
def test_octal_digit_by_digit(field: bytes) -> None:
    """Python's int() also takes signs, underscores and prefixes."""
    digits = field.strip(b" \0").split(b"\0")[0].rstrip(b" ")
    if set(digits) <= set(b"01234567"):
        assert parse_number(field, "mode") == sum((digit - ord("0")) * 8**place for place, digit in enumerate(digits[::-1]))
    else:
        with pytest.raises(HeaderError, match="expected an octal mode, found"):
            parse_number(field, "mode")


def signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


ADLER = 65521
"""Modulus of the checksum that sums the bytes."""


@given(
    names=st.binary(min_size=100, max_size=100),
    rest=st.one_of(st.binary(min_size=255, max_size=255), st.integers(0, 255).map(lambda byte: bytes([byte]) * 255)),
    form=st.sampled_from([b"%06o\0 ", b"%07o\0", b"%06o  ", b"%08o", b"%6o\0 "]),
    off_by=st.sampled_from([0, 1, -1, 256, ADLER - 1, ADLER, ADLER + 1, -ADLER, 2 * ADLER]),
    of=st.sampled_from([int, signed]),
)
def test_the_checksum_is_the_sum_of_the_bytes_signed_or_not(
    names: bytes, rest: bytes, form: bytes, off_by: int, of: Callable[[int], int]
) -> None:
    block = bytearray(names + header("", b"0")[100:257] + rest)
    block[148:156] = b"        "
    sums = {sum(block), sum(map(signed, block))}
    stored = sum(map(of, block)) + off_by
    assume(stored >= 0)
    block[148:156] = form % stored
    if stored in sums:
        assert parse_header(bytes(block)).name.endswith(names.partition(b"\0")[0])
    else:
        with pytest.raises(HeaderError, match=f"checksum is {max(sums)}, not {stored}$"):
            parse_header(bytes(block))


@given(st.dictionaries(keys, st.binary(max_size=200), max_size=5))
def test_pax_records(records: dict[bytes, bytes]) -> None:
    assert parse_pax(pax_records(records)) == records


@pytest.mark.parametrize(
    "payload",
    [
        b"a",
        b"5 a=b\n",
        b"6 a=bc",
        b"6 abc\n",
        b"7 a=b\n",
        b" 6 a=b\n",
        b"-6 a=b\n",
        b"5 =b\n",
        b"6 a=b\nx",
        b"99999999999999999999999 a=b\n",
    ],
)
def test_broken_pax_records(payload: bytes) -> None:
    with pytest.raises(HeaderError, match="expected a pax record"):
        parse_pax(payload)


def test_ustar_prefix() -> None:
    block = bytearray(header("file", b"0"))
    block[345:352] = b"long/er"
    assert parse_header(with_checksum(bytes(block))).name == b"long/er/file"
    block[257:265] = b"ustar  \0"  # GNU keeps times there
    assert parse_header(with_checksum(bytes(block))).name == b"file"


def test_star_prefix_is_shorter() -> None:
    block = bytearray(header("file", b"0"))
    block[345:476] = b"p" * 131
    block[476:500] = b"0" * 24
    block[508:512] = b"tar\0"
    assert parse_header(with_checksum(bytes(block))).name == b"p" * 131 + b"/file"


@pytest.mark.parametrize(
    ("flag", "name", "kind"),
    [
        (b"0", "a/", Kind.FILE),  # archive/tar makes a directory of the old flag only
        (b"\0", "a/", Kind.DIRECTORY),
        (b"\0", "a", Kind.FILE),
        (b"7", "a", Kind.FILE),
        (b"A", "a", None),
        (b"N", "a", None),
    ],
)
def test_kind(flag: bytes, name: str, kind: Kind | None) -> None:
    assert parse_header(header(name, flag)).kind is kind


def test_sparse_extension_flag() -> None:
    block = bytearray(BLOCK)
    assert not sparse_extension_follows(bytes(block), first=True)
    block[482] = 1
    assert sparse_extension_follows(bytes(block), first=True)
    assert not sparse_extension_follows(bytes(block), first=False)
    block[504] = 1
    assert sparse_extension_follows(bytes(block), first=False)
