"""Background work: one thread makes, another takes: a few items wait between them, never more.

In Python only what leaves the interpreter runs beside anything else: inflating, hashing, reading. That is nearly all the work
here, so a thread for each is worth it. Which of two threads is the slower one changes with what a layer holds (many small files,
or data that hardly compresses), so some megabytes have to wait between them, or both wait for each other in turn.
"""

import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Generic, Self, TypeVar

T = TypeVar("T")

_NICE = 10
"""A tenth of the share of an ordinary thread (sched(7))."""


def give_way() -> None:
    """From here on, this thread runs when a core has nothing better to do. Only one thread can inflate a layer, and everything
    waits for it; digests, proofs and copies of what is done can be made at any time. On Linux, where niceness is a thread's own;
    elsewhere it would slow the whole process."""
    if sys.platform == "linux":
        os.nice(_NICE)


def ahead(source: Iterator[T], most: int, *, begin: Callable[[], None] = lambda: None) -> Iterator[T]:
    """The items of `source`, made by a thread of its own; at most `most` of them wait, each still valid when the next are made.
    `begin` is called in the thread first. Errors are raised where the item would have come. The thread ends with the iterator."""
    items: queue.SimpleQueue[list[T] | BaseException | None] = queue.SimpleQueue()
    room: queue.SimpleQueue[None] = queue.SimpleQueue()
    """An entry for each item that may be made."""
    ended = threading.Event()
    for _ in range(most):
        room.put(None)

    def work() -> None:
        last: BaseException | None = None
        try:
            begin()
            for item in source:
                items.put([item])
                room.get()
                if ended.is_set():
                    return
        except BaseException as error:  # handed over: the consumer raises it
            last = error
        items.put(last)

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while (found := items.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found[0]
            room.put(None)
    finally:
        ended.set()
        room.put(None)
        thread.join()


class Aside(Generic[T]):
    """Gives what it is given to `take`, on a thread of its own, in order; at most `most` items wait. Closed when done."""

    def __init__(self, take: Callable[[T], None], most: int) -> None:
        self._take = take
        self._items: queue.SimpleQueue[list[T] | None] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(most):
            self._room.put(None)
        self._error: BaseException | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="aside", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, item: T) -> None:
        """It must stay valid. Raises what `take` raised for an earlier one."""
        self._room.get()
        if self._error is not None:
            raise self._error
        self._items.put([item])

    def drain(self) -> None:
        """Returns when all was taken; nothing may be put afterwards. Raises what `take` raised."""
        self._items.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Ends the thread; what still waits isn't taken."""
        self._stopped = True
        self._items.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (item := self._items.get()) is not None:
            if self._error is None and not self._stopped:
                try:
                    self._take(item[0])
                except BaseException as error:  # handed over: whoever puts or drains raises it
                    self._error = error
            self._room.put(None)
