"""Where something begins, by names alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.plan.ranking import Rank, Ranking

names = st.binary(min_size=1, max_size=8).filter(lambda name: b"/" not in name)
paths = st.lists(names, min_size=1, max_size=5).map(b"/".join)


def ranks(*members: bytes) -> list[Rank]:
    ranking = Ranking()
    found = []
    for path in members:
        found.append(ranking.rank(path))
        ranking.see(path)
    return found


@pytest.mark.parametrize("name", [b"numpy-2.1.dist-info", b"numpy.libs", b"numpy2", b"NumPy-1.0"])
def test_what_goes_on_with_a_name_begins_nothing(name: bytes) -> None:
    """Whatever is below the name before."""
    first, below, going_on, other = ranks(b"lib/numpy", b"lib/numpy/core", b"lib/" + name, b"lib/other")
    assert [rank.goes_on for rank in (first, below, going_on, other)] == [False, False, True, False]


@pytest.mark.parametrize("path", [b"lib/numpydoc", b"lib/num", b"lib/other", b"usr/numpy-2.1.dist-info", b"lib/1", b"numpy"])
def test_other_names_begin_something(path: bytes) -> None:
    assert not ranks(b"lib/numpy", path)[1].goes_on


@given(first=st.integers(0, 10**6), second=st.integers(0, 10**6), before=st.lists(paths, max_size=3))
def test_versions_have_no_part_in_it(first: int, second: int, before: list[bytes]) -> None:
    """Where nothing else of that name is before it; and what else there is makes no difference."""
    one, other = (ranks(*before, b"usr", f"usr/Zzz-{version}.egg-info".encode())[-1] for version in (first, second))
    assert one == other == ranks(b"usr", b"usr/zzz")[-1]


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=20, unique=True))
def test_files_that_differ_in_a_number_have_ranks_of_their_own(numbers: list[int]) -> None:
    assert len(set(ranks(*(f"data/part-{number}.bin".encode() for number in numbers)))) == len(numbers)
