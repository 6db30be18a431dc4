"""One blob on its way into a repository.

    HEAD -> there              it is in the repository already
    POST mount -> 201          it is in another repository of the registry, and linked here
    POST -> PUT                whole
    POST -> PATCH -> PUT       streamed
    POST -> PATCH ... -> PUT   chunked: each at the offset the registry acknowledged, then committed

Which of these, and how many bytes a request has, is the host's to say (`host`): a refusal is a lesson, and the next request is
another one. What else goes wrong is a setback, and there is one way on from every setback: ask the registry where the upload
stands (GET of the last Location), go on there, or begin anew when it has forgotten. A commit whose answer is lost is looked for
before anything is sent again: behind its edge the registry often finishes.

It ends: each setback spends from a budget that only progress renews, lessons and beginnings are counted, and no request that
failed is sent again unchanged without a wait. Where an upload goes on is remembered while it is under way, for the next run.
"""

import contextlib
from collections.abc import Callable, Mapping

from layerkit.errors import (
    BlobTooLargeError,
    BlobTooSlowError,
    BrokenConnectionError,
    InterruptedPushError,
    KeptFailingError,
    LayerkitError,
    RefusedError,
    UnreachableError,
)
from layerkit.image.blob import Blob
from layerkit.image.digest import short
from layerkit.profiles import Way
from layerkit.progress import Task
from layerkit.pusher.arrival import seconds_until_there
from layerkit.pusher.protocol import Meaning, acknowledged, is_stored_as, stands_at, verdict
from layerkit.pusher.refusals import altered_on_the_way, blob_too_large, bodies_too_large, too_slow
from layerkit.pusher.rules import CUT_OFF, next_step
from layerkit.pusher.sending import Exchange, Sender, SetbackError
from layerkit.pusher.target import Outcome, Target
from layerkit.registry.answers import Answer
from layerkit.registry.retry import RETRIED, spent
from layerkit.registry.transport import Body
from layerkit.report.sizes import format_size
from layerkit.state import UploadRecord

_COMMIT_TRIES = 2
"""Commits that may time out, each with its wait, before the blob counts as too large for the edge."""

_GARBLED_TRIES = 3
"""How often the registry may say it got other bytes, when the blob is sound."""

_BEGINNINGS = 12
"""How often an upload may begin, progress or not: each time the whole blob may have to be sent. Lessons don't count."""

_LESSONS = 40
"""Requests of one upload that may be refused for what they are like: three ways, and sizes from a terabyte down."""

_STRIKES = 2
"""Contradictions, or losses without any progress between, after which another way is tried."""

_WORTH_REMEMBERING = 4 << 20
"""Bytes of the smallest blob whose upload the next run goes on with."""


def upload(target: Target, blob: Blob, label: str, *, insists: bool = True) -> Outcome:
    """Sends a blob that isn't there. Unless it `insists`, it says at the first sign that smaller blobs would be taken. Raises
    BlobTooSlowError, BlobTooLargeError, UnreachableError when the budget is spent, RefusedError, DamagedError when the blob isn't
    what its digest says, InterruptedPushError."""
    kept: contextlib.AbstractContextManager[UploadRecord] = contextlib.nullcontext(UploadRecord())
    if blob.size >= _WORTH_REMEMBERING:
        kept = target.state.upload(target.client.registry, target.repository, blob.digest)
    with target.progress.task(label, blob.size) as task, kept as record:
        try:
            outcome = _Upload(target, blob, label, task, record, insists).run()
        except LayerkitError as error:
            if not isinstance(error, InterruptedPushError | UnreachableError) or isinstance(error, BlobTooSlowError):
                record.done()
            raise
        record.done()
        return outcome


