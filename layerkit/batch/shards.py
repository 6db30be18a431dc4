"""Which of several machines does which image.

In: what has to be done, with sizes where they are known; what the engine's variables say. Out: every item in exactly one shard,
the same on every machine, whatever the order of the list; shards of about the same size. Placing, trying again and logs are the
engine's: there is no scheduler here.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from layerkit.errors import UsageError

_NATURAL = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Shard:
    """The `index`th of `count`, from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


WHOLE = Shard(1, 1)


def parse_shard(text: str) -> Shard:
    """`I/N`, I from 1 to N. Raises UsageError."""
    first, slash, second = text.partition("/")
    if slash and _NATURAL.fullmatch(first) and _NATURAL.fullmatch(second) and 1 <= int(first) <= int(second):
        return Shard(int(first), int(second))
    raise UsageError(f"--shard {text!r}: expected I/N, with I from 1 to N, such as 3/8")


@dataclass(frozen=True)
class _Engine:
    """How an engine tells a job which of several it is."""

    name: str
    index: str
    count: str | None
    first: int
    """The index of the first."""


_ENGINES = (
    # kubernetes.io, "Indexed Job": the index alone; how many there are, the job has to say itself.
    _Engine("Kubernetes", "JOB_COMPLETION_INDEX", None, 0),
    # docs.gitlab.com, "Predefined CI/CD variables": from 1; in every job, but the index only with `parallel`.
    _Engine("GitLab", "CI_NODE_INDEX", "CI_NODE_TOTAL", 1),
    # buildkite.com, "Environment variables"
    _Engine("Buildkite", "BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0),
    # circleci.com, "Project values and variables"
    _Engine("CircleCI", "CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0),
)


def shard_of(variables: Mapping[str, str], count: int | None = None) -> tuple[Shard, str] | None:
    """The shard that an engine's variables name, and the engine; None: there is no such variable. `count`: how many shards there
    are, where that is known better. Raises UsageError for variables that can't be meant."""
    slurm = _slurm(variables, count)
    if slurm is not None:
        return slurm, "Slurm"
    for engine in _ENGINES:
        if not variables.get(engine.index):
            continue
        index = _number(variables, engine.index) - engine.first
        total = _number(variables, engine.count) if engine.count and variables.get(engine.count) else None
        return _shard(index, total, count, f"{engine.name}'s {engine.index}"), engine.name
    return None


def _slurm(variables: Mapping[str, str], count: int | None) -> Shard | None:
    """slurm.schedmd.com, "Job Array Support": the array's tasks are numbered as its user likes."""
    if not variables.get("SLURM_ARRAY_TASK_ID"):
        return None
    own = _number(variables, "SLURM_ARRAY_TASK_ID")
    total = _number(variables, "SLURM_ARRAY_TASK_COUNT") if variables.get("SLURM_ARRAY_TASK_COUNT") else count
    first = _number(variables, "SLURM_ARRAY_TASK_MIN") if variables.get("SLURM_ARRAY_TASK_MIN") else 0
    last = _number(variables, "SLURM_ARRAY_TASK_MAX") if variables.get("SLURM_ARRAY_TASK_MAX") else None
    if total is None:
        raise UsageError("SLURM_ARRAY_TASK_ID is set, but not SLURM_ARRAY_TASK_COUNT; say which shard this is: --shard I/N")
    step = (last - first) // (total - 1) if last is not None and total > 1 else 1
    if last is not None and (first + step * (total - 1) != last or step < 1 or (own - first) % step):
        raise UsageError(
            f"the Slurm array from {first} to {last} has {total} tasks, which aren't evenly spaced: which of them this is can't "
            "be told; use --array=1-N, or say it: --shard I/N"
        )
    return _shard((own - first) // step, total, count, "Slurm's SLURM_ARRAY_TASK_ID")


def _shard(index: int, total: int | None, count: int | None, where: str) -> Shard:
    if total is not None and count is not None and total != count:
        raise UsageError(f"--shards {count}, but by {where} there are {total}; say which shard this is: --shard I/N")
    total = total if total is not None else count
    if total is None:
        raise UsageError(
            f"{where} is set, but nothing says how many shards there are: --shards N (or LAYERKIT_SHARDS); if all is to be done "
            "here: --shard 1/1"
        )
    if not 0 <= index < total:
        raise UsageError(f"{where} names shard {index + 1} of {total}, which there can't be; say it: --shard I/N")
    return Shard(index + 1, total)


def _number(variables: Mapping[str, str], name: str) -> int:
    text = variables[name]
    if not _NATURAL.fullmatch(text):
        raise UsageError(f"{name}={text[:40]!r}: expected a number; say which shard this is: --shard I/N")
    return int(text)


@dataclass(frozen=True)
class Weighed:
    """One item to be done."""

    key: str
    """What it is; no two are the same."""
    size: int | None
    """Bytes; None: not known without reading."""


def members(items: Sequence[Weighed], shard: Shard) -> set[str]:
    """The keys that are the shard's: the largest first, each to the shard that has least so far. No shard has more than another
    by more than the largest item. Items of unknown size count as the median of the others."""
    known = sorted(item.size for item in items if item.size is not None)
    usual = known[len(known) // 2] if known else 1
    weights = {item.key: max(1, usual if item.size is None else item.size) for item in items}
    loads = [0] * shard.count
    counts = [0] * shard.count
    own: set[str] = set()
    for key in sorted(weights, key=lambda key: (-weights[key], key)):
        least = min(range(shard.count), key=lambda at: (loads[at], counts[at], at))
        loads[least] += weights[key]
        counts[least] += 1
        if least == shard.index - 1:
            own.add(key)
    return own


def fingerprint(items: Sequence[Weighed]) -> str:
    """Eight hex digits that are the same on machines that share the work in the same way: for people to compare."""
    text = "\n".join(sorted(f"{item.key}\0{item.size}" for item in items))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
