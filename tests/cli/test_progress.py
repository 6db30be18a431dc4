"""Progress: bars on a terminal, few lines elsewhere, silence when asked."""

import io
import re
import threading

import pytest

from layerkit.cli.bars import MAX_BARS, TerminalProgress
from layerkit.cli.progress import PlainProgress, QuietProgress, open_progress

GB = 1_000_000_000


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_are_few_and_say_everything() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(stream, interval=5, clock=clock)
    with progress.task("layer 1", GB) as task:
        for _ in range(80):
            clock.now += 0.125  # exact in binary
            task.advance(6_250_000)
    assert stream.getvalue().splitlines() == [
        "layer 1: 250 MB of 1.00 GB (25 %), 50.0 MB/s, 15 s left",
        "layer 1: 500 MB of 1.00 GB (50 %), 50.0 MB/s, 10 s left",
    ]


def test_plain_lines_sum_up_what_runs_together() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(stream, interval=5, clock=clock)
    first, second = progress.task("a", GB), progress.task("b", GB)
    first.advance(GB)
    clock.now = 5
    second.advance(GB // 2)
    assert stream.getvalue() == "2 at a time: 1.50 GB of 2.00 GB (75 %), 300 MB/s, 2 s left\n"


def test_quick_work_prints_nothing_and_notes_always_do() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    with progress.task("layer", 10) as task:
        task.advance(10)
    progress.note("kept \x1b[1m")
    progress.warn("look")
    assert stream.getvalue() == "kept \\x1b[1m\nwarning: look\n"


def test_quiet_leaves_warnings() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = QuietProgress(stream, interval=1, clock=clock)
    with progress.task("layer", 10) as task:
        clock.now = 100
        task.advance(5)
    progress.note("news")
    progress.warn("look")
    assert stream.getvalue() == "warning: look\n"


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_has_a_line_per_task_and_a_total(columns: int) -> None:
    stream = io.StringIO()
    progress = TerminalProgress(stream, columns=columns)
    tasks = [progress.task(f"layer {number} with quite a long name of its own", GB) for number in range(3)]
    for task in tasks:
        task.advance(GB // 2)
    progress.note("news")
    shown = stream.getvalue()
    for task in tasks:
        task.close()
    progress.close()
    lines = [line for line in re.split(r"[\r\n]|\x1b\[A", shown) if line.strip()]
    assert max(map(len, lines)) <= columns
    assert "news" in lines
    for number in range(3):
        assert any(line.startswith(f"layer {number} with quite") for line in lines)
    assert any(line.startswith("total") and "3.00 GB" in line for line in lines)


def test_the_total_counts_its_rate_from_where_it_begins() -> None:
    """It appears with the second task; what was done until then took longer than no time."""
    stream = io.StringIO()
    progress = TerminalProgress(stream, columns=80)
    first = progress.task("first", 2 * GB)
    first.advance(GB)
    with progress.task("second", GB):
        total = next(line for line in re.split(r"[\r\n]|\x1b\[A", stream.getvalue()) if line.startswith("total"))
    assert "1.00 GB/3.00 GB" in total
    assert " 0 B/s" in total
    first.close()


def screen(written: str) -> list[str]:
    """What a terminal shows: lines that were drawn over are gone."""
    lines, row, column = [""], 0, 0
    for part in re.split(r"(\r|\n|\x1b\[A)", written):
        if part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[A":
            row -= 1
        else:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + part + line[column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines]


def test_what_a_terminal_shows_at_last() -> None:
    stream = io.StringIO()
    progress = TerminalProgress(stream, columns=80)
    first = progress.task("first", 1000)
    first.advance(500)
    assert [line[:5] for line in screen(stream.getvalue()) if line] == ["first"]
    assert screen(stream.getvalue())[0].startswith("first")
    second = progress.task("second", 1000)
    progress.note("news")
    first.close()
    third = progress.task("third", 1000)
    shown = [line for line in screen(stream.getvalue()) if line]
    assert [line.split()[0] for line in shown] == ["news", "total", "third", "second"]
    second.close()
    third.close()
    progress.close()
    assert [line for line in screen(stream.getvalue()) if line] == ["news"]


def test_results_are_printed_on_a_clean_screen() -> None:
    """They go to standard output while the command still runs, and no bar must stand in their line."""
    stream = io.StringIO()
    progress = TerminalProgress(stream, columns=80)
    tasks = [progress.task(name, 100) for name in ("first", "second")]
    for task in tasks:
        task.advance(100)
        task.close()
    stream.write("result\n")
    assert [line for line in screen(stream.getvalue()) if line] == ["result"]
    third = progress.task("third", 100)
    third.advance(50)
    assert [line.split()[0] for line in screen(stream.getvalue()) if line] == ["result", "third"]
    third.close()
    progress.close()


def test_more_tasks_than_lines_still_count() -> None:
    stream = io.StringIO()
    progress = TerminalProgress(stream, columns=80)
    tasks = [progress.task(f"task {number}", 100) for number in range(3 * MAX_BARS)]
    for task in tasks:
        task.advance(100)
    total = progress._total
    assert total is not None
    assert (total.n, total.total) == (2400, 2400)
    assert f"task {MAX_BARS}" not in stream.getvalue()
    for task in tasks:
        task.close()
    progress.close()


def test_work_that_need_not_be_done_leaves_the_total() -> None:
    progress = TerminalProgress(io.StringIO(), columns=80)
    with progress.task("a", 100) as task:
        with progress.task("there already", 500):
            pass
        task.advance(40)
        total = progress._total
        assert total is not None
        assert (total.n, total.total) == (40, 100)
        task.advance(-40)
        assert total.n == 0
    progress.close()


def test_many_threads_lose_no_count() -> None:
    progress = TerminalProgress(io.StringIO(), columns=80)
    tasks = [progress.task(f"task {number}", 20_000) for number in range(4)]

    def work(number: int) -> None:
        for _ in range(5_000):
            tasks[number % 4].advance(2)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = progress._total
    assert total is not None
    assert total.n == 80_000
    progress.close()


def test_the_stream_decides() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    with open_progress(io.StringIO()) as plain, open_progress(Terminal()) as bars, open_progress(Terminal(), quiet=True) as quiet:
        assert (type(plain), type(bars), type(quiet)) == (PlainProgress, TerminalProgress, QuietProgress)
