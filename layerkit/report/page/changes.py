"""What the page of `diff` is drawn from. In: `Changes` of each platform. Out: values for JSON, bounded."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from layerkit.compare.changes import Changes
from layerkit.report.page.text import LINE, rows_of, shown

MOST_PLATFORMS = 40
_LISTS = ("arriving", "leaving", "packages", "layers")


def changes_document(old: str, new: str, platforms: Sequence[Changes]) -> dict[str, Any]:
    """`old` and `new`: what the images are called."""
    return {
        "old": shown(old, LINE),
        "new": shown(new, LINE),
        "platformCount": len(platforms),
        "platforms": [_platform(one) for one in platforms[:MOST_PLATFORMS]],
    }


def _platform(changes: Changes) -> dict[str, Any]:
    values = asdict(changes)
    values["platform"] = shown(changes.platform, LINE)
    values["size"] = changes.after.cost
    values["layerCount"] = len(changes.layers)
    values["files"] = rows_of([{**asdict(one), "change": one.change.value} for one in changes.files])
    for name in _LISTS:
        values[name] = rows_of(values[name])
    return values
