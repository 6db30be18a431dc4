"""What people choose about a rewrite, as they write it: `zstd:3`, `linux/arm64`. Said once, for options and for lists."""

import re
from dataclasses import dataclass

from layerkit.image.media_types import Compression

_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_.-]+(?:/[a-z0-9_.-]+)?")
_LEVELS = {Compression.GZIP: range(1, 10), Compression.ZSTD: range(1, 23)}


@dataclass(frozen=True)
class CompressionChoice:
    """`kind` None: each layer keeps the compression it has. `level` None: the encoder's default."""

    kind: Compression | None
    level: int | None = None

    def __str__(self) -> str:
        return (self.kind.value if self.kind else "keep") + (f":{self.level}" if self.level is not None else "")


KEEP = CompressionChoice(None)


def parse_compression(text: str) -> CompressionChoice:
    """`keep|gzip|zstd|none[:LEVEL]`. Raises ValueError, with words for people, as the next does."""
    name, colon, level = text.partition(":")
    choices = {"keep": None, "gzip": Compression.GZIP, "zstd": Compression.ZSTD, "none": Compression.NONE}
    if name not in choices:
        raise ValueError(f"{name!r} is not one of {', '.join(choices)}")
    kind = choices[name]
    if not colon:
        return CompressionChoice(kind)
    levels = _LEVELS.get(kind) if kind else None
    if levels is None:
        raise ValueError(f"{name!r} takes no level")
    if not level.isascii() or not level.isdigit() or int(level) not in levels:
        raise ValueError(f"a level of {name} is {levels.start} to {levels.stop - 1}, not {level!r}")
    return CompressionChoice(kind, int(level))


def parse_platform(text: str) -> str:
    """`os/architecture[/variant]`."""
    if not _PLATFORM.fullmatch(text):
        raise ValueError(f"{text!r} is not a platform; expected for example linux/amd64 or linux/arm/v7")
    return text
