"""What was measured, as Markdown for people and as JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.results import Goal, Section

_WORDS = {True: "kept", False: "**MISSED**", None: "not judged"}


def markdown(machine: Mapping[str, str], conditions: Sequence[str], sections: Sequence[Section], plot: str | None) -> str:
    """`plot`: the name of the picture beside the report."""
    goals = [goal for section in sections for goal in section.goals]
    lines = ["# Benchmarks", ""]
    lines += [", ".join(f"{name} {value}" for name, value in machine.items()), ""]
    lines += [*(f"- {condition}" for condition in conditions), ""]
    if goals:
        lines += ["## Goals", "", _verdict(goals), ""]
        lines += _table(
            ["goal", "bound", "found", ""], [[goal.what, goal.bound, goal.found, _WORDS[goal.kept]] for goal in goals]
        )
    if plot:
        lines += ["", f"![Times and sizes]({plot})"]
    for section in sections:
        lines += ["", f"## {section.title}", "", section.text, ""]
        if section.rows:
            lines += _table(section.columns, section.rows)
        if section.notes:
            lines += ["", *(f"- {note}" for note in section.notes)]
    return "\n".join(lines) + "\n"


def _verdict(goals: Sequence[Goal]) -> str:
    missed = [goal.what for goal in goals if goal.kept is False]
    judged = sum(goal.kept is not None for goal in goals)
    if missed:
        return f"{judged - len(missed)} of {judged} kept. Missed: {'; '.join(missed)}."
    return f"All {judged} that were judged are kept."


def document(machine: Mapping[str, str], conditions: Sequence[str], sections: Sequence[Section]) -> str:
    value: dict[str, Any] = {
        "machine": dict(machine),
        "conditions": list(conditions),
        "sections": [asdict(section) for section in sections],
    }
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column is text, the others are figures."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (columns, *rows)]
    widths = [max(3, *(len(row[at]) for row in cells)) for at in range(len(columns))]

    def line(row: Sequence[str]) -> str:
        aligned = [
            cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return f"| {' | '.join(aligned)} |"

    rule = ["-" * width if not at else "-" * (width - 1) + ":" for at, width in enumerate(widths)]
    return [line(cells[0]), f"| {' | '.join(rule)} |", *map(line, cells[1:])]
