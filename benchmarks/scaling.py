"""Cost against the layer's size, the number of its entries, and the number of cores."""

import io
import os
import statistics
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import commands, scanning
from benchmarks.contest import Contender, Outcome, Result, Rules, Stage, alternate
from benchmarks.material import Material, packed, sample_of
from benchmarks.measuring import FailedError, Run
from benchmarks.results import Bar, Curve, Goal, Section, cell, memory_goal, named, problems, race_data
from benchmarks.scanning import PLANNED, WAYS
from layerkit.report.sizes import format_size

SHARES = (1 / 8, 1 / 4, 1 / 2, 1)
"""Of half the layer, or of LARGEST_SAMPLE if that is less; the fifth size is the whole layer."""
LARGEST_SAMPLE = 400_000_000
LEAST_LIMIT = 200_000
"""Bytes: below, directories that are repeated would be much of a part."""

ENTRIES = 300_000
ENTRY_SHARES = (1 / 30, 1 / 10, 1 / 3, 1)
_BYTES_PER_ENTRY = 300
_ENTRIES_PER_DIRECTORY = 50
SCAN_GOAL = 3.0
"""Seconds for 300,000 entries."""


def part_limit(material: Material) -> int:
    """About four parts, as for a layer of 3.2 GB at 1 GB."""
    return max(material.size * 10 // 32, LEAST_LIMIT)


def _fixes(material: Material) -> list[Contender]:
    limit = part_limit(material)
    return [
        commands.floor(material.layer),
        commands.fix(material.oci, limit, commands.FIX_UNPROVEN, "--no-verify", "--allow-oversized"),
        commands.fix(material.oci, limit, commands.FIX, "--allow-oversized"),
    ]


def sizes(material: Material, rules: Rules, whole: Sequence[Result]) -> Section:
    """`whole`: results of the whole layer, if they are known already."""
    steps = [int(min(material.raw_size // 2, LARGEST_SAMPLE) * share) for share in SHARES]
    materials = [sample_of(material, step, rules) for step in steps]
    races: list[tuple[Material, Sequence[Result]]] = []
    for one in materials:
        contenders = [*_fixes(one), commands.recompress(one.layer, "gzip -6", commands.RECOMPRESS, once=True)]
        title = f"sizes, {format_size(one.raw_size)}"
        races.append((one, alternate(title, contenders, rules, inputs=[one.oci, one.layer])))
    races.append(
        (material, whole or alternate("sizes, all of it", _fixes(material), rules, inputs=[material.oci, material.layer]))
    )
    names = [commands.FLOOR, commands.FIX_UNPROVEN, commands.FIX, commands.RECOMPRESS]
    return Section(
        "sizes",
        "Cost against the layer's size",
        "The first members of the same layer, split into about four parts.",
        ["layer as tar", "as gzip", "entries", *names],
        [
            [
                format_size(one.raw_size),
                format_size(one.size),
                f"{one.entries:,}",
                *(cell(named(list(found), name)) for name in names),
            ]
            for one, found in races
        ],
        [memory_goal([result for _, found in races for result in found], "any size")],
        curves=_curves([(one.raw_size / 1e9, found) for one, found in races], names),
        axes=("GB of tar", "seconds"),
        notes=[note for one, found in races for note in problems(found, f"{format_size(one.raw_size)}: ")],
        data=[{"layer": one.facts(), "results": race_data(list(found))} for one, found in races],
    )


def entries(rules: Rules, most: int) -> Section:
    """`most`: entries of the largest layer."""
    races: list[tuple[int, list[Result]]] = []
    scans: list[tuple[int, list[Result]]] = []
    for share in ENTRY_SHARES:
        count = max(int(most * share), 1)
        folder = rules.work / f"entries-{count}"
        material = packed(folder, lambda path, count=count: write_entries(path, count), rules.say)  # type: ignore[misc]  # mypy can't infer a lambda's default
        raw = folder / "layer.tar"
        scans.append((count, alternate(f"{count:,} entries", [_scan(way, raw) for way in WAYS], rules, inputs=[raw])))
        races.append((count, alternate(f"{count:,} entries", _fixes(material), rules, inputs=[material.oci])))
    fixes = [commands.FIX_UNPROVEN, commands.FIX]
    rows = []
    for (count, scanned), (_, fixed) in zip(scans, races, strict=True):
        scan_cells = [_scan_cell(named(scanned, _scan_name(way))) for way in WAYS]
        rows.append([f"{count:,}", *scan_cells, *(cell(named(fixed, name)) for name in fixes)])
    return Section(
        "entries",
        "Cost against the number of entries",
        f"Files of {_BYTES_PER_ENTRY} bytes, {_ENTRIES_PER_DIRECTORY} in a directory. Scanning is timed without Python's start; "
        "`fix` is the whole command, with about four parts.",
        ["entries", *(f"scan {way}" for way in WAYS), *fixes],
        rows,
        [
            _scan_goal(f"scanning {most:,} entries", named(scans[-1][1], _scan_name("as a stream")), most),
            _scan_goal(f"scanning {most:,} entries, with all decisions", named(scans[-1][1], _scan_name(PLANNED)), most),
            memory_goal([result for _, results in races for result in results], "any number of entries"),
        ],
        curves=[
            *(
                Curve(
                    f"scan {way}",
                    [
                        (count / 1000, value)
                        for count, results in scans
                        if (value := _scan_seconds(named(results, _scan_name(way))))
                    ],
                )
                for way in WAYS
            ),
            *_curves([(count / 1000, results) for count, results in races], fixes),
        ],
        axes=("thousand entries", "seconds"),
        notes=[note for count, results in (*scans, *races) for note in problems(results, f"{count:,} entries: ")],
        data=[
            {"entries": count, "scans": race_data(scanned), "fixes": race_data(fixed)}
            for (count, scanned), (_, fixed) in zip(scans, races, strict=True)
        ],
    )


def cores(whole: Material, rules: Rules) -> Section | None:
    """`fix` of both archives on 1, 2, 4 ... cores; None on a machine with one."""
    material = sample_of(whole, min(whole.raw_size // 2, LARGEST_SAMPLE), rules)
    limit = part_limit(material)
    there = len(os.sched_getaffinity(0))
    counts = sorted({1 << step for step in range(there.bit_length()) if 1 << step <= there} | {there})
    if there == 1:
        return None
    contenders = []
    for count in counts:
        options = {"nowhere": True, "jobs": count, "cores": count}
        contenders += [
            commands.fix(material.oci, limit, f"layerkit fix, gzip, {count} cores", "--allow-oversized", **options),  # type: ignore[arg-type]  # a mixed dict
            commands.fix(material.docker, limit, f"layerkit fix, tar, {count} cores", "--allow-oversized", **options),  # type: ignore[arg-type]  # a mixed dict
        ]
    results = alternate("cores", contenders, rules, inputs=[material.oci, material.docker])
    rows = []
    for count in counts:
        gzip, tar = (named(results, f"layerkit fix, {kind}, {count} cores") for kind in ("gzip", "tar"))
        memory = max((one.peak_memory for one in (gzip, tar) if one is not None and one.is_measured), default=0)
        rows.append([str(count), cell(gzip), cell(tar), format_size(memory)])
    return Section(
        "cores",
        "Cost against the number of cores",
        f"`fix` with the proof, to nowhere, of {format_size(material.raw_size)} as tar; on so many cores only.",
        ["cores", "gzip layer", "uncompressed layer", "peak memory"],
        rows,
        [memory_goal(results, "any number of cores")],
        bars=[Bar(one.name, one.seconds, True) for one in results if one.is_measured],
        notes=problems(results),
        data=race_data(results),
    )


def write_entries(path: Path, count: int) -> None:
    """A tar of `count` entries, directories included."""
    data = (b"def function(argument):\n    return argument\n" * 10)[:_BYTES_PER_ENTRY]
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for number in range(count):
            directory = f"usr/lib/python3/dist-packages/package_{number // _ENTRIES_PER_DIRECTORY:05d}"
            member = tarfile.TarInfo(directory)
            member.mtime = 1_700_000_000
            if number % _ENTRIES_PER_DIRECTORY == 0:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(member)
                continue
            member.name = f"{directory}/module_{number:06d}.py"
            member.size = len(data)
            archive.addfile(member, io.BytesIO(b"# %06d\n" % number + data[8:] + b"\n"))


def _scan_name(way: str) -> str:
    return f"scan {way}" if "Python" in way else f"layerkit scan {way}"


def _scan(way: str, raw: Path) -> Contender:
    def judge(stage: Stage, run: Run) -> Outcome:
        words = run.output.split()
        if len(words) != 2:
            raise FailedError(f"expected seconds and entries, found {run.output!r}")
        return Outcome("", int(words[1]), 0)

    return Contender(_scan_name(way), lambda stage: [sys.executable, scanning.__file__, way, str(raw)], judge)


def _scan_seconds(result: Result | None) -> float | None:
    """As the scan timed itself."""
    if result is None or not result.is_measured:
        return None
    return statistics.median(float(one.output.split()[0]) for one in result.runs)


def _scan_goal(what: str, result: Result | None, entries: int) -> Goal:
    """In proportion for fewer than ENTRIES."""
    found, bound = _scan_seconds(result), SCAN_GOAL * entries / ENTRIES
    if found is None:
        return Goal(what, f"≤ {bound:.2g} s", "not measured", None)
    return Goal(what, f"≤ {bound:.2g} s", f"{found:.2f} s", found <= bound)


def _scan_cell(result: Result | None) -> str:
    found = _scan_seconds(result)
    return "not measured" if found is None else f"{found:.2f} s"


def _curves(points: Sequence[tuple[float, Sequence[Result]]], names: Sequence[str]) -> list[Curve]:
    curves = []
    for name in names:
        found = [(at, one.seconds) for at, results in points for one in results if one.name == name and one.is_measured]
        if found:
            curves.append(Curve(name, found))
    return curves
