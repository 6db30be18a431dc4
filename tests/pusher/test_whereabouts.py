"""Who sends a blob that several want: one of them, whatever happens, and nobody waits for ever."""

from hypothesis import given
from hypothesis import strategies as st

from layerkit.image.digest import Digest, sha256
from layerkit.pusher.whereabouts import Claim, Whereabouts

BLOB = sha256(b"blob")


def never() -> None:
    raise AssertionError("nobody was to wait")


def claimed(whereabouts: Whereabouts, repository: str) -> Claim:
    claim = whereabouts.claim(BLOB, repository, never)
    assert claim is not None
    return claim


def test_one_sends_the_others_link() -> None:
    told: list[tuple[str, Digest]] = []
    whereabouts = Whereabouts(tell=lambda repository, digest: told.append((repository, digest)))
    first = claimed(whereabouts, "a")
    assert first.origin is None
    again: list[str] = []
    assert whereabouts.claim(BLOB, "b", lambda: again.append("b")) is None
    assert whereabouts.claim(BLOB, "a", lambda: again.append("a")) is None
    whereabouts.settle(first, is_there=True)
    assert sorted(again) == ["a", "b"]
    assert claimed(whereabouts, "a").is_there
    second = claimed(whereabouts, "b")
    assert second.origin == "a"
    assert claimed(whereabouts, "c").origin == "a", "links needn't wait for each other"
    whereabouts.linked()
    whereabouts.settle(second, is_there=True)
    assert claimed(whereabouts, "b").is_there
    assert told == [("a", BLOB)]


def test_where_the_first_fails_the_next_sends() -> None:
    whereabouts = Whereabouts()
    first = claimed(whereabouts, "a")
    again: list[str] = []
    assert whereabouts.claim(BLOB, "b", lambda: again.append("b")) is None
    whereabouts.settle(first, is_there=False)
    assert again == ["b"]
    second = claimed(whereabouts, "b")
    assert (second.is_there, second.origin) == (False, None)


def test_what_an_earlier_run_left_is_linked_until_it_is_found_to_be_gone() -> None:
    whereabouts = Whereabouts(lambda digest: "old")
    assert claimed(whereabouts, "old").origin is None, "there it is looked for"
    whereabouts = Whereabouts(lambda digest: "old")
    first = claimed(whereabouts, "a")
    assert first.origin == "old"
    whereabouts.not_linked(first)
    whereabouts.settle(first, is_there=False)
    assert claimed(whereabouts, "a").origin is None


def test_a_registry_that_links_nothing_is_not_asked_for_ever() -> None:
    whereabouts = Whereabouts()
    for number in range(5):
        digest = sha256(bytes([number]))
        whereabouts.put(digest, "a")
        claim = whereabouts.claim(digest, "b", never)
        assert claim is not None
        assert (claim.origin is None) == (number >= 3)
        if claim.origin is not None:
            whereabouts.not_linked(claim)
        whereabouts.settle(claim, is_there=True)


def test_what_was_lost_is_looked_for() -> None:
    whereabouts = Whereabouts()
    whereabouts.put(BLOB, "a")
    whereabouts.lost(BLOB, "a")
    found = claimed(whereabouts, "a")
    assert (found.is_there, found.origin) == (False, None)


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc"), st.sampled_from(["fails", "arrives", "not linked"]))))
def test_everyone_comes_to_an_end(wishes: list[tuple[int, str, str]]) -> None:
    """And no blob is being sent twice to the same repository, or by two who know of no place."""
    whereabouts = Whereabouts()
    open_claims: list[tuple[Claim, str]] = []
    waiting: list[tuple[int, str, str]] = []

    def begin(wish: tuple[int, str, str]) -> None:
        digest = sha256(bytes([wish[0]]))
        claim = whereabouts.claim(digest, wish[1], lambda: waiting.append(wish))
        if claim is not None and not claim.is_there:
            others = [other for other, _ in open_claims if other.digest == digest]
            assert all(other.repository != claim.repository for other in others)
            open_claims.append((claim, wish[2]))

    for wish in wishes:
        begin(wish)
    steps = 0
    while open_claims or waiting:
        steps += 1
        assert steps < 20 * (len(wishes) + 1)
        if open_claims:
            claim, fate = open_claims.pop(0)
            if fate == "not linked" and claim.origin is not None:
                whereabouts.not_linked(claim)
            whereabouts.settle(claim, is_there=fate == "arrives")
        while waiting:
            begin(waiting.pop())
