"""The rules, as `rules.toml` has them. In: TOML. Out: `Rules`; ValueError for what isn't written as it should be."""

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from layerkit.sizes import parse_size

_ID = re.compile(r"[a-z]+(-[a-z]+)*")
_PIECE = re.compile(r"\*\*/|\*|\[[^\]]+\]|[^*\[]+")


@dataclass(frozen=True)
class PathRule:
    """About files at certain paths."""

    id: str
    title: str
    help: str
    least: int
    """Bytes pushed, from which on it is told of."""
    below: tuple[re.Pattern[bytes], ...]
    """Of directories: all that is below them is meant."""
    named: tuple[tuple[re.Pattern[bytes], re.Pattern[bytes]], ...]
    """Of directories, and of names of files in them."""


@dataclass(frozen=True)
class Wording:
    """Of what is computed; braces are filled in."""

    title: str
    help: str


@dataclass(frozen=True)
class Rules:
    paths: tuple[PathRule, ...]
    computed: Mapping[str, Wording]


@functools.cache
def read_rules() -> Rules:
    """Those that layerkit brings."""
    return parse_rules((files(__package__) / "rules.toml").read_text())


def parse_rules(text: str) -> Rules:
    """Raises ValueError, naming the rule."""
    document = tomllib.loads(text)
    if unknown := document.keys() - {"path", "computed"}:
        raise ValueError(f"rules: expected 'path' and 'computed', found {', '.join(sorted(unknown))}")
    paths = tuple(_path_rule(fields) for fields in document.get("path", ()))
    computed = {_text(fields, "id"): _wording(fields) for fields in document.get("computed", ())}
    ids = [rule.id for rule in paths] + [_text(fields, "id") for fields in document.get("computed", ())]
    if twice := {one for one in ids if ids.count(one) > 1}:
        raise ValueError(f"rules: {', '.join(sorted(twice))}: there twice")
    return Rules(paths, computed)


def _path_rule(fields: Mapping[str, Any]) -> PathRule:
    name = _checked(fields, {"id", "title", "least", "paths", "help"})
    patterns = fields["paths"]
    if not isinstance(patterns, list) or not patterns or not all(isinstance(one, str) for one in patterns):
        raise ValueError(f"rule {name}: expected a list of patterns as its paths")
    below = tuple(_pattern(one[:-1], name) for one in patterns if one.endswith("/"))
    named = tuple(_split(one, name) for one in patterns if not one.endswith("/"))
    return PathRule(name, fields["title"], fields["help"], parse_size(fields["least"]), below, named)


def _wording(fields: Mapping[str, Any]) -> Wording:
    _checked(fields, {"id", "title", "help"})
    return Wording(fields["title"], fields["help"])


def _checked(fields: Mapping[str, Any], keys: set[str]) -> str:
    name = _text(fields, "id")
    if not _ID.fullmatch(name):
        raise ValueError(f"rule {name!r}: expected an id of small letters and hyphens")
    if fields.keys() != keys:
        raise ValueError(f"rule {name}: expected {', '.join(sorted(keys))}, found {', '.join(sorted(fields))}")
    for key in keys - {"paths"}:
        _text(fields, key)
    return name


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"rules: expected text as {key}, found {value!r}")
    return value


def _split(pattern: str, name: str) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Of the directory, and of the name in it."""
    above, slash, last = pattern.rpartition("/")
    if above == "**":
        return re.compile(rb".*", re.DOTALL), _pattern(last, name)
    return _pattern(above, name) if slash else re.compile(rb""), _pattern(last, name)


def _pattern(pattern: str, name: str) -> re.Pattern[bytes]:
    if not pattern or pattern.startswith("/") or "//" in pattern or "**" in pattern.replace("**/", ""):
        raise ValueError(f"rule {name}: expected a path from the root, found {pattern!r}")
    found = []
    for piece in _PIECE.findall(pattern):
        if piece == "**/":
            found.append(r"(?:[^/]+/)*")
        elif piece == "*":
            found.append(r"[^/]*")
        elif piece.startswith("["):
            found.append(piece)
        else:
            found.append(re.escape(piece))
    return re.compile("".join(found).encode(), re.DOTALL)
