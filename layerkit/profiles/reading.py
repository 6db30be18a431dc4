"""Profiles as TOML.

In: a document of tables, one a profile, and profiles to begin from. Out: `Profile`s. A value stands alone, or in a table with its
source and date:

    [mine]
    hosts = ["registry.example.com", "*.registry.example.com"]
    max_layer_size = { value = "2GB", source = "https://example.com/limits", date = 2026-11-26 }
    upload.way = "whole"

What isn't said is as in the profile named by `like`, as in the one of the same name that it replaces, or as in `generic`. Raises
UsageError that names the file, the profile, the field, what was expected and what was found.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import date
from enum import Enum
from typing import Any, TypeVar

from layerkit.errors import UsageError
from layerkit.image.media_types import Compression, Family
from layerkit.profiles.profile import Figure, Profile
from layerkit.profiles.upload import UploadRules, Way
from layerkit.sizes import parse_size

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_HOST = re.compile(r"[a-z0-9.*-]{1,253}")
_FIGURE = {"value", "source", "date"}

Member = TypeVar("Member", bound=Enum)


class _WrongError(ValueError):
    """`expected`, for people."""


def profiles_in(text: str, where: str, begin: Mapping[str, Profile]) -> dict[str, Profile]:
    """The document's profiles by name. `where`: what messages call it; `begin`: profiles that may be built upon; without
    any, the document's first is `generic` and says everything. Raises UsageError."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also for numbers of thousands of digits
        raise UsageError(f"{where}: expected TOML: {error}") from None
    found = dict(begin)
    own = {}
    for name, table in document.items():
        if not isinstance(table, dict) or not _NAME.fullmatch(name):
            raise UsageError(f"{where}: expected tables named like [my-registry], found {name!r}")
        own[name] = found[name] = _profile(name, table, where, found)
    return own


def _profile(name: str, table: dict[str, Any], where: str, found: Mapping[str, Profile]) -> Profile:
    like = table.pop("like", name if name in found else "generic")
    if not isinstance(like, str) or (like not in found and found):
        raise UsageError(f"{where}: {name}.like: expected one of {', '.join(found)}, found {like!r:.80}")
    figures: dict[str, Figure] = {}
    given = _values(table, _PROFILE, f"{where}: {name}", "", figures)
    upload = _values(table.get("upload", {}), _UPLOAD, f"{where}: {name}", "upload.", figures)
    if not found:  # the first of all says everything
        return Profile(name=name, figures=figures, upload=UploadRules(**upload), **given)
    base = found[like]
    said = {*given, *(f"upload.{field}" for field in upload)}
    inherited = {field: figure for field, figure in base.figures.items() if field not in said}
    if like != name:  # a registry of its own
        given = {"hosts": (), "title": name, "note": "", **given}
    return replace(base, name=name, figures={**inherited, **figures}, upload=replace(base.upload, **upload), **given)


def _values(
    table: object, readers: Mapping[str, Callable[[Any], Any]], where: str, prefix: str, figures: dict[str, Figure]
) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise UsageError(f"{where}.{prefix[:-1]}: expected a table, found {table!r:.80}")
    values = {}
    for key, value in table.items():
        field = prefix + key
        if key == "upload" and not prefix:
            continue
        if key not in readers:
            raise UsageError(f"{where}.{field}: there is no such field; expected one of {', '.join(readers)}")
        if isinstance(value, dict):
            if "value" not in value or set(value) - _FIGURE:
                raise UsageError(f"{where}.{field}: expected a value, or {{ value, source, date }}, found {value!r:.80}")
            figures[field] = _figure(value, f"{where}.{field}")
            value = value["value"]
        try:
            values[key] = readers[key](value)
        except ValueError as error:
            raise UsageError(f"{where}.{field}: expected {error}, found {value!r:.80}") from None
    return values


def _figure(table: Mapping[str, Any], where: str) -> Figure:
    source, read = table.get("source", ""), table.get("date")
    if not isinstance(source, str):
        raise UsageError(f"{where}.source: expected a text, found {source!r:.80}")
    if read is not None and type(read) is not date:
        raise UsageError(f"{where}.date: expected a date as 2026-11-26, found {read!r:.80}")
    return Figure(source, read)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise _WrongError("a text of one line")
    return value


def _helper(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*|", value):
        raise _WrongError("a helper's name, without docker-credential-")
    return value


def _yes(value: object) -> bool:
    if not isinstance(value, bool):
        raise _WrongError("true or false")
    return value


def _size(value: object) -> int:
    if isinstance(value, str):
        try:
            return parse_size(value)
        except ValueError:
            pass
    elif isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 63:
        return value
    raise _WrongError('a size such as "500MB" or 500_000_000')


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1_000_000:
        return value
    raise _WrongError("a whole number from 1 to 999,999")


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1_000_000:
        return float(value)
    raise _WrongError("a number of seconds")


def _one_of(kind: type[Member]) -> Callable[[object], Member]:
    def read(value: object) -> Member:
        try:
            return kind(value)
        except ValueError:
            raise _WrongError(f"one of {', '.join(repr(member.value) for member in kind)}") from None

    return read


def _some_of(kind: type[Member]) -> Callable[[object], frozenset[Member]]:
    one = _one_of(kind)

    def read(value: object) -> frozenset[Member]:
        if not isinstance(value, list) or not value:
            raise _WrongError(f"a list of some of {', '.join(repr(member.value) for member in kind)}")
        return frozenset(map(one, value))

    return read


def _hosts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(host, str) and _HOST.fullmatch(host.lower()) for host in value):
        raise _WrongError('a list of host names without port, as ["registry.example.com", "*.example.com"]')
    return tuple(host.lower() for host in value)


_PROFILE: dict[str, Callable[[Any], Any]] = {
    "title": _text,
    "hosts": _hosts,
    "note": _text,
    "max_layer_size": _size,
    "max_layers": _count,
    "max_manifest_size": _size,
    "families": _some_of(Family),
    "compressions": _some_of(Compression),
    "attestations": _yes,
    "artifacts": _yes,
    "indexes": _yes,
    "collapse_index": _yes,
    "creates_repositories": _yes,
    "parallel": _count,
    "commit_seconds": _count,
    "login": _text,
    "helper": _helper,
}
_UPLOAD: dict[str, Callable[[Any], Any]] = {
    "way": _one_of(Way),
    "chunk_size": _size,
    "max_body": _size,
    "max_seconds": _seconds,
}
assert set(_PROFILE) | {"name", "upload", "figures"} == {field.name for field in fields(Profile)}
assert set(_UPLOAD) == {field.name for field in fields(UploadRules)}
