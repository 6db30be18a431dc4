"""Sizes as people write them. Decimal units unless they say otherwise (1 GB is 1,000,000,000 bytes), as registries and
`docker images` count."""

import re

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:([kmgt])(i?))?b?", re.IGNORECASE)
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4}
_MOST = (1 << 63) - 1
"""Bytes: what files and Go's readers know."""

_LONGEST = 32
"""Characters. What is longer is no size that anybody means."""


def parse_size(text: str) -> int:
    """Bytes of `1GB`, `512MB`, `1GiB`, `1.5G`, `1000000`: K, M, G, T are decimal, Ki, Mi, Gi, Ti binary. Raises ValueError, for
    people, when it is something else or less than one byte."""
    match = _SIZE.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None:
        raise ValueError(f"{text!r} is not a size; expected a number of bytes, or one with a unit such as 1GB, 512MB, 1GiB")
    number, unit, binary = match.groups()
    exact = float(number) * ((1024 if binary else 1000) ** _POWERS[unit.lower()] if unit else 1)
    if exact > _MOST:
        raise ValueError(f"{text[:40]!r} is more than any file has")
    size = int(exact)
    if size < 1:
        raise ValueError(f"{text!r} is less than one byte")
    return size


_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(bit|b)(?:/s|ps)?", re.IGNORECASE)


def parse_rate(text: str) -> float:
    """Bytes per second of `50Mbit`, `1.5 Gbit/s`, `100kbps`, `10MB`, `10MB/s`. `b` alone is bytes, but for `bps`. Raises
    ValueError, for people, when it is something else or none."""
    match = _RATE.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None:
        raise ValueError(f"{text[:40]!r} is no rate; expected one such as 50Mbit, 1Gbit/s, 10MB/s")
    number, unit, name = match.groups()
    bits = name.lower() == "bit" or text.strip().lower().endswith("bps")
    rate: float = float(number) * 1000 ** _POWERS.get(unit.lower(), 0) / (8 if bits else 1)
    if not 1 <= rate <= _MOST:
        raise ValueError(f"{text[:40]!r} is no rate of a line")
    return rate
