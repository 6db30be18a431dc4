"""What experiments give: sections of a report, as plain values."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.contest import Result
from layerkit.report.sizes import format_size


@dataclass(frozen=True)
class Goal:
    """A promise, and whether it is kept. `kept` None: it couldn't be measured."""

    what: str
    bound: str
    found: str
    kept: bool | None


@dataclass(frozen=True)
class Bar:
    name: str
    value: float
    is_layerkit: bool


@dataclass(frozen=True)
class Curve:
    name: str
    points: list[tuple[float, float]]


@dataclass
class Section:
    """One experiment."""

    name: str
    """As `--only` calls it."""
    title: str
    text: str
    """What was done."""
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    """Seconds."""
    curves: list[Curve] = field(default_factory=list)
    axes: tuple[str, str] = ("", "")
    notes: list[str] = field(default_factory=list)
    """What the reader has to know beside the table: what failed, and why."""
    data: Any = None
    """For programs; sizes in bytes, times in seconds."""


RACE_COLUMNS = ["", "time", "against the first", "CPU time", "peak memory", "temporary disk", "layers", "size"]


def race_rows(results: list[Result], *, reference: Result | None = None) -> list[list[str]]:
    """A row for each contender, losers and failures included. Times are medians; `reference`: what the third column compares
    with, the first that was measured by default."""
    first = reference or next((one for one in results if one.is_measured), None)
    return [_row(one, first) for one in results]


def _row(one: Result, first: Result | None) -> list[str]:
    if not one.is_measured or first is None:
        return [one.name, cell(one), "", "", "", "", "", ""]
    times = [run.seconds for run in one.runs]
    spread = f"{one.seconds:.2f} s" + (f" ({min(times):.2f} to {max(times):.2f})" if len(times) > 1 else " (one run)")
    outcome = one.outcome
    return [
        one.name,
        spread,
        f"{one.seconds / first.seconds:.2f} x" if first.is_measured else "",
        f"{max(run.cpu_seconds for run in one.runs):.1f} s",
        format_size(one.peak_memory),
        format_size(one.temporary_disk),
        str(outcome.layers) if outcome and outcome.layers else "",
        format_size(outcome.size) if outcome and outcome.size else "",
    ]


def cell(result: Result | None) -> str:
    """The time, or why there is none; `problems` says more."""
    if result is not None and result.is_measured:
        return f"{result.seconds:.2f} s"
    if result is None:
        return "not measured"
    return "not installed" if result.is_absent else "failed"


def problems(results: Iterable[Result], where: str = "") -> list[str]:
    return [f"{where}{one.name} failed: {one.problem}" for one in results if one.problem and not one.is_absent]


def race_bars(results: list[Result]) -> list[Bar]:
    return [Bar(one.name, one.seconds, one.name.startswith("layerkit")) for one in results if one.is_measured]


def race_data(results: list[Result]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "problem": one.problem,
            "seconds": one.seconds if one.is_measured else None,
            "runs": [run._asdict() for run in one.runs],
            "outcome": one.outcome._asdict() if one.outcome else None,
        }
        for one in results
    ]


def memory_goal(results: list[Result], where: str) -> Goal:
    """layerkit's peak in every run that was measured."""
    peaks = {one.name: one.peak_memory for one in results if one.is_measured and one.name.startswith("layerkit")}
    name = max(peaks, key=lambda key: peaks[key], default="")
    found = f"{format_size(peaks[name])} ({name})" if name else "not measured"
    return Goal(f"peak memory, {where}", "≤ 700 MB", found, peaks[name] <= 700_000_000 if name else None)


def ratio_goal(what: str, bound: float, ours: Result | None, theirs: Result | None, unit: str = "time") -> Goal:
    """Ours is at most `bound` times theirs: medians, or bytes."""
    if ours is None or theirs is None or not ours.is_measured or not theirs.is_measured:
        return Goal(what, f"≤ {bound:g} x", "not measured", None)
    if unit == "time":
        ratio = ours.seconds / theirs.seconds
    else:
        assert ours.outcome is not None and theirs.outcome is not None
        ratio = ours.outcome.size / theirs.outcome.size
    return Goal(what, f"≤ {bound:g} x", f"{ratio:.2f} x" if unit == "time" else f"{ratio:.4f} x", ratio <= bound)


def named(results: list[Result], name: str) -> Result | None:
    return next((one for one in results if one.name == name), None)
