"""Inputs, one after the other, in a process that may hang, grow or die without taking the run with it.

In: a target and seeds. Out: outcomes and findings. A child makes and tries each input in a folder that it empties afterwards; the
parent waits for it as long as an input may take.
"""

import multiprocessing
import random
import resource
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from fuzz.targets import TARGETS

MOST_SECONDS = 30.0
"""For one input."""
MOST_MEMORY = 700_000_000
"""Bytes that the process may have had at most."""
_INPUTS_OF_A_CHILD = 400
"""Afterwards another child goes on: memory that is never given back would add up."""
_ADDRESS_SPACE = 6 << 30
"""Bytes: what runs away further ends in a MemoryError instead of the machine's."""


@dataclass(frozen=True)
class Outcome:
    target: str
    seed: int
    said: str
    seconds: float
    memory: int
    """Bytes that the child has had at most, with all inputs before."""
    is_finding: bool = False


def try_one(target: str, seed: int, folder: Path) -> str:
    """In this process. Raises whatever a finding is."""
    return TARGETS[target](random.Random(f"{target} {seed}"), folder)


class Runner:
    """A context manager: its child ends with it."""

    def __init__(self, *, seconds: float = MOST_SECONDS, memory: int = MOST_MEMORY) -> None:
        self._seconds = seconds
        self._memory = memory
        self._context = multiprocessing.get_context("spawn")
        self._child: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._left = 0
        self._folder = Path(tempfile.mkdtemp(prefix="layerkit-fuzz-"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, target: str, seed: int) -> Outcome:
        pipe = self._ready()
        began = time.monotonic()
        said, memory, is_finding = "", 0, True
        try:
            pipe.send((target, seed))
            if pipe.poll(self._seconds):
                said, memory, is_finding = pipe.recv()
            else:
                said = f"not done after {self._seconds:g} seconds"
        except (EOFError, OSError):
            said = "the process died"
        if memory > self._memory:
            said, is_finding = f"{memory:,} bytes of memory; {said}", True
        if is_finding:
            self._end()
        return Outcome(target, seed, said, time.monotonic() - began, memory, is_finding)

    def _ready(self) -> Connection:
        if self._left == 0:
            self._end()
        if self._pipe is None:
            self._pipe, other = self._context.Pipe()
            self._child = self._context.Process(target=_serve, args=(other, str(self._folder)), daemon=True)
            self._child.start()
            other.close()
            self._left = _INPUTS_OF_A_CHILD
            self._pipe.recv()  # it has imported everything: that isn't the first input's time
        self._left -= 1
        return self._pipe

    def _end(self) -> None:
        if self._child is not None and self._pipe is not None:
            self._pipe.close()
            self._child.kill()
            self._child.join()
        self._child = self._pipe = None
        self._left = 0
        shutil.rmtree(self._folder, ignore_errors=True)


def _serve(pipe: Connection, folder: str) -> None:
    """The child."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, resource.getrlimit(resource.RLIMIT_AS)[1]))
    tempfile.tempdir = folder
    pipe.send(None)
    while True:
        try:
            target, seed = pipe.recv()
        except EOFError:
            return
        place = Path(folder) / "input"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        is_finding = False
        try:
            said = try_one(target, seed, place)
        except BaseException:  # whatever it is, it is what is looked for
            said, is_finding = traceback.format_exc(), True
        shutil.rmtree(place, ignore_errors=True)
        pipe.send((said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, is_finding))


def outcomes(targets: list[str], first: int, *, until: float, most: int | None = None) -> Iterator[Outcome]:
    """Each seed from `first` on with each target, until a time of `time.monotonic` or `most` seeds."""
    with Runner() as runner:
        seed = first
        while most is None or seed < first + most:
            for target in targets:
                if time.monotonic() >= until:
                    return
                yield runner.run(target, seed)
            seed += 1
