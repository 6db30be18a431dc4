"""Files by what their names end with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.costs.groups import MAX_GROUPS, NO_SUFFIX, OTHERS, Groups, suffix_of


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        (b"a.py", ".py"),
        (b"libc.so.6", ".so"),
        (b"libcupti.so.2025.1.1", ".so"),
        (b"data.tar.gz", ".tar.gz"),
        (b"doc.gz", ".gz"),
        (b"python3.11", NO_SUFFIX),
        (b"README", NO_SUFFIX),
        (b".bashrc", NO_SUFFIX),
        (b"a.JPG", ".jpg"),
        (b"torch-2.9.dist-info", ".dist-info"),
        (b"weird.name with blanks", NO_SUFFIX),
        (b"long.abcdefghijklmnopqrstuvwxyz", NO_SUFFIX),
        (b"a.\xff", NO_SUFFIX),
        (b"", NO_SUFFIX),
    ],
)
def test_suffixes(name: bytes, suffix: str) -> None:
    assert suffix_of(name) == suffix


@given(st.binary(max_size=40))
def test_any_name_has_one(name: bytes) -> None:
    assert suffix_of(name).isprintable()


def test_groups_are_bounded() -> None:
    groups = Groups()
    for number in range(MAX_GROUPS + 10):
        groups.add(f".{number}", 1, 2)
    (others,) = [group for group in groups.largest(MAX_GROUPS + 10) if group.name == OTHERS]
    assert (others.files, others.size, others.cost) == (10, 10, 20)
