"""The rules of one host, for all uploads to it: what one learns holds for the others, and for the next run.

In: what happened to requests. Out: the rules as of now. Besides what answers say, this is measured: how fast bodies go, how long
commits take. What seems to be a limit but may be a bad line (resets, one slow request) holds for this run only.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from layerkit.profiles import Way
from layerkit.pusher.rules import (
    CUT_OFF,
    OF_TIME,
    Commit,
    Rules,
    announced,
    blob_that_fits,
    body_refused,
    body_taken,
    chunk_refused,
    describe,
    kept,
    least,
    recalled,
    way_refused,
    way_taken,
)
from layerkit.report.sizes import format_size
from layerkit.state import State

SMALLEST_BODY = 512 << 10
"""Bytes below which no request is made smaller: edges with smaller limits aren't meant for registries."""

_RESETS = 4
"""By how much requests shrink when they are reset without an answer: each try costs a wait, so there are few."""

_NOTHING = Rules(tuple(Way), 1)

log = logging.getLogger(__name__)


class Host:
    """Thread-safe."""

    def __init__(
        self,
        name: str,
        begin: Rules,
        state: State,
        smallest: int = SMALLEST_BODY,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`name`: HOST[:PORT], by which it is remembered. `tell` is told what is remembered of it."""
        self.name = name
        self.smallest = min(smallest, begin.chunk_size)
        self._begin = begin
        self._state = state
        self._lock = threading.Lock()
        self._rules = begin
        self._announced: tuple[int | None, int | None] = (None, None)
        """The smallest and largest chunk: said anew with each upload, so it isn't kept."""
        self._trouble: int | None = None
        """Bytes that bodies should have, after larger ones were reset or given up: for this run, until it is confirmed."""
        self._rate: float | None = None
        """Bytes a second of the bodies sent lately."""
        self._commits: deque[Commit] = deque(maxlen=64)
        lesson = state.lesson(name)
        if lesson is not None:
            self._rules = recalled(begin, lesson.fields)
            if describe(self._rules, begin):
                tell(f"{name}: {describe(self._rules, begin)}, as learned on {lesson.learned}; --forget has it tried anew")

    @property
    def rules(self) -> Rules:
        """As of now: what was learned, and what the line is good for."""
        with self._lock:
            rules = announced(self._rules, *self._announced)
            safe = self._trouble
            if rules.max_seconds is not None and self._rate is not None:
                safe = least(max(self.smallest, int(self._rate * rules.max_seconds * OF_TIME)), safe)
        return replace(rules, safe_body=safe)

    @property
    def rate(self) -> float | None:
        """Bytes a second of the bodies sent lately; None: there were none that tell."""
        return self._rate

    # Lessons

    def refuses_body(self, sent: int, limit: int | None) -> bool:
        """False: smaller ones aren't tried."""
        return self._learn(lambda rules: body_refused(rules, sent, limit, self.smallest))

    def refuses_chunk(self, sent: int, limit: int | None) -> bool:
        return self._learn(lambda rules: chunk_refused(rules, sent, limit, self.smallest))

    def refuses_way(self, way: Way) -> None:
        self._learn(lambda rules: way_refused(rules, way))

    def takes_way(self, way: Way) -> None:
        self._learn(lambda rules: way_taken(rules, way))

    def announces(self, minimum: int | None, maximum: int | None) -> None:
        with self._lock:
            self._announced = (minimum, None if maximum is None else max(maximum, self.smallest))

    def resets(self, sent: int) -> None:
        """A body of `sent` bytes was reset twice: an edge may have meant that it is too large."""
        self._avoid(sent, None, _RESETS)

    def gave_up(self, size: int, handed: int, seconds: float) -> None:
        """The edge gave up on a request after so many seconds, when `handed` of its body's `size` bytes were under way."""
        if seconds < CUT_OFF:
            self._avoid(size, None, 2)
            return
        rate = handed / seconds if self._rate is None or handed < size else self._rate
        limit = max(self.smallest, int(rate * seconds * OF_TIME))
        self._avoid(size, limit if limit < size else None, 2)
        self._learn(lambda rules: replace(rules, max_seconds=min(seconds, rules.max_seconds or seconds)))

    def took(self, way: Way, size: int, seconds: float) -> None:
        """A body went through. That chunks do which are smaller than those that were reset is worth remembering."""
        with self._lock:
            if seconds > 0 and size >= self.smallest:
                rate = size / seconds
                self._rate = rate if self._rate is None else 0.7 * self._rate + 0.3 * rate
            confirmed = self._trouble if self._trouble is not None and size > self._trouble // 2 else None
            timed = self._rules.max_seconds is not None
        self._learn(lambda rules: body_taken(rules, size if size >= self.smallest else 0))
        if confirmed is not None and way is Way.CHUNKED and not timed:
            self._learn(lambda rules: replace(rules, max_body=least(confirmed, rules.max_body)))

    def _avoid(self, sent: int, limit: int | None, by: int) -> None:
        with self._lock:
            smaller = body_refused(replace(self._rules, max_body=self._trouble), sent, limit, self.smallest, by)
            if smaller is None or smaller.max_body == self._trouble:
                return
            self._trouble = smaller.max_body
        assert smaller.max_body is not None
        log.info("%s: bodies of %s fail; going on with %s", self.name, format_size(sent), format_size(smaller.max_body))

    def committed(self, size: int, seconds: float) -> None:
        with self._lock:
            self._commits.append(Commit(size, seconds))
        self._learn(
            lambda rules: replace(rules, max_blob=None) if rules.max_blob is not None and rules.max_blob < size else rules
        )

    def did_not_commit(self, size: int, gave_up: float, limit: int | None = None) -> int:
        """Bytes of a blob that would be committed, as far as can be told; `limit`: what the host says."""
        with self._lock:
            fits = limit if limit is not None and limit < size else blob_that_fits(size, gave_up, self._commits)
        self._learn(lambda rules: replace(rules, max_blob=min(fits, rules.max_blob or fits)))
        return fits

    def _learn(self, lesson: Callable[[Rules], Rules | None]) -> bool:
        with self._lock:
            before = self._rules
            after = lesson(before)
            if after is None:
                return False
            self._rules = after
            if after == before:
                return True
        difference = describe(after, before)
        if difference:
            log.info("%s: from now on %s", self.name, difference)
        self._state.teach(self.name, kept(after, self._begin))
        return True


def remembered_blob_limit(state: State, host: str) -> int | None:
    """Bytes above which blobs weren't committed there in earlier runs; None: not known."""
    lesson = state.lesson(host)
    return recalled(_NOTHING, lesson.fields).max_blob if lesson is not None else None
