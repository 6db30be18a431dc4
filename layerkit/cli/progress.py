"""Progress on standard error: bars on a terminal, a plain line every few seconds elsewhere, nothing but warnings when quiet.

Where there is no terminal (CI logs) one line at most every `PLAIN_INTERVAL` seconds sums up all running tasks. Everything may be
called from any thread.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self, TextIO

from layerkit.progress import Progress, Task
from layerkit.report.sizes import format_seconds, format_share, format_size
from layerkit.report.text import escaped, one_line

PLAIN_INTERVAL = 5.0
"""Seconds between plain lines: a CI log of a ten minutes' push stays readable."""


class Shown(Protocol):
    """What the two ways of showing progress have in common."""

    def begin(self, task: "Running") -> None: ...
    def moved(self, task: "Running", count: int) -> None: ...
    def end(self, task: "Running") -> None: ...


class Running:
    """One task: counts, and tells whoever shows it."""

    def __init__(self, shown: Shown, name: str, total: int, lock: threading.Lock) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self.closed = False
        self._shown = shown
        self._lock = lock
        with lock:
            shown.begin(self)

    def advance(self, count: int) -> None:
        with self._lock:
            if not self.closed:
                self.done += count
                self._shown.moved(self, count)

    def close(self) -> None:
        with self._lock:
            if not self.closed:
                self.closed = True
                self._shown.end(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class ClosingProgress(Progress, Protocol):
    def close(self) -> None:
        """Nothing is drawn any more."""


class PlainProgress:
    """A line now and then."""

    def __init__(self, stream: TextIO, *, interval: float = PLAIN_INTERVAL, clock: Callable[[], float] = time.monotonic) -> None:
        """`interval` in seconds."""
        self._stream = stream
        self._interval = interval
        self._clock = clock
        self._lock = threading.Lock()
        self._running: dict[Running, None] = {}
        self._sum_total = 0
        self._sum_done = 0
        self._begun = self._printed = clock()

    def task(self, name: str, total: int) -> Task:
        return Running(self, name, total, self._lock)

    def note(self, text: str) -> None:
        with self._lock:
            self._print(text)

    def warn(self, text: str) -> None:
        self.note(f"warning: {text}")

    def begin(self, task: Running) -> None:
        if not self._running and not self._sum_done:
            self._begun = self._printed = self._clock()
        self._running[task] = None
        self._sum_total += task.total

    def moved(self, task: Running, count: int) -> None:
        self._sum_done += count
        now = self._clock()
        if now - self._printed < self._interval:
            return
        self._printed = now
        rate = self._sum_done / max(now - self._begun, 1e-9)
        what = one_line(task.name) if len(self._running) == 1 else f"{len(self._running)} at a time"
        left = format_seconds((self._sum_total - self._sum_done) / rate) if rate > 0 else "?"
        self._print(
            f"{what}: {format_size(self._sum_done)} of {format_size(self._sum_total)} "
            f"({format_share(self._sum_done, self._sum_total)}), {format_size(rate)}/s, {left} left"
        )

    def end(self, task: Running) -> None:
        self._running.pop(task, None)
        self._sum_total -= task.total - task.done

    def close(self) -> None:
        pass

    def _print(self, text: str) -> None:
        self._stream.write(escaped(text) + "\n")
        self._stream.flush()


class QuietProgress(PlainProgress):
    """Warnings alone."""

    def moved(self, task: Running, count: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        with self._lock:
            self._print(f"warning: {text}")


@contextmanager
def open_progress(stream: TextIO, *, quiet: bool = False) -> Iterator[Progress]:
    """What suits the stream; bars are gone when the block ends."""
    shown: ClosingProgress
    if quiet:
        shown = QuietProgress(stream)
    elif stream.isatty():
        # tqdm takes options from variables of its own, and fails over nonsense in them; what is drawn here is layerkit's.
        for name in [name for name in os.environ if name.startswith("TQDM_")]:
            del os.environ[name]
        from layerkit.cli.bars import TerminalProgress  # tqdm, which a log has no use for

        shown = TerminalProgress(stream)
    else:
        shown = PlainProgress(stream)
    try:
        yield shown
    finally:
        shown.close()
