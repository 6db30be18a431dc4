"""Each hazard, split at every place: the merged filesystem stays what it was."""

from collections.abc import Iterable

import pytest

from layerkit.errors import CannotFixError, ProofError
from layerkit.filesystem import Difference, compare, merged_view
from tests.hazards import Hazard, hazards
from tests.splitting import LIMIT, cut_at, split_tar
from tests.tar_building import layer

HAZARDS = hazards()
PLACES = [(name, place) for name, hazard in HAZARDS.items() for place in range(len(hazard.runs) + 1)]
PAIRS = [
    (name, first, second)
    for name, hazard in HAZARDS.items()
    for first in range(1, len(hazard.runs))
    for second in range(first + 1, len(hazard.runs))
]


def differences(hazard: Hazard, before: bytes, parts: Iterable[bytes], above: Iterable[bytes] = ()) -> list[Difference]:
    below = [layer(*runs) for runs in hazard.below]
    views = [merged_view([tar] for tar in (*below, *middle, *above)) for middle in ([before], parts)]
    return compare(*views)


def expect_same(name: str, *places: int) -> None:
    """Cut at those places the hazard gives the same filesystem; or it is refused, if it may be."""
    hazard = HAZARDS[name]
    source, limit = cut_at(hazard.runs, *places)
    try:
        parts = split_tar(source, limit)
    except CannotFixError as error:
        if not hazard.may_refuse or isinstance(error, ProofError):
            raise
        return
    assert len(parts) >= 2
    assert differences(hazard, source, parts) == []


@pytest.mark.parametrize(("name", "place"), PLACES)
def test_one_cut(name: str, place: int) -> None:
    expect_same(name, place)


@pytest.mark.parametrize(("name", "first", "second"), PAIRS)
def test_two_cuts(name: str, first: int, second: int) -> None:
    expect_same(name, first, second)


@pytest.mark.parametrize("name", HAZARDS)
def test_cut_everywhere(name: str) -> None:
    expect_same(name, *range(len(HAZARDS[name].runs) + 1))


@pytest.mark.parametrize("name", HAZARDS)
def test_same_input_same_parts(name: str) -> None:
    source, limit = cut_at(HAZARDS[name].runs, 0)
    try:
        parts = split_tar(source, limit)
    except CannotFixError:
        assert HAZARDS[name].may_refuse
        return
    assert parts == split_tar(source, limit)


def test_few_are_refused() -> None:
    """And only where there is no way: refusing everything would pass the other tests."""
    refused = []
    for name, place in PLACES:
        source, limit = cut_at(HAZARDS[name].runs, place)
        try:
            split_tar(source, limit)
        except CannotFixError:
            refused.append(name)
    assert len(refused) < len(PLACES) / 10
    assert {name for name in refused if refused.count(name) == len(HAZARDS[name].runs) + 1} == {
        "link to a symlink that is a parent",
        "directory in the place of the symlink that it is named through",
    }


def test_the_ballast_cuts_where_it_is_meant_to() -> None:
    hazard = HAZARDS["modes"]
    for place in range(len(hazard.runs) + 1):
        source, limit = cut_at(hazard.runs, place)
        first, second, *_ = split_tar(source, limit)
        assert limit == LIMIT
        assert (b"ballast-%d\0" % (2 * place) in first) == (b"ballast-%d\0" % (2 * place + 1) in second) is True
