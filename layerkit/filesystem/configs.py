"""The parts of two configs that must be the same.

In: two configs. Out: the differences: everything but `rootfs.diff_ids` and `history`, and of the history what splitting a layer
may not change: its empty lines, and the order of what was done.
"""

import json
from collections.abc import Mapping
from typing import Any

from layerkit.filesystem.difference import ABSENT, Difference
from layerkit.image.manifest import Config, History

_LAYERED = ("rootfs", "history")
_LONG = 200


def compare_configs(before: Config, after: Config) -> list[Difference]:
    """What differs between two configs over possibly different layers."""
    found: list[Difference] = []
    _compare_objects("", _without(before.fields), _without(after.fields), found)
    _compare_objects("rootfs.", _rootfs(before), _rootfs(after), found)
    left, right = _lines(before.history), _lines(after.history)
    if left != right:
        number = next((at for at, (one, other) in enumerate(zip(left, right, strict=False)) if one != other), None)
        at = min(len(left), len(right)) if number is None else number
        found.append(Difference("config", f"history line {at + 1}", _at(left, at), _at(right, at)))
    if _layers_told(before) and not _layers_told(after):
        told = sum(not line.empty_layer for line in after.history)
        found.append(
            Difference("config", "history", "a line for each layer", f"{told} lines of layers for {len(after.diff_ids)} diff_ids")
        )
    return sorted(found)


def _without(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in _LAYERED}


def _rootfs(config: Config) -> dict[str, Any]:
    return {key: value for key, value in (config.fields.get("rootfs") or {}).items() if key != "diff_ids"}


def _compare_objects(prefix: str, before: Mapping[str, Any], after: Mapping[str, Any], found: list[Difference]) -> None:
    """Objects within objects are compared key by key, to name what changed and not all beside it."""
    for key in sorted(before.keys() | after.keys()):
        one, other = before.get(key), after.get(key)
        if one == other and (key in before) == (key in after):
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            _compare_objects(f"{prefix}{key}.", one, other, found)
        else:
            values = (_text(side[key]) if key in side else ABSENT for side in (before, after))
            found.append(Difference("config", f"{prefix}{key}", *values))


def _lines(history: tuple[History, ...]) -> list[dict[str, Any]]:
    """The history without what a split may add: lines of layers lose their comment, and equal ones in a row count as one."""
    lines: list[dict[str, Any]] = []
    for line in history:
        fields = dict(line.fields) if line.empty_layer else {key: line.fields[key] for key in line.fields if key != "comment"}
        if line.empty_layer or not lines or lines[-1] != fields:
            lines.append(fields)
    return lines


def _layers_told(config: Config) -> bool:
    """Does the history, if there is one, have a line for each layer? moby refuses an image with more."""
    return not config.history or sum(not line.empty_layer for line in config.history) == len(config.diff_ids)


def _at(lines: list[dict[str, Any]], number: int) -> str:
    return _text(lines[number]) if number < len(lines) else ABSENT


def _text(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= _LONG else f"{text[:_LONG]}... ({len(text):,} characters)"
