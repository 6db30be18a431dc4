"""Several commands in alternation (A B C A B C ...), each result checked.

Before each run, outside its time: its input is read, so that it comes from the page cache for everyone, and what earlier runs
wrote goes to disk.
"""

import contextlib
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from benchmarks.measuring import FailedError, Run, run

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """What a run has to itself."""

    folder: Path
    """For what it makes."""
    scratch: Path
    """Its TMPDIR."""
    registry: str = ""
    """HOST:PORT of an empty one, if it needs it."""


class Outcome(NamedTuple):
    """What a run made; the same in every run."""

    digest: str
    layers: int
    size: int
    """Bytes of all layers."""


Serve = Callable[[Path], contextlib.AbstractContextManager[str]]
"""A registry over a folder, while the context lasts: its HOST:PORT."""


@dataclass(frozen=True)
class Contender:
    name: str
    command: Callable[[Stage], Sequence[str]]
    judge: Callable[[Stage, Run], Outcome]
    """Raises FailedError when the result isn't what it should be."""
    program: str = ""
    """What must be installed."""
    cores: int | None = None
    """None: all."""
    once: bool = False
    """It is run once, however fast it is."""
    scale: float = 1.0
    """How many times as large the others' input is: its times are multiplied by that. Its name says so."""

    @property
    def is_layerkit(self) -> bool:
        return self.name.startswith("layerkit")


@dataclass
class Result:
    name: str
    runs: list[Run] = field(default_factory=list)
    outcome: Outcome | None = None
    problem: str = ""
    is_absent: bool = False
    """Its program isn't installed."""

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(one.seconds for one in self.runs)

    @property
    def peak_memory(self) -> int:
        return max(one.peak_memory for one in self.runs)

    @property
    def temporary_disk(self) -> int:
        return max(one.temporary_disk for one in self.runs)

    @property
    def is_measured(self) -> bool:
        return bool(self.runs) and not self.problem


@dataclass(frozen=True)
class Rules:
    runs: int
    once_above: float
    """Seconds: a contender that takes longer isn't run again."""
    without: frozenset[str]
    """Names of contenders to leave out."""
    work: Path
    say: Say
    slow: bool = False
    """Recompressing a large layer is measured on all of it."""


def alternate(
    title: str, contenders: Sequence[Contender], rules: Rules, *, inputs: Sequence[Path], serve: Serve | None = None
) -> list[Result]:
    """A result for each contender, in their order; one that fails, or isn't installed, doesn't disturb the others."""
    results = {one: Result(one.name) for one in contenders if not _is_left_out(one.name, rules.without)}
    for one, result in results.items():
        if one.program and shutil.which(one.program) is None:
            result.problem = f"{one.program} is not installed"
            result.is_absent = True
    for number in range(1, rules.runs + 1):
        for one, result in results.items():
            if result.problem or (result.runs and (one.once or result.runs[0].seconds > rules.once_above)):
                continue
            try:
                with _stage(rules.work, serve) as stage:
                    _settle(inputs)
                    measured = run(one.command(stage), stage.scratch, cores=one.cores)
                    outcome = one.judge(stage, measured)
                if result.outcome not in (None, outcome):
                    raise FailedError(f"run {number} made {_show(outcome)}, the first {_show(result.outcome)}")
            except (FailedError, OSError) as error:
                result.problem = " ".join(str(error).split())
                rules.say(f"{title}, run {number}: {one.name}: FAILED: {result.problem}")
                continue
            result.runs.append(
                measured._replace(seconds=measured.seconds * one.scale, cpu_seconds=measured.cpu_seconds * one.scale)
            )
            result.outcome = result.outcome or outcome
            rules.say(f"{title}, run {number} of {rules.runs}: {one.name}: {measured.seconds:.2f} s")
    return list(results.values())


def _is_left_out(name: str, without: frozenset[str]) -> bool:
    return any(part and part in name for part in without)


def _show(outcome: Outcome | None) -> str:
    return f"{outcome.digest} with {outcome.layers} layers, {outcome.size:,} bytes" if outcome else "nothing"


@contextlib.contextmanager
def _stage(work: Path, serve: Serve | None) -> Iterator[Stage]:
    """Everything in it is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=work, prefix="stage-") as name, contextlib.ExitStack() as stack:
        place = Path(name)
        for child in ("out", "tmp", "registry"):
            (place / child).mkdir()
        address = stack.enter_context(serve(place / "registry")) if serve else ""
        yield Stage(place / "out", place / "tmp", address)


def _settle(inputs: Sequence[Path]) -> None:
    os.sync()
    for path in inputs:
        with path.open("rb", buffering=0) as file:
            while file.read(8 << 20):
                pass
