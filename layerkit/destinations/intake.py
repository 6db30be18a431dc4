"""Blobs taken one at a time, each digest once, by a thread of their own: whoever offers them goes on making the next.

What goes wrong is kept, and raised where the result is asked for.
"""

import queue
import threading
from collections.abc import Callable

from layerkit.image.blob import Blob
from layerkit.image.digest import Digest
from layerkit.threads import give_way


class StoppedError(Exception):
    """Raised inside `put` to end it; never leaves this package."""


class Intake:
    def __init__(self, put: Callable[[Blob, str], None]) -> None:
        """`put` is called for one blob at a time, always from the same thread; `check` ends it early."""
        self._put = put
        self._queue: queue.SimpleQueue[tuple[Blob, str] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._seen: set[Digest] = set()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self.turn = threading.Lock()
        """Whoever holds it may write: `put`, or what is written while it is made."""
        self._error: BaseException | None = None

    def offer(self, blob: Blob, label: str) -> None:
        """Returns at once. From any thread; the same digest again is nothing new."""
        with self._lock:
            if blob.digest in self._seen or self._stopped.is_set():
                return
            self._seen.add(blob.digest)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="layerkit-output", daemon=True)
                self._thread.start()
            self._queue.put((blob, label))

    def claim(self, digest: Digest) -> bool:
        """Whoever has the blob already says so: from now on it is nothing new. False: it was offered before."""
        with self._lock:
            is_new = digest not in self._seen
            self._seen.add(digest)
            return is_new

    def drain(self) -> None:
        """Returns when everything offered was taken, and ends the thread. Raises the first error of `put`."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Takes nothing more, not even the rest of the blob at hand. Returns when the thread has ended."""
        with self._lock:
            self._stopped.set()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def check(self) -> None:
        """For `put` to call between chunks: raises when there is no more use in going on."""
        if self._stopped.is_set():
            raise StoppedError

    def _work(self) -> None:
        give_way()
        while (item := self._queue.get()) is not None:
            if self._error is not None or self._stopped.is_set():
                continue
            try:
                with self.turn:
                    self._put(*item)
            except StoppedError:
                continue
            except BaseException as error:  # whatever it is, the thread that asks for the result has to see it
                self._error = error
