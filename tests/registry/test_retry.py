"""What is tried again, and when to give up."""

import email.utils
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.errors import BrokenConnectionError, InterruptedPushError, KeptFailingError, RefusedError
from layerkit.registry.retry import (
    RETRIED,
    SLOW,
    Budget,
    Clock,
    PassingError,
    Patience,
    RetryPolicy,
    parse_retry_after,
    retrying,
)

PACKAGE = Path(__file__).resolve().parents[2] / "layerkit"
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


# The loop


def patience(attempts: int, waits: list[float], interrupted: threading.Event | None = None) -> Patience:
    clock = Clock(random=lambda: 1.0, wait=lambda event, seconds: waits.append(seconds))
    return Patience(RetryPolicy(attempts=attempts), clock, interrupted or threading.Event(), lambda text: None)


def test_it_is_called_until_it_returns() -> None:
    failures: list[Exception] = [PassingError("HTTP 503"), BrokenConnectionError("reset"), PassingError("HTTP 429", 7.0)]

    def call() -> str:
        if failures:
            raise failures.pop(0)
        return "done"

    waits: list[float] = []
    assert retrying(patience(5, waits), "asking", call) == "done"
    assert waits[:2] == [1, 2]
    assert 7 <= waits[2] <= 11


def test_it_ends_with_what_failed_last() -> None:
    def call() -> None:
        raise PassingError("HTTP 503")

    waits: list[float] = []
    with pytest.raises(KeptFailingError, match=r"^asking: failed 3 times in a row, lastly with: HTTP 503$"):
        retrying(patience(3, waits), "asking", call)
    assert len(waits) == 2


def test_what_does_not_pass_is_not_tried_again() -> None:
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        raise RefusedError("no")

    with pytest.raises(RefusedError):
        retrying(patience(3, []), "asking", call)
    assert calls == [1]


def test_an_interruption_ends_the_wait() -> None:
    interrupted = threading.Event()

    def call() -> None:
        interrupted.set()
        raise PassingError("HTTP 503")

    with pytest.raises(InterruptedPushError):
        retrying(patience(3, [], interrupted), "asking", call)


def test_there_is_one_loop() -> None:
    """And the upload's own, whose next try is another request than the last."""
    users = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if re.search(r"\bnext_wait\(|\bBudget\(", path.read_text())
    }
    assert users <= {"registry/retry.py", "pusher/upload.py"}
