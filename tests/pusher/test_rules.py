"""How a host takes uploads: whatever it teaches, there is less to try afterwards, and what it takes is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.profiles import UploadRules, Way
from layerkit.pusher.rules import (
    CUT_OFF,
    Commit,
    Rules,
    announced,
    blob_that_fits,
    body_refused,
    body_taken,
    chunk_refused,
    describe,
    first_rules,
    kept,
    next_step,
    recalled,
    way_refused,
    way_taken,
)

MiB = 1 << 20
SMALLEST = 512 << 10
GENERIC = UploadRules(Way.CHUNKED, 50 * MiB)

sizes = st.integers(1, 1 << 44)
limits = st.none() | st.integers(1 << 14, 1 << 44)
rules_of = st.builds(
    Rules,
    order=st.permutations(list(Way)).map(tuple),
    chunk_size=st.integers(1 << 14, 1 << 34),
    refused=st.sets(st.sampled_from(Way)).map(frozenset),
    max_body=limits,
    max_chunk=limits,
    min_chunk=st.integers(0, 1 << 34),
    safe_body=limits,
    taken_body=limits,
)


# The next request


@given(rules_of, sizes, st.data())
def test_a_step_is_within_the_limits(rules: Rules, size: int, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, size - 1))
    refused = data.draw(st.sets(st.sampled_from(Way)))
    step = next_step(rules, size, offset, refused)
    if step is None:
        assert Way.CHUNKED in refused
        assert refused == set(Way) or (rules.max_body is not None and size > rules.max_body)
        return
    assert step.way not in refused
    if step.way is Way.CHUNKED:
        assert offset < step.end <= size
        assert rules.max_body is None or step.end - offset <= rules.max_body
    else:
        assert step.end == size
        assert rules.max_body is None or size <= rules.max_body


@pytest.mark.parametrize(
    ("way", "size", "expected"),
    [
        (Way.CHUNKED, 5 * MiB, (Way.WHOLE, 5 * MiB)),
        (Way.CHUNKED, 9 * MiB, (Way.CHUNKED, 8 * MiB)),
        (Way.WHOLE, 900 * MiB, (Way.WHOLE, 900 * MiB)),
        (Way.STREAMED, 900 * MiB, (Way.STREAMED, 900 * MiB)),
    ],
)
def test_where_it_begins(way: Way, size: int, expected: tuple[Way, int]) -> None:
    assert next_step(first_rules(UploadRules(way, 50 * MiB)), size, 0) == expected


def test_chunks_approach_their_size() -> None:
    rules, seen = first_rules(GENERIC), []
    offset = 0
    while offset < 400 * MiB:
        step = next_step(rules, 1000 * MiB, offset)
        assert step is not None
        seen.append((step.end - offset) // MiB)
        rules = body_taken(rules, step.end - offset)
        offset = step.end
    assert seen[:6] == [8, 16, 32, 50, 50, 50]


def test_the_user_s_chunk_size_is_taken_at_its_word() -> None:
    assert next_step(first_rules(UploadRules(Way.WHOLE, 50 * MiB), 100 * MiB), 1000 * MiB, 0) == (Way.CHUNKED, 100 * MiB)


def test_what_was_begun_goes_on_in_chunks_where_they_are_taken() -> None:
    rules = first_rules(UploadRules(Way.WHOLE, 50 * MiB))
    assert next_step(rules, 900 * MiB, 300 * MiB) == (Way.CHUNKED, 308 * MiB)
    assert next_step(way_refused(rules, Way.CHUNKED), 900 * MiB, 300 * MiB) == (Way.WHOLE, 900 * MiB)
    assert next_step(rules, 900 * MiB, 300 * MiB, {Way.CHUNKED}) == (Way.WHOLE, 900 * MiB)


def test_what_is_not_safe_is_sent_where_there_is_no_other_way() -> None:
    rules = Rules((Way.WHOLE, Way.CHUNKED, Way.STREAMED), 50 * MiB, safe_body=10 * MiB)
    assert next_step(rules, 900 * MiB, 0) == (Way.CHUNKED, 10 * MiB)
    assert next_step(rules, 900 * MiB, 0, {Way.CHUNKED}) == (Way.WHOLE, 900 * MiB)


# Lessons


@given(rules_of, sizes, limits, st.sampled_from([2, 4]))
def test_refused_bodies_get_smaller_until_they_are_the_smallest(rules: Rules, sent: int, limit: int | None, by: int) -> None:
    after = body_refused(rules, sent, limit, SMALLEST, by)
    if after is None:
        assert sent <= SMALLEST
        assert rules.max_body is None or rules.max_body >= sent
    else:
        assert after.max_body is not None
        assert after.max_body < sent
        assert after.max_body >= min(SMALLEST, rules.max_body or SMALLEST)


@given(rules_of, sizes, limits)
def test_refused_chunks_get_smaller(rules: Rules, sent: int, limit: int | None) -> None:
    after = chunk_refused(rules, sent, limit, SMALLEST)
    assert (after is None) == (sent <= SMALLEST and not (rules.max_chunk is not None and rules.max_chunk < sent))
    assert after is None or (after.max_chunk is not None and after.max_chunk < sent)


@given(st.integers(1, 1 << 40), st.integers(1 << 20, 1 << 40), st.sampled_from(Way))
def test_whatever_limit_a_host_has_is_found_soon(size: int, limit: int, way: Way) -> None:
    """A host that refuses bodies above a limit, in silence: a blob has its first request taken after a few that were refused."""
    rules = first_rules(UploadRules(way, 50 * MiB))
    for _ in range(24):
        step = next_step(rules, size, 0)
        assert step is not None
        if step.end <= limit:
            return
        learned = body_refused(rules, step.end, None, SMALLEST)
        assert learned is not None
        rules = learned
    raise AssertionError("not found")


def test_chunks_of_4_mib_but_one_put_of_any_size() -> None:
    rules = chunk_refused(first_rules(GENERIC), 8 * MiB, 4 * MiB, SMALLEST)
    assert rules is not None
    assert next_step(rules, 900 * MiB, 0) == (Way.WHOLE, 900 * MiB)
    limited = body_refused(rules, 900 * MiB, None, SMALLEST)
    assert limited is not None
    assert next_step(limited, 900 * MiB, 0) == (Way.CHUNKED, 4 * MiB)


def test_ways_that_were_refused_are_the_last() -> None:
    rules = way_refused(first_rules(GENERIC), Way.CHUNKED)
    assert rules.ways == [Way.WHOLE, Way.STREAMED, Way.CHUNKED]
    assert way_taken(rules, Way.CHUNKED).ways[0] is Way.CHUNKED


@pytest.mark.parametrize(
    ("minimum", "maximum", "chunk"),
    [(None, None, 50), (60, None, 60), (None, 20, 20), (10, 20, 20), (30, 20, 50), (None, 0, 50), (1 << 30, None, 1 << 30)],
)
def test_what_is_announced(minimum: int | None, maximum: int | None, chunk: int) -> None:
    assert announced(Rules(tuple(Way), 50), minimum, maximum).chunk == chunk


# Time


def test_a_quarter_when_nothing_is_known() -> None:
    assert blob_that_fits(1000, 100.0, []) == 250


def test_from_the_rate_and_the_time_follows_the_size() -> None:
    commits = [Commit(100 * MiB, 10.0), Commit(200 * MiB, 18.0), Commit(100, 60.0)]
    fits = blob_that_fits(2000 * MiB, 100.0, commits)
    assert 0.6 * 1000 * MiB < fits < 0.75 * 1000 * MiB


def test_nobody_waited() -> None:
    """524 at once says nothing about time."""
    assert blob_that_fits(1000 * MiB, 0.1, [Commit(2 * MiB, 0.001)]) == 250 * MiB


@given(sizes, st.floats(0, 1000), st.lists(st.builds(Commit, sizes, st.floats(0, 1000)), max_size=5))
def test_it_is_less_than_what_failed_and_no_less_than_what_passed(size: int, gave_up: float, commits: list[Commit]) -> None:
    fits = blob_that_fits(size, gave_up, commits)
    assert 1 <= fits <= max(1, size // 2)
    assert all(fits >= min(commit.size, size // 2) for commit in commits if commit.size < size)


def test_waiting_is_long_from_so_many_seconds() -> None:
    assert CUT_OFF < 30, "edges cut off writes after 30 s"


# As JSON


@given(rules_of.filter(lambda rules: rules.taken_body is None))
def test_what_was_learned_comes_back(rules: Rules) -> None:
    begin = first_rules(GENERIC, rules.chunk_size)
    back = recalled(begin, kept(rules, begin))
    assert (back.ways, back.max_body, back.max_chunk, back.max_blob) == (rules.ways, rules.max_body, rules.max_chunk, None)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = SCALARS | st.lists(st.sampled_from(["whole", "x", 5]))
FIELDS = ["order", "refused", "max_body", "max_chunk", "max_blob", "max_seconds", "taken_body", "x"]


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_what_makes_no_sense_is_left_out(fields: dict[str, object]) -> None:
    rules = recalled(first_rules(GENERIC), fields)
    step = next_step(rules, 900 * MiB, 0)
    assert step is not None
    assert sorted(way.value for way in rules.order) == ["chunked", "streamed", "whole"]
    assert step.end >= 16 << 10


def test_what_is_told() -> None:
    begin = first_rules(GENERIC)
    assert describe(begin, begin) == ""
    assert describe(body_taken(begin, 5 * MiB), begin) == ""
    assert describe(way_refused(begin, Way.CHUNKED), begin) == "blobs go whole"
    limited = body_refused(begin, 50 * MiB, 12_000_000, SMALLEST)
    assert limited is not None
    assert describe(limited, begin) == "bodies have at most 12.0 MB"
