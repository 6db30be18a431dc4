"""Where members begin in a compressed stream."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from layerkit.compression.metering import Mark
from layerkit.costs.positions import Positions

steps = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), max_size=30)


def test_between_marks_a_layer_compresses_evenly() -> None:
    positions = Positions()
    for start in (0, 500, 1000, 1500, 9999):
        positions.add(start)
    positions.reach([Mark(0, 0), Mark(1000, 100), Mark(2000, 900)])
    assert list(positions.known) == [0, 50, 100, 500]
    assert positions.end(10_000, 1000) == 1000
    assert list(positions.known) == [0, 50, 100, 500, 999]


@given(steps, st.lists(st.integers(0, 2000), max_size=40), st.integers(0, 40), st.booleans())
def test_positions_ascend_and_end_with_the_stream(rises: list[tuple[int, int]], gaps: list[int], cut: int, known: bool) -> None:
    """However marks and members come to each other."""
    marks, raw, cost = [], 0, 0
    for up, along in rises:
        raw, cost = raw + up, cost + along
        marks.append(Mark(raw, cost))
    starts, at = [], 0
    for gap in gaps:
        starts.append(at)
        at += gap
    positions = Positions()
    for start in starts[:cut]:
        positions.add(start)
    positions.reach(marks)
    for start in starts[cut:]:
        positions.add(start)
    total = positions.end(max(at, raw), cost + 5 if known else None)
    assert total == (cost + 5 if known else cost)
    assert len(positions.known) == len(starts)
    assert all(before <= after for before, after in pairwise([*positions.known, total]))
