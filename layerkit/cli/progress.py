"""Progress on standard error: bars on a terminal, a plain line every few seconds elsewhere, nothing but warnings when quiet.

On a terminal tqdm draws one line per running task and, once there is a second one, the total; while nothing runs it draws
nothing, so that results can be printed. Elsewhere (CI logs) one line at most every `PLAIN_INTERVAL` seconds sums up all running
tasks. Everything may be called from any thread.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from tqdm import tqdm

from layerkit.progress import Progress, Task
from layerkit.report.sizes import format_seconds, format_share, format_size
from layerkit.report.text import one_line, printable

PLAIN_INTERVAL = 5.0
"""Seconds between plain lines: a CI log of a ten minutes' push stays readable."""

MAX_BARS = 8
"""Bars drawn at a time; more tasks than that only count in the total, so that the screen never scrolls."""

_NAME_WIDTH = 26
_BAR = "{name} {percentage:3.0f}%|{bar}| {done:>8}/{whole:<8} {speed:>9}/s {left:>8}"
"""Fits 80 columns with a bar of a few characters, and grows with the terminal."""


class _Bar(tqdm):  # type: ignore[type-arg]  # generic in its stubs only
    """tqdm with layerkit's units."""

    monitor_interval = 0  # no thread of its own: nothing is drawn that nobody advances

    @property
    def format_dict(self) -> Any:
        fields = super().format_dict
        rate = fields["rate"] or (fields["n"] / fields["elapsed"] if fields["elapsed"] else 0)
        left = (fields["total"] - fields["n"]) / rate if rate and fields["total"] else None
        name = fields["prefix"].removesuffix(": ")
        fields.update(
            name=f"{_shortened(name, _NAME_WIDTH):<{_NAME_WIDTH}}",
            done=format_size(fields["n"]),
            whole=format_size(fields["total"] or 0),
            speed=format_size(rate),
            left="" if left is None else format_seconds(left),
        )
        return fields


class _Shown(Protocol):
    """What the two ways of showing progress have in common."""

    def begin(self, task: "_Running") -> None: ...
    def moved(self, task: "_Running", count: int) -> None: ...
    def end(self, task: "_Running") -> None: ...


class _Running:
    """One task: counts, and tells whoever shows it."""

    def __init__(self, shown: _Shown, name: str, total: int, lock: threading.Lock) -> None:
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


class TerminalProgress:
    """Bars."""

    def __init__(self, stream: TextIO, *, columns: int | None = None) -> None:
        """`columns`: width of the terminal; None asks it each time something is drawn."""
        self._stream = stream
        self._columns = columns
        self._lock = threading.Lock()
        self._bars: dict[_Running, _Bar] = {}
        self._total: _Bar | None = None
        self._sum_total = 0
        self._sum_done = 0
        self._tasks = 0
        self._running = 0

    def task(self, name: str, total: int) -> Task:
        return _Running(self, name, total, self._lock)

    def note(self, text: str) -> None:
        with self._lock:
            _Bar.write(printable(text), file=self._stream)

    def warn(self, text: str) -> None:
        self.note(f"warning: {text}")

    def begin(self, task: _Running) -> None:
        self._tasks += 1
        self._running += 1
        self._sum_total += task.total
        if self._total is not None:
            self._total.total = self._sum_total
        elif self._tasks > 1:
            for bar in self._bars.values():  # the only one, if any: it makes room on the first line
                bar.clear()
                bar.pos = -1
            self._total = self._bar("total", self._sum_total, 0)
            self._total.update(self._sum_done)
        if len(self._bars) < MAX_BARS:
            taken = {-bar.pos for bar in self._bars.values()} | ({0} if self._total is not None else set())
            self._bars[task] = self._bar(task.name, task.total, next(line for line in range(MAX_BARS + 1) if line not in taken))

    def moved(self, task: _Running, count: int) -> None:
        self._sum_done += count
        if task in self._bars:
            self._bars[task].update(count)
        if self._total is not None:
            self._total.update(count)

    def end(self, task: _Running) -> None:
        # What wasn't done in full (a blob that was there already) leaves the total too.
        self._sum_total -= task.total - task.done
        if self._total is not None:
            self._total.total = self._sum_total
        bar = self._bars.pop(task, None)
        if bar is not None:
            bar.close()
        self._running -= 1
        if not self._running:
            self._clear()

    def close(self) -> None:
        with self._lock:
            self._clear()

    def _clear(self) -> None:
        """Nothing is drawn any more; what begins later is counted anew."""
        for bar in (*self._bars.values(), *([self._total] if self._total is not None else [])):
            bar.close()
        self._bars.clear()
        self._total = None
        self._sum_total = self._sum_done = self._tasks = 0

    def _bar(self, name: str, total: int, line: int) -> _Bar:
        return _Bar(
            desc=one_line(name),
            total=total,
            position=line,
            file=self._stream,
            leave=False,
            bar_format=_BAR,
            ncols=self._columns,
            dynamic_ncols=self._columns is None,
        )


class PlainProgress:
    """A line now and then."""

    def __init__(self, stream: TextIO, *, interval: float = PLAIN_INTERVAL, clock: Callable[[], float] = time.monotonic) -> None:
        """`interval` in seconds."""
        self._stream = stream
        self._interval = interval
        self._clock = clock
        self._lock = threading.Lock()
        self._running: dict[_Running, None] = {}
        self._sum_total = 0
        self._sum_done = 0
        self._begun = self._printed = clock()

    def task(self, name: str, total: int) -> Task:
        return _Running(self, name, total, self._lock)

    def note(self, text: str) -> None:
        with self._lock:
            self._print(text)

    def warn(self, text: str) -> None:
        self.note(f"warning: {text}")

    def begin(self, task: _Running) -> None:
        if not self._running and not self._sum_done:
            self._begun = self._printed = self._clock()
        self._running[task] = None
        self._sum_total += task.total

    def moved(self, task: _Running, count: int) -> None:
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

    def end(self, task: _Running) -> None:
        self._running.pop(task, None)
        self._sum_total -= task.total - task.done

    def close(self) -> None:
        pass

    def _print(self, text: str) -> None:
        self._stream.write(printable(text) + "\n")
        self._stream.flush()


class QuietProgress(PlainProgress):
    """Warnings alone."""

    def moved(self, task: _Running, count: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        with self._lock:
            self._print(f"warning: {text}")


@contextmanager
def open_progress(stream: TextIO, *, quiet: bool = False) -> Iterator[Progress]:
    """What suits the stream; bars are gone when the block ends."""
    shown: TerminalProgress | PlainProgress
    shown = QuietProgress(stream) if quiet else TerminalProgress(stream) if stream.isatty() else PlainProgress(stream)
    try:
        yield shown
    finally:
        shown.close()


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
