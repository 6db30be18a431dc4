"""What others wrote, read within bounds: JSON, numbers, web addresses.

In: bytes or text of a file, a registry's answer, a setting. Out: values that are safe to work with, or ForeignError that says
what is wrong; whoever calls adds where. The bounds are far beyond what real images and registries have, and low enough that
nothing written on purpose costs more than 200 MB or a second: a document of 16 MiB that is all brackets would take gigabytes.
"""

import json
import math
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit

MAX_DOCUMENT = 16 << 20
"""Bytes of a JSON document. Registries stop manifests at 4 MiB (distribution-spec, "Pushing Manifests"); real configs stay below
one; the `index.json` of a layout with 20,000 names has 6."""

MAX_VALUES = 500_000
"""Values in a document, as counted by its commas and opening brackets: strings may hold some, which does no harm."""

MAX_NESTING = 64
"""Containers within each other. Image documents need 7."""

MAX_DIGITS = 20
"""Of a whole number in JSON: 64 bits have at most 20."""

MAX_LENGTH = (1 << 63) - 1
"""The largest size or offset that files and Go's readers know, in bytes."""


class ForeignError(ValueError):
    """What is wrong with it, in words that fit behind `found`; they quote its beginning."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line
        """Where it is no JSON, from 1; 0 when that isn't it."""


def read_json(data: bytes, *, limit: int = MAX_DOCUMENT, unique: bool = False) -> Any:
    """The value of a JSON text in UTF-8 (RFC 8259). Raises ForeignError.

    `limit`: bytes. `unique`: an object that has a key twice is refused, as readers don't agree on what it says. Bytes that aren't
    UTF-8 become U+FFFD, as with Go's encoding/json."""
    if len(data) > limit:
        raise ForeignError(f"{len(data):,} bytes, more than {limit:,}")
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_VALUES:
        raise ForeignError(f"more than {MAX_VALUES:,} values")
    try:
        value = json.loads(
            data.decode("utf-8-sig", "replace"),
            parse_int=_whole,
            parse_float=_fraction,
            parse_constant=_no_number,
            object_pairs_hook=_unique if unique else None,
        )
    except RecursionError:
        raise ForeignError(f"objects nested more than {MAX_NESTING} deep") from None
    except json.JSONDecodeError as error:
        shown = f"{data[:40]!r}" if len(data) > 40 else f"{data!r}"
        raise ForeignError(f"{shown} ({error.msg}, line {error.lineno}, column {error.colno})", error.lineno) from None
    _check_nesting(value)
    return value


def natural(text: str | bytes | None, most: int = MAX_LENGTH) -> int | None:
    """A number written in decimal digits, from 0 to `most`; None for anything else."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    if text is None or not text.isascii() or not text.isdigit():
        return None
    digits = text.lstrip("0") or "0"
    value = int(digits[:MAX_DIGITS])
    return value if len(digits) <= MAX_DIGITS and value <= most else None


def web_address(text: str) -> SplitResult | None:
    """An http or https URL with a host, and with a port that can be; None for anything else."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for one that can't be
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.hostname else None


def kind_of(value: object) -> str:
    """What a JSON value is, for messages."""
    if value is None:
        return "null"
    names: dict[type, str] = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return names.get(type(value), "a number")


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ForeignError(f"a number of {len(digits):,} digits")
    return int(digits)


def _fraction(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ForeignError(f"a number that is too large ({digits[:40]})")
    return value


def _no_number(name: str) -> NoReturn:
    raise ForeignError(f"{name}, which is no number in JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # None is what it is for
        raise ForeignError(f"the key {twice!r} twice in one object")
    return found


def _check_nesting(value: object) -> None:
    level = [value]
    for _ in range(MAX_NESTING):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ForeignError(f"objects nested more than {MAX_NESTING} deep")