class _Upload:
    def __init__(self, target: Target, blob: Blob, label: str, task: Task, record: UploadRecord, insists: bool) -> None:
        self._target = target
        self._client = target.client
        self._host = target.host
        self._blob = blob
        self._label = label
        self._doing = f"uploading {label} ({short(blob.digest)}, {blob.size:,} bytes)"
        self._record = record
        self._insists = insists
        self._sender = Sender(blob, label, task, target.traffic, self._now)
        self._budget = self._client.patience.budget()
        self._location = record.location
        """Where the upload goes on; empty: it hasn't begun, or is forgotten."""
        self._offset = 0
        """Bytes the registry has acknowledged."""
        self._is_assumed = False
        """Did it not say so itself?"""
        self._doubtful = bool(record.location)
        """Has the registry to be asked where the upload stands?"""
        self._way = Way.CHUNKED
        """How what is there was sent."""
        self._refused: set[Way] = set()
        """Ways in which this blob wasn't taken."""
        self._committing = False
        """Was a commit of this upload sent, so that the blob may be there?"""
        self._commit_timeouts = 0
        self._fits: int | None = None
        """Bytes of a blob that would be committed in time, once one wasn't."""
        self._beginnings = 0
        self._lessons = 0
        self._contradictions = 0
        self._losses = 0
        self._garbled = 0
        self._furthest = 0

    def run(self) -> Outcome:
        if self._location:
            self._tell("going on where an earlier run left it")
        while True:
            try:
                outcome = self._step()
            except SetbackError as setback:
                outcome = self._recover(setback)
            if outcome is not None:
                self._sender.show(self._blob.size)
                return outcome

    def _step(self) -> Outcome | None:
        if self._doubtful:
            return self._resume()
        rules, size = self._host.rules, self._blob.size
        if self._location and self._offset == size:
            return self._commit()
        if rules.max_blob is not None and size > rules.max_blob and not self._insists:
            raise too_slow(
                self._doing, self._blob, f"blobs above {format_size(rules.max_blob)} don't get through", rules.max_blob
            )
        step = next_step(rules, size, self._offset, self._refused)
        if step is None:
            raise self._no_way_left()
        if self._offset and step.way is not Way.CHUNKED:
            self._forget()
        if not self._location:
            return self._begin()
        self._way = step.way
        return _SENDING[step.way](self, step.end)

    # The requests

    def _begin(self) -> Outcome | None:
        self._beginnings += 1
        if self._beginnings > _BEGINNINGS + self._lessons:
            raise KeptFailingError(f"{self._doing}: it began {_BEGINNINGS} times, and got lost every time")
        scope = self._target.scope
        origin = next((other for other in self._target.mount_from if self._is_in(other)), None)
        mount = self._blob.digest if origin is not None else None
        answer = self._request(
            lambda body: self._client.begin_upload(self._target.repository, scope, mount, origin or ""), way=None
        )
        if mount is not None and answer.status == 201:
            return Outcome.MOUNTED
        if answer.status != 202 or answer.is_html:
            raise self._unexpected(answer)
        self._host.announces(answer.number("oci-chunk-min-length"), answer.number("oci-chunk-max-length"))
        self._committing = self._is_assumed = False
        self._follow(answer)
        if not self._location:
            raise RefusedError(f"{self._doing}: the registry began an upload without saying where (no Location)")
        self._acknowledge(0)
        return None

    def _is_in(self, repository: str) -> bool:
        return bool(self._client.has_blob(repository, self._blob.digest, self._blob.size, self._target.scope))

    def _send_whole(self, end: int) -> Outcome:
        return self._commit(self._sender.body(0, end))

    def _send_streamed(self, end: int) -> None:
        self._send_part(0, end, Way.STREAMED)

    def _send_chunk(self, end: int) -> None:
        self._send_part(self._offset, end, Way.CHUNKED)

    def _send_part(self, start: int, end: int, way: Way) -> None:
        def send(body: Body | None) -> Answer:
            assert body is not None
            return self._client.send_chunk(self._location, body, self._target.scope, start if way is Way.CHUNKED else None)

        answer = self._request(send, self._sender.body(start, end), way=way)
        if answer.status not in (200, 201, 202, 204) or answer.is_html:
            raise self._unexpected(answer)
        self._host.took(way, end - start, self._now() - self._sender.last.began)
        self._follow(answer)
        stand = stands_at(answer.headers.get("range"), start, end)
        if stand is None:
            raise self._contradiction(answer)
        self._is_assumed = self._is_assumed or not stand.is_said
        if stand.offset < end and self._budget.next_wait() is None:
            raise KeptFailingError(
                f"{self._doing}: {spent(self._budget, 'the registry kept only a part of what was sent', None)}"
            )
        self._acknowledge(stand.offset)

    def _commit(self, body: Body | None = None) -> Outcome:
        def send(body: Body | None) -> Answer:
            return self._client.commit_upload(self._location, self._blob.digest, self._target.scope, body)

        answer = self._request(send, body, way=self._way, is_commit=True)
        if answer.status not in (200, 201, 202, 204) or answer.is_html:
            raise self._unexpected(answer)
        stored = answer.headers.get("docker-content-digest", self._blob.digest)
        if not is_stored_as(self._blob.digest, stored):
            raise self._other_bytes(f"it stored {stored[:80]}")
        if self._sender.last.size:
            self._host.took(self._way, self._sender.last.size, self._now() - self._sender.last.began)
        return self._arrived(self._sender.last.waited(self._now()))

    def _arrived(self, seconds: float) -> Outcome:
        """The commit took that long."""
        self._host.takes_way(self._way)
        self._host.committed(self._blob.size, seconds)
        return Outcome.SENT

    def _resume(self) -> Outcome | None:
        """Where does the upload stand? Finished, at an offset, or forgotten."""
        if self._committing and self._target.holds(self._blob):
            return Outcome.SENT
        if self._location:
            offset = self._asked()
            if offset is None:
                self._forget()
            else:
                self._acknowledge(offset)
        self._doubtful = False
        return None

    def _asked(self) -> int | None:
        """Where the upload stands; None: it can't go on. A registry that doesn't tell such things is sent what it acknowledged
        last: it objects if it stands elsewhere, and at the latest the digest does."""
        is_recalled = self._location == self._record.recalled
        try:
            answer = self._request(lambda body: self._client.ask_upload(self._location, self._target.scope), way=None)
            if answer.status in RETRIED:
                raise self._unexpected(answer)
        except (RefusedError, UnreachableError, SetbackError) as error:
            # An earlier run's may be known to nobody any more.
            if is_recalled and (not isinstance(error, SetbackError) or self._budget.failures >= _STRIKES):
                return None
            raise
        if answer.status in (400, 405, 501) and self._offset and not self._committing:
            return self._offset
        if answer.status not in (200, 202, 204) or answer.is_html:
            return None
        offset = acknowledged(answer.headers.get("range"), self._offset)
        if offset is None or offset > self._blob.size or (self._is_assumed and offset < self._offset):
            return None
        self._follow(answer)
        return offset

    # What answers mean, and what to do about it

    def _request(
        self, request: Callable[[Body | None], Answer], body: Body | None = None, *, way: Way | None, is_commit: bool = False
    ) -> Answer:
        try:
            answer = self._sender.send(request, body, way=way, is_commit=is_commit)
        except BrokenConnectionError as error:
            raise self._broken(error, self._sender.last) from None
        self._committing = self._committing or (is_commit and self._sender.last.ended is not None)
        return answer

    def _broken(self, error: BrokenConnectionError, exchange: Exchange) -> SetbackError:
        """For a request without an answer."""
        now = self._now()
        if not error.connected or exchange.way is None:
            return SetbackError(str(error))
        committed = exchange.is_commit and exchange.ended is not None
        self._committing = self._committing or committed
        slow = error.timed_out or now - exchange.began >= CUT_OFF
        if slow:
            return self._gave_up(str(error), exchange, committed)
        # An edge that cuts a large body off may lose its 413 on the way: the second time counts as one.
        if exchange.size and self._budget.failures:
            self._host.resets(exchange.size)
        return SetbackError(str(error), maybe_committed=committed)

    def _gave_up(self, reason: str, exchange: Exchange, committed: bool, retry_after: float | None = None) -> SetbackError:
        """Somebody waited too long. For the body, if that is what took the time, or wasn't all sent; otherwise for the commit."""
        now = self._now()
        sending = (exchange.ended or now) - exchange.began
        is_body_s = (
            exchange.ended is None or not exchange.is_commit or (sending >= CUT_OFF and sending >= (now - exchange.began) / 2)
        )
        if exchange.size and is_body_s:
            self._host.gave_up(exchange.size, exchange.handed, now - exchange.began)
        return SetbackError(reason, slow=True, maybe_committed=committed, waited=exchange.waited(now), retry_after=retry_after)

    def _unexpected(self, answer: Answer) -> Exception:
        """For an answer that isn't the one hoped for: a setback, or the error that ends the upload."""
        exchange, reason = self._sender.last, self._client.reason(answer)
        found = verdict(answer.status, answer.codes(), answer.text(), sent=exchange.size, way=exchange.way, size=self._blob.size)
        retry_after = self._client.retry_after(answer)
        if found.meaning is Meaning.SLOW and exchange.way is not None:
            committed = exchange.is_commit and answer.body_sent
            return self._gave_up(reason, exchange, committed, retry_after)
        if found.meaning in (Meaning.LATER, Meaning.SLOW):
            return SetbackError(reason, retry_after=retry_after)
        if exchange.way is None:
            return self._client.refusal(answer, self._doing, self._target.repository)
        if found.meaning is Meaning.TOO_LARGE:
            return self._too_large(reason, found.limit, is_chunk_s=answer.status != 413 and exchange.way is Way.CHUNKED)
        if found.meaning is Meaning.BLOB_TOO_LARGE:
            return self._blob_too_large(reason, found.limit)
        if found.meaning is Meaning.GARBLED:
            return self._other_bytes(reason)
        if found.meaning is Meaning.NO_SUCH_WAY:
            return self._refuse_way(exchange.way, reason) or self._client.refusal(answer, self._doing, self._target.repository)
        if found.meaning is Meaning.LOST:
            self._losses += 1
            lost = f"{reason}: the registry lost track of the upload"
            return (self._refuse_way(exchange.way, lost) if self._losses >= _STRIKES else None) or SetbackError(lost)
        return self._client.refusal(answer, self._doing, self._target.repository)

    def _too_large(self, reason: str, limit: int | None, *, is_chunk_s: bool) -> Exception:
        sent = self._sender.last.size
        learn = self._host.refuses_chunk if is_chunk_s else self._host.refuses_body
        if learn(sent, limit) and self._is_smaller_now(sent):
            if not self._offset:
                self._forget()
            return SetbackError(f"{reason}; going on with smaller requests", is_lesson=True)
        return RefusedError(bodies_too_large(self._doing, reason, sent))

    def _is_smaller_now(self, sent: int) -> bool:
        step = next_step(self._host.rules, self._blob.size, self._offset, self._refused)
        return step is None or step.way is not self._sender.last.way or step.end - self._offset < sent

    def _refuse_way(self, way: Way, reason: str) -> Exception | None:
        """The blob doesn't go in this way. None: and there is no other."""
        self._refused.add(way)
        if next_step(self._host.rules, self._blob.size, 0, self._refused) is None:
            return self._no_way_left() if self._is_too_large_for_what_is_left() else None
        self._host.refuses_way(way)
        self._forget()
        self._losses = self._contradictions = 0
        return SetbackError(f"{reason}; trying another way to upload", is_lesson=True)

    def _contradiction(self, answer: Answer) -> Exception:
        """Success, and a Range that can't be. It may have lost the chunk; when it goes on like that, it can't count."""
        self._contradictions += 1
        reason = f"the registry took a chunk and says it has {answer.headers.get('range', '')[:80]!r}"
        return (self._refuse_way(self._sender.last.way or self._way, reason) if self._contradictions >= _STRIKES else None) or (
            SetbackError(reason)
        )

    def _other_bytes(self, reason: str) -> Exception:
        """The registry says it got something else. Either the image is damaged, which is an error, or the way there is."""
        for _ in self._blob.verified(self._label):
            pass
        self._forget()
        if self._is_assumed:  # it was right not to say that it had everything
            refused = self._refuse_way(Way.CHUNKED, reason)
            if refused is not None:
                return refused
        self._garbled += 1
        if self._garbled >= _GARBLED_TRIES:
            return UnreachableError(altered_on_the_way(self._doing, reason, self._garbled))
        return SetbackError(f"the registry got other bytes than were sent ({reason})")

    def _blob_too_large(self, reason: str, limit: int | None) -> BlobTooLargeError:
        return blob_too_large(self._doing, self._blob, reason, self._host.did_not_commit(self._blob.size, 0.0, limit))

    def _is_too_large_for_what_is_left(self) -> bool:
        """Is there a way left, but only for smaller blobs?"""
        return any(way not in self._refused for way in (Way.WHOLE, Way.STREAMED)) and self._host.rules.max_body is not None

    def _no_way_left(self) -> LayerkitError:
        most = self._host.rules.max_body
        if self._is_too_large_for_what_is_left() and most is not None:
            return self._blob_too_large(f"bodies have at most {format_size(most)} there, and blobs can't be sent in chunks", most)
        return RefusedError(f"{self._doing}: the registry refuses every way to upload a blob")

    def _recover(self, setback: SetbackError) -> Outcome | None:
        """Waits for the next try. Raises what ends the upload; returns when the blob has arrived meanwhile."""
        self._doubtful = bool(self._location)
        if setback.is_lesson:
            self._lessons += 1
            if self._lessons <= _LESSONS:
                self._tell(str(setback))
                return None
        if setback.maybe_committed:
            self._tell(f"{setback}; looking whether it arrived all the same")
            seconds = seconds_until_there(self._target, self._blob, slow=setback.slow)
            if seconds is not None:
                return self._arrived(setback.waited + seconds)
            if setback.slow:
                self._commit_timeouts += 1
                self._fits = self._host.did_not_commit(self._blob.size, setback.waited)
        wait = self._budget.next_wait(setback.retry_after)
        if setback.slow and (wait is None or self._commit_timeouts >= _COMMIT_TRIES):
            raise too_slow(self._doing, self._blob, f"the registry gave up on it every time, lastly with: {setback}", self._fits)
        if wait is None:
            raise KeptFailingError(f"{self._doing}: {spent(self._budget, str(setback), setback.retry_after)}")
        self._tell(f"{setback}; trying again in {wait:.1f} s")
        self._client.patience.sleep(wait)
        return None

    # Small things

    def _now(self) -> float:
        return self._client.options.clock.monotonic()

    def _tell(self, text: str) -> None:
        self._target.progress.note(f"{self._doing}: {text}")

    def _forget(self) -> None:
        """What was sent is of no use any more."""
        self._location, self._committing, self._doubtful = "", False, False
        self._acknowledge(0)

    def _follow(self, answer: Answer) -> None:
        """The newest Location is the one to use; an answer without one leaves the last."""
        self._location = self._client.location(answer) or self._location

    def _acknowledge(self, offset: int) -> None:
        self._offset = offset
        self._sender.show(offset)
        self._record.keep(self._location, offset)
        # A registry that takes a byte at a time gets nowhere.
        if offset > self._furthest and (offset - self._furthest >= self._host.smallest or offset == self._blob.size):
            self._furthest = offset
            self._losses = self._contradictions = 0
            self._budget.renew()


_SENDING: Mapping[Way, Callable[[_Upload, int], Outcome | None]] = {
    Way.WHOLE: _Upload._send_whole,
    Way.STREAMED: _Upload._send_streamed,
    Way.CHUNKED: _Upload._send_chunk,
}
"""How bytes up to an offset go."""
