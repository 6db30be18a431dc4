"""Progress on a terminal.

tqdm draws one line per running task and, once there is a second one, the total; while nothing runs it draws nothing, so that
results can be printed. Everything may be called from any thread.
"""

import threading
from typing import Any, TextIO

from tqdm import tqdm

from layerkit.cli.progress import Running
from layerkit.progress import Task
from layerkit.report.sizes import format_seconds, format_size
from layerkit.report.text import escaped, one_line

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
        rate = fields["rate"] or ((fields["n"] - fields["initial"]) / fields["elapsed"] if fields["elapsed"] else 0)
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


class TerminalProgress:
    """Bars."""

    def __init__(self, stream: TextIO, *, columns: int | None = None) -> None:
        """`columns`: width of the terminal; None asks it each time something is drawn."""
        self._stream = stream
        self._columns = columns
        self._lock = threading.Lock()
        self._bars: dict[Running, _Bar] = {}
        self._total: _Bar | None = None
        self._sum_total = 0
        self._sum_done = 0
        self._tasks = 0
        self._running = 0

    def task(self, name: str, total: int) -> Task:
        return Running(self, name, total, self._lock)

    def note(self, text: str) -> None:
        with self._lock:
            _Bar.write(escaped(text), file=self._stream)

    def warn(self, text: str) -> None:
        self.note(f"warning: {text}")

    def begin(self, task: Running) -> None:
        self._tasks += 1
        self._running += 1
        self._sum_total += task.total
        if self._total is not None:
            self._total.total = self._sum_total
        elif self._tasks > 1:
            for bar in self._bars.values():  # the only one, if any: it makes room on the first line
                bar.clear()
                bar.pos = -1
            self._total = self._bar("total", self._sum_total, 0, done=self._sum_done)
        if len(self._bars) < MAX_BARS:
            taken = {-bar.pos for bar in self._bars.values()} | ({0} if self._total is not None else set())
            self._bars[task] = self._bar(task.name, task.total, next(line for line in range(MAX_BARS + 1) if line not in taken))

    def moved(self, task: Running, count: int) -> None:
        self._sum_done += count
        if task in self._bars:
            self._bars[task].update(count)
        if self._total is not None:
            self._total.update(count)

    def end(self, task: Running) -> None:
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

    def _bar(self, name: str, total: int, line: int, done: int = 0) -> _Bar:
        return _Bar(
            desc=one_line(name),
            total=total,
            initial=done,
            position=line,
            file=self._stream,
            leave=False,
            bar_format=_BAR,
            ncols=self._columns,
            dynamic_ncols=self._columns is None,
        )


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
