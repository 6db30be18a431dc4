"""One command: how long it takes, how much memory and temporary disk at most.

Time is the wall clock's, from start to end of the process. Peak memory is the largest resident set of one process of the command
(ru_maxrss, getrusage(2)). Temporary disk is sampled: what is below its TMPDIR, and files that its processes hold open though they
are deleted.
"""

import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

INTERVAL = 0.05
"""Seconds between samples of memory and disk."""

PATIENCE = 3600.0
"""Seconds after which a command is ended: it hangs."""

_BLOCK = 512
"""Bytes of st_blocks, stat(2)."""


class Run(NamedTuple):
    """What one run of a command took. Seconds and bytes."""

    seconds: float
    cpu_seconds: float
    peak_memory: int
    temporary_disk: int
    output: str
    """What it wrote to standard output."""


class FailedError(Exception):
    """A command that ended otherwise than with 0, or gave a wrong result."""


def run(command: Sequence[str], scratch: Path, *, cores: int | None = None) -> Run:
    """Runs `command` with `scratch` as its TMPDIR, on the first `cores` cores if given. Raises FailedError with the end of
    what it said."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        environment = {**os.environ, "TMPDIR": str(scratch)}
        with _only(cores):
            began = time.perf_counter()
            try:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, start_new_session=True
                )
            except OSError as error:
                raise FailedError(f"{command[0]}: {error.strerror}") from None
        with _Watch(process.pid, scratch) as watch:
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
            seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        output = out.read().decode(errors="replace").strip()
        if process.returncode:
            said = (err.read().decode(errors="replace").strip() or output)[-500:]
            raise FailedError(f"exit code {process.returncode}: {said}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, watch.peak_memory(usage.ru_maxrss << 10), watch.disk, output)


class _Watch:
    """Samples a process and its descendants until the block ends."""

    def __init__(self, pid: int, scratch: Path) -> None:
        self.disk = 0
        self._memory = 0
        self._pid = pid
        self._scratch = scratch
        # A child's ru_maxrss begins with what its parent had when it was started, because exec(2) keeps it.
        self._inherited = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def peak_memory(self, reported: int) -> int:
        return reported if reported > self._inherited else self._memory

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._ended.wait(INTERVAL):
            pids = list(_tree(self._pid))
            self._memory = max(self._memory, *(_high_water(pid) for pid in pids), 0)
            self.disk = max(self.disk, _used(self._scratch) + _deleted(pids))
            if time.monotonic() > deadline:
                os.killpg(self._pid, signal.SIGKILL)
                return


class _only:  # noqa: N801 - reads as a statement
    """New processes run on the first `cores` cores."""

    def __init__(self, cores: int | None) -> None:
        self._cores = cores

    def __enter__(self) -> None:
        self._before = os.sched_getaffinity(0)
        if self._cores is not None:
            os.sched_setaffinity(0, set(sorted(self._before)[: self._cores]))

    def __exit__(self, *_: object) -> None:
        os.sched_setaffinity(0, self._before)


def _tree(pid: int) -> Iterator[int]:
    """`pid` and its descendants, as far as they are there."""
    yield pid
    try:
        children = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it ended meanwhile
        return
    for text in children:
        for child in text.split():
            yield from _tree(int(child))


def _high_water(pid: int) -> int:
    """Bytes of the largest resident set so far."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return 0


def _used(folder: Path) -> int:
    """Bytes allocated to the files below."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(f"{parent}/{name}").st_blocks * _BLOCK
            except OSError:
                continue
    return total


def _deleted(pids: Sequence[int]) -> int:
    """Bytes allocated to files that have no name any more, and are open."""
    found: dict[tuple[int, int], int] = {}
    for pid in pids:
        try:
            descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
        except OSError:
            continue
        for path in descriptors:
            try:
                target = str(path.readlink())
                # Our own files for its output are of that kind too, and no disk that the command asked for.
                if target.startswith("/") and target.endswith(" (deleted)") and int(path.name) > 2:
                    status = path.stat()
                    found[status.st_dev, status.st_ino] = status.st_blocks * _BLOCK
            except OSError:
                continue
    return sum(found.values())
