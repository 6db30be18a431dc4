"""One blob on its way into a repository.

    HEAD -> there              it is in the repository already
    POST mount -> 201          it is in another repository of the registry, and linked here
    POST -> PATCH ... -> PUT   sent in chunks, each at the offset the registry acknowledged, then committed
    POST -> PUT                a blob no larger than a chunk, in one request less

What goes wrong on the way is a setback, and there is one way on from every setback: ask the registry where the upload stands
(GET of the last Location), go on there, or begin anew when it has forgotten. A commit whose answer is lost is looked for
before anything is sent again: behind its edge the registry often finishes. Each setback spends from a budget that progress
renews; requests that were too large or took too long make the chunks smaller.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from layerkit.errors import BlobTooSlowError, BrokenConnectionError, RefusedError, UnreachableError
from layerkit.image.blob import Blob, Buffer
from layerkit.image.digest import short
from layerkit.image.foreign import natural
from layerkit.progress import Progress, Task
from layerkit.pusher.protocol import ChunkSize, acknowledged, with_digest
from layerkit.pusher.reader import BlobReader
from layerkit.registry.answers import Answer
from layerkit.registry.authorisation import Scope
from layerkit.registry.client import RegistryClient
from layerkit.registry.retry import RETRIED, SLOW, Budget
from layerkit.registry.transport import Body

_POLLS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between looking for a blob whose commit got no answer; the last is repeated."""

_PATIENCE = 15.0
"""Seconds for which a blob is looked for at least."""

_COMMIT_RATE = 5_000_000
"""Bytes a second at which a slow registry copies a blob into its place: how much longer large ones are looked for."""

_CUT_OFF = 20.0
"""Seconds after which a connection that breaks was cut off by somebody who waited too long."""

_COMMIT_TRIES = 2
"""Commits that may time out, each with its wait, before the blob counts as too large for the edge."""

_GARBLED_TRIES = 3
"""How often the registry may say it got other bytes, when the blob is sound."""

_FORGOTTEN = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "RANGE_INVALID"})
_GARBLED = frozenset({"DIGEST_INVALID", "SIZE_INVALID"})


class Outcome(Enum):
    SENT = "sent"
    THERE = "already there"
    MOUNTED = "mounted"


@dataclass
class Traffic:
    """Bytes handed to the network as blobs' bodies, those sent twice included."""

    sent: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self.sent += count


@dataclass(frozen=True)
class Target:
    """Where blobs go, and how."""

    client: RegistryClient
    repository: str
    chunk: ChunkSize
    commit_seconds: float
    """How long a commit may take at the registry after the edge gave up on it."""
    mount_from: tuple[str, ...]
    progress: Progress
    traffic: Traffic

    @property
    def scope(self) -> Scope:
        return Scope(self.repository, "pull,push", self.mount_from)

    def holds(self, blob: Blob) -> bool | None:
        """Is the blob there? None: the registry doesn't say."""
        return self.client.has_blob(self.repository, blob.digest, blob.size, self.scope)


