"""Foreign JSON and numbers: what is right comes through, what isn't is named, and nothing costs more than it may."""

import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.image.foreign import (
    MAX_DOCUMENT,
    MAX_LENGTH,
    MAX_NESTING,
    MAX_VALUES,
    ForeignError,
    natural,
    read_json,
    web_address,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 64), 1 << 64) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_json_comes_through(value: object) -> None:
    assert read_json(json.dumps(value).encode(), unique=True) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")) == value


@given(st.binary() | st.text(alphabet='{}[]",:0123456789.eE-\\ untrfals').map(str.encode))
def test_anything_is_read_or_refused(data: bytes) -> None:
    try:
        read_json(data, unique=True)
    except ForeignError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "b'' (Expecting value, line 1, column 1)"),
        (b"{", "Expecting property name"),
        (b"[1, NaN]", "NaN, which is no number in JSON"),
        (b"-Infinity", "-Infinity"),
        (b"[1e999]", "a number that is too large"),
        (b"[" + b"9" * 5000 + b"]", "a number of 5,000 digits"),
        (b"[" * 100_000, f"nested more than {MAX_NESTING} deep"),
        (b"[" * (MAX_NESTING + 1) + b"]" * (MAX_NESTING + 1), f"nested more than {MAX_NESTING} deep"),
        (b"[" + b"0," * MAX_VALUES + b"0]", f"more than {MAX_VALUES:,} values"),
        (b'{"a":1,"b":2,"a":3}', "the key 'a' twice in one object"),
        (b" " * (MAX_DOCUMENT + 1), f"more than {MAX_DOCUMENT:,}"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ForeignError) as error:
        read_json(data, unique=True)
    assert says in str(error.value)


def test_what_others_read_too() -> None:
    assert read_json(b"[" * MAX_NESTING + b"]" * MAX_NESTING)
    assert read_json(b'\xef\xbb\xbf{"a": "\xff"}') == {"a": "\ufffd"}
    assert read_json(b'{"a": 1, "a": 2}') == {"a": 2}
    assert read_json(b'["\\ud800", 18446744073709551615]') == ["\ud800", 18446744073709551615]


@pytest.mark.parametrize(
    "item",
    [b"[],", b"{},", b'{"k":{}},', b'"",', b"0.1,", b"12345678901234567890,", b"[[[[]]]],"],
    ids=["lists", "objects", "objects in objects", "texts", "fractions", "numbers", "nested"],
)
def test_the_worst_document_costs_little(item: bytes) -> None:
    tokens = item.count(b",") + item.count(b"[") + item.count(b"{")
    data = b"[" + item * ((MAX_VALUES - 2) // tokens) + b"0]"
    tracemalloc.start()
    began = time.process_time()
    read_json(data, unique=True)
    spent, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000_000
    assert spent < 10, "with memory being traced, which makes it several times slower"


@given(st.integers(0, 1 << 70))
def test_numbers(value: int) -> None:
    expected = value if value <= MAX_LENGTH else None
    assert natural(str(value)) == expected
    assert natural(str(value).encode()) == expected
    assert natural(f"000{value}") == expected
    assert natural(str(value), most=100) == (value if value <= 100 else None)


@pytest.mark.parametrize(
    "text", [None, "", " 1", "+1", "-1", "1_0", "0x1", "1.0", "\u0661", "\xb2", "9" * 5000, b"", b"\xff", b"1\0"]
)
def test_no_numbers(text: str | bytes | None) -> None:
    assert natural(text) is None


def test_web_addresses() -> None:
    for text in ("http://a", "https://a:5000/x?y", "https://[::1]:5000/"):
        assert web_address(text) is not None
    for text in ("", "a", "ftp://a", "http://", "http://[::1", "https://a:99999", "https://a:x", "https://a:" + "1" * 5000):
        assert web_address(text) is None
