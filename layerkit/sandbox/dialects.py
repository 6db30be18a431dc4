"""The dialects that the sandbox speaks: `dialects.toml`, as `Limits`."""

import pkgutil
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from layerkit.sandbox.limits import Fault, Limits, Said, Shown
from layerkit.sizes import parse_size


@dataclass(frozen=True)
class Dialect:
    name: str
    title: str
    """What is special about it."""
    sources: tuple[str, ...]
    limits: Limits


@cache
def dialects() -> dict[str, Dialect]:
    """By name, in the order of the file."""
    data = pkgutil.get_data("layerkit.sandbox", "dialects.toml")
    assert data is not None
    return {name: _dialect(name, table) for name, table in tomllib.loads(data.decode()).items()}


def _dialect(name: str, table: dict[str, Any]) -> Dialect:
    title, sources = table.pop("title"), tuple(table.pop("sources"))
    return Dialect(name, title, sources, Limits(**{field: _value(field, value) for field, value in table.items()}))


def _value(field: str, value: Any) -> Any:
    """As `Limits` has it."""
    if field == "shown":
        return Shown(value)
    if field == "faults":
        return tuple(map(Fault.parse, value))
    if isinstance(value, dict):
        return Said(**value)
    return parse_size(value) if isinstance(value, str) else value
