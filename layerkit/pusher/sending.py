"""A blob's requests, measured: how long they take, how much of their bodies went out.

In: a blob, and what sends one request of its upload. Out: the answer, and an `Exchange` that says what became of the request.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from layerkit.image.blob import Blob, Buffer
from layerkit.profiles import Way
from layerkit.progress import Task
from layerkit.pusher.reader import BlobReader
from layerkit.pusher.target import Traffic
from layerkit.registry.answers import Answer
from layerkit.registry.transport import Body


@dataclass
class Exchange:
    """A request on its way."""

    way: Way | None
    """How the blob goes; None: the request doesn't carry or commit it."""
    size: int
    """Bytes of its body."""
    is_commit: bool
    began: float
    """On the monotonic clock, as `ended`."""
    handed: int = 0
    """Bytes of the body that were handed to the network."""
    ended: float | None = None
    """When all were."""

    def waited(self, now: float) -> float:
        """Seconds for which an answer was waited for."""
        return now - (self.began if self.ended is None else self.ended)


class SetbackError(Exception):
    """Something failed that may pass."""

    def __init__(
        self,
        text: str,
        *,
        is_lesson: bool = False,
        slow: bool = False,
        maybe_committed: bool = False,
        waited: float = 0.0,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text)
        self.is_lesson = is_lesson
        """Is the next request another one, which needn't wait?"""
        self.slow = slow
        """Did it take too long, so that something smaller could go through?"""
        self.maybe_committed = maybe_committed
        """Was it a commit, which the registry may be finishing?"""
        self.waited = waited
        """Seconds, for the commit's answer."""
        self.retry_after = retry_after


class Sender:
    """Of one upload; not thread-safe."""

    def __init__(self, blob: Blob, label: str, task: Task, traffic: Traffic, now: Callable[[], float]) -> None:
        """`now`: seconds on the monotonic clock."""
        self.last = Exchange(None, 0, False, 0.0)
        """The request that was sent last."""
        self._reader = BlobReader(blob, label)
        self._task = task
        self._traffic = traffic
        self._now = now
        self._shown = 0

    def send(
        self, request: Callable[[Body | None], Answer], body: Body | None = None, *, way: Way | None, is_commit: bool = False
    ) -> Answer:
        """What `request`, which is handed the body, is answered. Raises what it raises."""
        self.last = exchange = Exchange(way, body.size if body is not None else 0, is_commit, self._now())
        if not exchange.size:
            exchange.ended = exchange.began
        return request(body)

    def body(self, start: int, end: int) -> Body:
        """Bytes [start, end) of the blob."""
        return Body(end - start, lambda: self._pieces(start, end))

    def show(self, done: int) -> None:
        """So many bytes of the blob are through."""
        if done != self._shown:
            self._task.advance(done - self._shown)
            self._shown = done

    def _pieces(self, start: int, end: int) -> Iterator[Buffer]:
        exchange = self.last
        exchange.handed, exchange.ended = 0, None  # it may be opened again: after a 401, or a redirect
        self.show(start)
        for piece in self._reader.read(start, end - start):
            yield piece
            exchange.handed += len(piece)
            self._traffic.add(len(piece))
            self.show(self._shown + len(piece))
        exchange.ended = self._now()
