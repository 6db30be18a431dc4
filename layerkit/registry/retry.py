"""What is tried again, how long to wait before, and when to give up: no I/O, so that it can be tested in no time.

A registry behind an edge fails in ways that pass: 408, 425, 429, 500, 502, 503, 504, and the edge's own 520 to 524. Waits
double with jitter (random between a quarter of the bound and all of it), so that parallel uploads don't come back together;
Retry-After has the last word. Progress renews the budget: what counts is failing without getting any further.

`retrying` is the one loop that tries again. The pusher's upload, whose next try is another request than the last, spends a
`Budget` of its own.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeVar

from layerkit.errors import BrokenConnectionError, InterruptedPushError, KeptFailingError

Result = TypeVar("Result")

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""HTTP statuses that may pass. Never among them: 400, 401 (after new authorisation), 403, 404, 413 (smaller chunks), 415."""

SLOW = frozenset({408, 504, 520, 522, 524})
"""Those of them with which an edge gives up waiting, while the registry may go on working."""


_LEAST = 0.25
"""Share of a bound that is waited for at least: nothing that failed is sent again at once."""


def _wait(interrupted: threading.Event, seconds: float) -> None:
    interrupted.wait(seconds)


@dataclass(frozen=True)
class Clock:
    """Time and chance, to be replaced in tests."""

    now: Callable[[], float] = time.time
    """Seconds since the epoch, to compare with the registry's dates."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds, to measure with."""
    wait: Callable[[threading.Event, float], None] = _wait
    """Sleeps so many seconds, or until the event is set."""
    random: Callable[[], float] = random.random
    """Between 0 and 1."""


@dataclass(frozen=True)
class RetryPolicy:
    attempts: int = 8
    """Tries without progress before giving up: with the waits below, a registry may be away for about two minutes."""
    base: float = 1.0
    """Seconds: the bound of the first wait."""
    cap: float = 60.0
    """Seconds: the bound of any wait that the registry didn't ask for."""
    longest_retry_after: float = 300.0
    """Seconds: a Retry-After beyond this is a refusal, not a wait."""

    def bound(self, failures: int) -> float:
        """Seconds waited at most after so many failures in a row (1 is the first)."""
        return min(self.cap, self.base * 2.0 ** min(failures - 1, 32))


class Budget:
    """How often one piece of work may still fail. Not thread-safe: each piece of work has its own."""

    def __init__(self, policy: RetryPolicy, clock: Clock) -> None:
        self.policy = policy
        self.failures = 0
        self._clock = clock

    def renew(self) -> None:
        """There was progress: the count begins anew."""
        self.failures = 0

    def next_wait(self, retry_after: float | None = None) -> float | None:
        """Counts a failure. Seconds to wait before the next try; None when it is time to give up."""
        self.failures += 1
        if self.failures >= self.policy.attempts:
            return None
        jittered = (_LEAST + (1 - _LEAST) * self._clock.random()) * self.policy.bound(self.failures)
        if retry_after is None:
            return jittered
        if retry_after > self.policy.longest_retry_after:
            return None
        return retry_after + jittered * min(1.0, retry_after / max(self.policy.cap, 1.0))


class PassingError(Exception):
    """What was tried failed in a way that may pass."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        """`retry_after`: seconds the registry asks to wait; None: it doesn't."""
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Patience:
    """What trying again takes."""

    policy: RetryPolicy
    clock: Clock
    interrupted: threading.Event
    """Set: waiting is over, and so is all else."""
    tell: Callable[[str], None]
    """Takes a line for the reader before each wait."""

    def budget(self) -> Budget:
        return Budget(self.policy, self.clock)

    def sleep(self, seconds: float) -> None:
        """Raises InterruptedPushError when it is interrupted meanwhile."""
        self.clock.wait(self.interrupted, seconds)
        if self.interrupted.is_set():
            raise InterruptedPushError("interrupted")

    def pause(self, budget: Budget, doing: str, failure: str, retry_after: float | None = None) -> None:
        """Waits before the next try of what is called `doing`. Raises KeptFailingError when there is none left."""
        wait = budget.next_wait(retry_after)
        if wait is None:
            raise KeptFailingError(f"{doing}: {spent(budget, failure, retry_after)}")
        self.tell(f"{doing}: {failure}; trying again in {wait:.1f} s")
        self.sleep(wait)


def retrying(patience: Patience, doing: str, call: Callable[[], Result]) -> Result:
    """What `call` returns, after as many tries as it takes: it is called again after a PassingError or a BrokenConnectionError.
    `doing` is what messages call it. Raises KeptFailingError, InterruptedPushError, and whatever else `call` raises."""
    budget = patience.budget()
    while True:
        try:
            return call()
        except PassingError as error:
            failure, retry_after = str(error), error.retry_after
        except BrokenConnectionError as error:
            failure, retry_after = str(error), None
        patience.pause(budget, doing, failure, retry_after)


def spent(budget: Budget, failure: str, retry_after: float | None) -> str:
    """Why it is given up, for people."""
    asked = f"; it asks to wait {retry_after:,.0f} s" if retry_after else ""
    return f"failed {budget.failures} times in a row, lastly with: {failure}{asked}"


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds from `now` (seconds since the epoch) of a Retry-After header: a number of seconds or a date (RFC 9110, 10.2.3).
    None when there is none or it can't be read."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return max(0.0, date.timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
