"""Shards: a partition, the same everywhere, balanced; what engines say is understood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.batch.shards import Shard, Weighed, fingerprint, members, parse_shard, shard_of
from layerkit.errors import UsageError

ITEMS = st.dictionaries(st.text(max_size=12), st.none() | st.integers(0, 10**10), max_size=60).map(
    lambda sizes: [Weighed(key, size) for key, size in sizes.items()]
)


@given(ITEMS, st.integers(1, 12), st.randoms())
def test_every_item_is_in_exactly_one_shard_whatever_the_order(items: list[Weighed], count: int, chance: object) -> None:
    shards = [members(items, Shard(index, count)) for index in range(1, count + 1)]
    assert sorted(key for shard in shards for key in shard) == sorted(item.key for item in items)
    mixed = list(items)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert shards == [members(mixed, Shard(index, count)) for index in range(1, count + 1)]
    assert fingerprint(items) == fingerprint(mixed)


@given(ITEMS.filter(bool), st.integers(1, 12))
def test_no_shard_has_more_than_another_by_more_than_the_largest(items: list[Weighed], count: int) -> None:
    known = [Weighed(item.key, item.size or 1) for item in items]
    sizes = {item.key: item.size or 1 for item in known}
    loads = [sum(sizes[key] for key in members(known, Shard(index, count))) for index in range(1, count + 1)]
    assert max(loads) - min(loads) <= max(sizes.values())


@given(st.integers(1, 300), st.integers(1, 12))
def test_unknown_sizes_are_shared_by_number(number: int, count: int) -> None:
    items = [Weighed(str(at), None) for at in range(number)]
    numbers = [len(members(items, Shard(index, count))) for index in range(1, count + 1)]
    assert max(numbers) - min(numbers) <= 1


@pytest.mark.parametrize(
    ("variables", "count", "expected"),
    [
        ({}, None, None),
        ({}, 8, None),
        ({"JOB_COMPLETION_INDEX": "0"}, 8, Shard(1, 8)),
        ({"JOB_COMPLETION_INDEX": "7"}, 8, Shard(8, 8)),
        ({"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "4"}, None, Shard(1, 4)),
        ({"CI_NODE_TOTAL": "1"}, None, None),
        ({"BUILDKITE_PARALLEL_JOB": "2", "BUILDKITE_PARALLEL_JOB_COUNT": "3"}, None, Shard(3, 3)),
        ({"CIRCLE_NODE_INDEX": "0", "CIRCLE_NODE_TOTAL": "2"}, None, Shard(1, 2)),
        ({"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "8", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "8"},
         None, Shard(3, 8)),
        ({"SLURM_ARRAY_TASK_ID": "14", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_MAX": "14"},
         None, Shard(3, 3)),
    ],
)  # fmt: skip
def test_what_engines_say(variables: dict[str, str], count: int | None, expected: Shard | None) -> None:
    found = shard_of(variables, count)
    assert (found[0] if found else None) == expected


@pytest.mark.parametrize(
    ("variables", "count", "words"),
    [
        ({"JOB_COMPLETION_INDEX": "0"}, None, "--shards N"),
        ({"JOB_COMPLETION_INDEX": "8"}, 8, "can't be"),
        ({"JOB_COMPLETION_INDEX": "one"}, 8, "expected a number"),
        ({"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "4"}, 8, "there are 4"),
        ({"CI_NODE_INDEX": "0", "CI_NODE_TOTAL": "4"}, None, "can't be"),
        ({"SLURM_ARRAY_TASK_ID": "3"}, None, "SLURM_ARRAY_TASK_COUNT"),
        ({"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "7"},
         None, None),
        ({"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "8"},
         None, "evenly"),
    ],
)  # fmt: skip
def test_variables_that_cannot_be_meant(variables: dict[str, str], count: int | None, words: str | None) -> None:
    if words is None:
        assert shard_of({**variables, "SLURM_ARRAY_TASK_ID": "4"}, count) == (Shard(2, 3), "Slurm")
    with pytest.raises(UsageError, match=words):
        shard_of(variables, count)


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "1/0", "a/b", "-1/4", "1/4/8"])
def test_shards_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="expected I/N"):
        parse_shard(text)


def test_a_shard_by_hand() -> None:
    assert parse_shard("3/8") == Shard(3, 8)
