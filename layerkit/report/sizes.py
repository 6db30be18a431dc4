"""Sizes and times as people write them: decimal units (1 GB is 1,000,000,000 bytes), as registries and `docker images` count."""

import re

from layerkit.image.foreign import MAX_LENGTH

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:([kmgt])(i?))?b?", re.IGNORECASE)
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4}


def format_size(count: int | float) -> str:
    """Three significant digits: `0 B`, `532 B`, `12.8 kB`, `1.05 GB`."""
    value, unit = float(count), 0
    while abs(value) >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    if unit == 0:
        return f"{value:.0f} B"
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f} {_UNITS[unit]}"


def parse_size(text: str) -> int:
    """Bytes of `1GB`, `512MB`, `1GiB`, `1.5G`, `1000000`: K, M, G, T are decimal, Ki, Mi, Gi, Ti binary. Raises ValueError, for
    people, when it is something else or less than one byte."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size; expected a number of bytes, or one with a unit such as 1GB, 512MB, 1GiB")
    number, unit, binary = match.groups()
    exact = float(number) * ((1024 if binary else 1000) ** _POWERS[unit.lower()] if unit else 1)
    if exact > MAX_LENGTH:
        raise ValueError(f"{text[:40]!r} is more than any file has")
    size = int(exact)
    if size < 1:
        raise ValueError(f"{text!r} is less than one byte")
    return size


def format_seconds(seconds: float) -> str:
    """`4 s`, `2 min 05 s`, `1 h 02 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def format_share(part: int, whole: int) -> str:
    """`37 %`; `<1 %` for what is there but rounds to nothing."""
    if whole <= 0 or part <= 0:
        return "0 %"
    share = 100 * part / whole
    return "<1 %" if share < 0.5 else f"{share:.0f} %"
