"""What is tried again, and when to give up."""

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.registry.retry import RETRIED, SLOW, Budget, Clock, RetryPolicy, parse_retry_after

NOW = 1_700_000_000.0


def budget(policy: RetryPolicy, chance: float = 1.0) -> Budget:
    return Budget(policy, Clock(random=lambda: chance))


def test_waits_double_up_to_the_cap() -> None:
    waits = budget(RetryPolicy(attempts=10))
    assert [waits.next_wait() for _ in range(10)] == [1, 2, 4, 8, 16, 32, 60, 60, 60, None]


def test_progress_renews() -> None:
    waits = budget(RetryPolicy(attempts=3))
    assert [waits.next_wait(), waits.next_wait()] == [1, 2]
    waits.renew()
    assert [waits.next_wait(), waits.next_wait(), waits.next_wait()] == [1, 2, None]


@given(st.integers(1, 20), st.floats(0, 1), st.lists(st.one_of(st.none(), st.floats(0, 400)), max_size=30))
def test_waits_stay_within_bounds(attempts: int, chance: float, asked: list[float | None]) -> None:
    policy = RetryPolicy(attempts=attempts)
    waits = budget(policy, chance)
    for number, retry_after in enumerate(asked, 1):
        wait = waits.next_wait(retry_after)
        if number >= attempts:
            assert wait is None
        elif retry_after is None:
            assert wait is not None
            assert 0 <= wait <= policy.bound(number) <= policy.cap
        elif retry_after > policy.longest_retry_after:
            assert wait is None
        else:
            assert wait is not None
            assert retry_after <= wait <= retry_after + policy.cap


@given(st.integers(0, 100_000))
def test_seconds(seconds: int) -> None:
    assert parse_retry_after(f" {seconds} ", NOW) == seconds


@given(st.integers(-100_000, 100_000))
def test_dates(seconds: int) -> None:
    text = email.utils.formatdate(NOW + seconds, usegmt=True)
    assert parse_retry_after(text, NOW) == max(0, seconds)


@given(st.text(max_size=40))
def test_any_text(text: str) -> None:
    found = parse_retry_after(text, NOW)
    assert found is None or found >= 0


@pytest.mark.parametrize("text", [None, "", "soon", "-5", "1.5", "Mon, 99 Foo 2024 00:00:00 GMT"])
def test_what_is_none(text: str | None) -> None:
    assert parse_retry_after(text, NOW) is None


def test_what_is_never_tried_again() -> None:
    assert not RETRIED & {400, 401, 403, 404, 405, 409, 411, 413, 415, 416, 422, 501}
    assert SLOW < RETRIED
