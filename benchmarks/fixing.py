"""`fix` against the floor and against recompressing; `inspect` of a large archive."""

import json

from benchmarks import commands
from benchmarks.archives import write_sparse_archive
from benchmarks.contest import Contender, Outcome, Result, Rules, Stage, alternate
from benchmarks.material import Material, sample_of
from benchmarks.measuring import Run
from benchmarks.results import (
    RACE_COLUMNS,
    Goal,
    Section,
    memory_goal,
    named,
    problems,
    race_bars,
    race_data,
    race_rows,
    ratio_goal,
)
from layerkit.report.sizes import format_size

GROWTH = 1.005
"""What the compressed total may grow by."""

RECOMPRESSED = 1_500_000_000
"""Bytes of tar above which recompressing takes minutes, and is measured on SAMPLE bytes unless the slow way is asked for."""
SAMPLE = 400_000_000

INSPECTED = 10_000_000_000
"""Bytes of the archive that `inspect` is timed on."""


def race(material: Material, limit: int, rules: Rules) -> list[Result]:
    part, scale, of = material, 1.0, ""
    if material.raw_size > RECOMPRESSED and not rules.slow:
        part = sample_of(material, SAMPLE, rules)
        scale = material.raw_size / part.raw_size
        of = f" (reckoned from the first {format_size(part.raw_size)})"
    contenders = [
        commands.floor(material.layer),
        commands.fix(material.oci, limit, commands.FIX_NOWHERE, "--no-verify", nowhere=True),
        commands.fix(material.oci, limit, commands.FIX_UNPROVEN, "--no-verify"),
        commands.fix(material.oci, limit, commands.FIX),
        commands.recompress(part.layer, "gzip -6", commands.RECOMPRESS + of, scale=scale),
        commands.recompress(part.layer, "pigz -6", commands.RECOMPRESS_PIGZ + of, scale=scale),
    ]
    return alternate("fix", contenders, rules, inputs=[material.oci, material.layer])


def section(material: Material, limit: int, results: list[Result]) -> Section:
    floor = named(results, commands.FLOOR)
    fixed = named(results, commands.FIX)
    return Section(
        "fix",
        f"Splitting a gzip layer of {format_size(material.size)} at {format_size(limit)}",
        "`fix` reads an OCI archive with an attestation and writes the fixed one to a file or to nowhere. "
        "`igzip -d` of the layer to nowhere is the floor: inflating it once. gunzip | gzip and gunzip | pigz are what every tool "
        "that recompresses has to do at least; they don't split.",
        RACE_COLUMNS,
        race_rows(results, reference=floor),
        [
            ratio_goal("`fix --no-verify`, to a file, against `igzip -d`", 1.5, named(results, commands.FIX_UNPROVEN), floor),
            ratio_goal("`fix --no-verify`, to nowhere, against `igzip -d`", 1.5, named(results, commands.FIX_NOWHERE), floor),
            ratio_goal("`fix` with the proof, to a file, against `igzip -d`", 2.5, fixed, floor),
            _growth(material, fixed),
            memory_goal(results, "`fix`"),
        ],
        bars=race_bars(results),
        notes=problems(results),
        data=race_data(results),
    )


def _growth(material: Material, fixed: Result | None) -> Goal:
    what = "size of the parts together against the layer's"
    if fixed is None or fixed.outcome is None:
        return Goal(what, f"≤ {GROWTH} x", "not measured", None)
    ratio = fixed.outcome.size / material.size
    return Goal(what, f"≤ {GROWTH} x", f"{ratio:.5f} x", ratio <= GROWTH)


def inspect(rules: Rules) -> Section:
    """An archive of 10 GB, of which only the headers take room on the disk."""
    archive = rules.work / "sparse.tar"
    write_sparse_archive(INSPECTED, archive)
    command = (*commands.LAYERKIT, "inspect", "-q", "--json", str(archive))

    def judge(stage: Stage, run: Run) -> Outcome:
        document = json.loads(run.output)
        return Outcome(document["digest"], 1, document["size"])

    results = alternate("inspect", [Contender("layerkit inspect", lambda stage: command, judge)], rules, inputs=[])
    archive.unlink()
    (result,) = results
    found = f"{result.seconds:.2f} s" if result.is_measured else "not measured"
    return Section(
        "inspect",
        "Looking at an archive of 10 GB",
        "The whole command, Python's start included. The layer is a hole in the file.",
        RACE_COLUMNS,
        race_rows(results),
        [
            Goal("`inspect` of a 10 GB archive", "< 0.5 s", found, result.seconds < 0.5 if result.is_measured else None),
            memory_goal(results, "`inspect`"),
        ],
        notes=problems(results),
        data=race_data(results),
    )