class _SetbackError(Exception):
    """Something failed that may pass."""

    def __init__(self, text: str, *, slow: bool = False, maybe_committed: bool = False, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.slow = slow
        """Did it take too long, so that something smaller could go through?"""
        self.maybe_committed = maybe_committed
        """Was it a commit, which the registry may be finishing?"""
        self.retry_after = retry_after


def upload(target: Target, blob: Blob, label: str) -> Outcome:
    """Sends a blob that isn't there. Raises BlobTooSlowError, UnreachableError when the budget is spent, RefusedError,
    DamagedError when the blob isn't what its digest says, InterruptedPushError."""
    with target.progress.task(label, blob.size) as task:
        return _Upload(target, blob, label, task).run()


class _Upload:
    def __init__(self, target: Target, blob: Blob, label: str, task: Task) -> None:
        self._target = target
        self._client = target.client
        self._blob = blob
        self._label = label
        self._doing = f"uploading {label} ({short(blob.digest)}, {blob.size:,} bytes)"
        self._task = task
        self._reader = BlobReader(blob, label)
        self._budget = Budget(self._client.options.retry, self._client.options.clock)
        self._location = ""
        """Where the upload goes on; empty: it hasn't begun, or is forgotten."""
        self._offset = 0
        """Bytes the registry has acknowledged."""
        self._doubtful = False
        """Has the registry to be asked where the upload stands?"""
        self._body_ended = True
        """Was the last request's body sent to its end?"""
        self._committing = False
        """Was a commit of this upload sent, so that the blob may be there?"""
        self._commit_timeouts = 0
        self._garbled = 0
        self._furthest = 0
        self._shown = 0

    def run(self) -> Outcome:
        while True:
            try:
                outcome = self._step()
            except _SetbackError as setback:
                outcome = self._recover(setback)
            if outcome is not None:
                self._show(self._blob.size)
                return outcome

    def _step(self) -> Outcome | None:
        if self._doubtful:
            return self._resume()
        if not self._location:
            return self._begin()
        if self._offset == 0 and self._blob.size <= self._target.chunk.size:
            return self._send_whole()
        if self._offset == self._blob.size:
            return self._commit()
        self._send_chunk()
        return None

    # The requests

    def _begin(self) -> Outcome | None:
        query = ""
        for other in self._target.mount_from:
            if self._client.has_blob(other, self._blob.digest, self._blob.size, self._target.scope):
                query = f"?mount={self._blob.digest}&from={other}"
                break
        answer = self._try("POST", f"/v2/{self._target.repository}/blobs/uploads/{query}")
        if query and answer.status == 201:
            return Outcome.MOUNTED
        if answer.status != 202:
            raise self._unexpected(answer)
        minimum = natural(answer.headers.get("oci-chunk-min-length"))
        if minimum is not None:
            self._target.chunk.at_least(minimum)
        self._committing = False
        self._follow(answer)
        if not self._location:
            raise RefusedError(f"{self._doing}: the registry began an upload without saying where (no Location)")
        self._acknowledge(0)
        return None

    def _send_chunk(self) -> None:
        start, end = self._offset, min(self._blob.size, self._offset + self._target.chunk.size)
        answer = self._try("PATCH", self._location, self._body(start, end), {"Content-Range": f"{start}-{end - 1}"})
        if answer.status not in (201, 202, 204):
            raise self._unexpected(answer, sent=end - start)
        self._follow(answer)
        offset = acknowledged(answer.headers.get("range"), end)
        if offset is None:
            offset = end
        if not start < offset <= end:
            raise _SetbackError(f"the registry acknowledged {offset:,} bytes where {end:,} were sent")
        self._acknowledge(offset)

    def _send_whole(self) -> Outcome:
        body = self._body(0, self._blob.size)
        return self._committed(self._try("PUT", with_digest(self._location, self._blob.digest), body, commit=True), body.size)

    def _commit(self) -> Outcome:
        return self._committed(self._try("PUT", with_digest(self._location, self._blob.digest), commit=True), 0)

    def _committed(self, answer: Answer, sent: int) -> Outcome:
        if answer.status not in (200, 201, 202, 204) or answer.is_html:
            raise self._unexpected(answer, sent=sent, commit=True)
        stored = answer.headers.get("docker-content-digest", self._blob.digest)
        if stored != self._blob.digest:
            raise self._other_bytes(f"it stored {stored[:80]}")
        return Outcome.SENT

    def _resume(self) -> Outcome | None:
        """Where does the upload stand? Finished, at an offset, or forgotten."""
        if self._committing and self._target.holds(self._blob):
            return Outcome.SENT
        if self._location:
            answer = self._try("GET", self._location)
            if answer.status in RETRIED:
                raise self._unexpected(answer)
            offset = acknowledged(answer.headers.get("range"), self._offset) if answer.status in (200, 202, 204) else None
            if offset is None or offset > self._blob.size or answer.is_html:
                self._location, offset = "", 0
            else:
                self._follow(answer)
            self._acknowledge(offset)
        self._doubtful = False
        return None

    # What answers mean, and what to do about it

    def _try(
        self,
        method: str,
        where: str,
        body: Body | None = None,
        headers: dict[str, str] | None = None,
        *,
        commit: bool = False,
    ) -> Answer:
        if body is not None:
            headers = {"Content-Type": "application/octet-stream", **(headers or {})}
        self._body_ended = body is None
        began = self._client.options.clock.monotonic()
        try:
            answer = self._client.attempt(method, where, scope=self._target.scope, headers=headers, body=body)
            self._committing = self._committing or (commit and self._body_ended)
            return answer
        except BrokenConnectionError as error:
            lasted = self._client.options.clock.monotonic() - began
            slow = error.connected and (error.timed_out or lasted >= _CUT_OFF) and (body is not None or commit)
            # An edge that cuts a large body off may lose its 413 on the way: the second time counts as one.
            if body is not None and (slow or self._budget.failures):
                self._target.chunk.shrink(body.size)
            committed = commit and self._body_ended and error.connected
            self._committing = self._committing or committed
            raise _SetbackError(str(error), slow=slow, maybe_committed=committed) from None

    def _unexpected(self, answer: Answer, sent: int = 0, commit: bool = False) -> Exception:
        """For an answer that isn't the one hoped for: a setback, or the error that ends the upload. `sent`: bytes of the body."""
        codes, reason = set(answer.codes()), self._client.reason(answer)
        if answer.status == 413 and sent:
            if self._target.chunk.shrink(sent):
                self._budget.renew()
                return _SetbackError(f"{reason}; going on with smaller requests", retry_after=0.0)
            return RefusedError(
                f"{self._doing}: {reason}; it was a request of {sent:,} bytes, and chunks don't get smaller: ask the registry's "
                "operator to raise the limit of request bodies"
            )
        if answer.status in RETRIED:
            slow = answer.status in SLOW and (sent > 0 or commit)
            if slow and sent:
                self._target.chunk.shrink(sent)
            committed = commit and slow and answer.body_sent
            return _SetbackError(reason, slow=slow, maybe_committed=committed, retry_after=self._client.retry_after(answer))
        if codes & _GARBLED:
            return self._other_bytes(reason)
        if self._location and (answer.status in (404, 416) or codes & _FORGOTTEN):
            return _SetbackError(f"{reason}: the registry lost track of the upload")
        return self._client.refusal(answer, self._doing, self._target.repository)

    def _other_bytes(self, reason: str) -> Exception:
        """The registry says it got something else. Either the image is damaged, which is an error, or the way there is."""
        for _ in self._blob.verified(self._label):
            pass
        self._location = ""
        self._committing = False
        self._garbled += 1
        if self._garbled >= _GARBLED_TRIES:
            return UnreachableError(
                f"{self._doing}: the image is sound, but {self._garbled} times the registry got other bytes than were sent "
                f"({reason}); something on the way alters them"
            )
        return _SetbackError(f"the registry got other bytes than were sent ({reason})")

    def _recover(self, setback: _SetbackError) -> Outcome | None:
        """Waits for the next try. Raises what ends the upload; returns when the blob has arrived meanwhile."""
        self._doubtful = True
        if setback.maybe_committed:
            self._target.progress.note(f"{self._doing}: {setback}; looking whether it arrived all the same")
            if self._appears(setback.slow):
                return Outcome.SENT
            self._commit_timeouts += setback.slow
        spent = self._budget.next_wait(setback.retry_after)
        if setback.slow and (spent is None or self._commit_timeouts >= _COMMIT_TRIES):
            raise BlobTooSlowError(
                f"{self._doing}: the registry gave up on it every time, lastly with: {setback}; smaller layers get through "
                "(a smaller --max-layer-size)",
                self._blob.digest,
            )
        if spent is None:
            asked = f"; it asks to wait {setback.retry_after:,.0f} s" if setback.retry_after else ""
            raise UnreachableError(f"{self._doing}: failed {self._budget.failures} times in a row, lastly with: {setback}{asked}")
        self._target.progress.note(f"{self._doing}: {setback}; trying again in {spent:.1f} s")
        self._client.sleep(spent)
        return None

    def _appears(self, slow: bool) -> bool:
        """Does the blob turn up within the time a registry takes for it? `slow`: the edge had waited for long already."""
        patience = min(self._target.commit_seconds, _PATIENCE + (self._blob.size / _COMMIT_RATE if slow else 0.0))
        waited = 0.0
        for number in range(1000):
            pause = min(_POLLS[min(number, len(_POLLS) - 1)], patience - waited)
            if pause <= 0:
                break
            self._client.sleep(pause)
            waited += pause
            if self._target.holds(self._blob):
                return True
        return False

    # Small things

    def _body(self, start: int, end: int) -> Body:
        return Body(end - start, lambda: self._sending(start, end))

    def _sending(self, start: int, end: int) -> Iterator[Buffer]:
        self._show(start)
        for piece in self._reader.read(start, end - start):
            yield piece
            self._target.traffic.add(len(piece))
            self._show(self._shown + len(piece))
        self._body_ended = True

    def _follow(self, answer: Answer) -> None:
        """The newest Location is the one to use; an answer without one leaves the last."""
        location = answer.headers.get("location")
        if location:
            self._location = self._client.url(location, answer.url)

    def _acknowledge(self, offset: int) -> None:
        self._offset = offset
        self._show(offset)
        if offset > self._furthest:
            self._furthest = offset
            self._budget.renew()

    def _show(self, done: int) -> None:
        if done != self._shown:
            self._task.advance(done - self._shown)
            self._shown = done
