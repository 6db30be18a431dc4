"""What is asked of a rewrite. A profile gives the defaults, the user the rest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from layerkit.errors import UsageError
from layerkit.image.blob import Blob
from layerkit.image.digest import Digest
from layerkit.image.manifest import Descriptor
from layerkit.image.media_types import Compression, Family
from layerkit.profiles import Profile

MIN_LIMIT = 64 << 10
"""Bytes. Below, headers and repeated directories would be most of a layer; no registry has a limit near it."""


class Known(NamedTuple):
    """A layer that the target has, by what is said of it: a new one of the same content needn't be sent."""

    descriptor: Descriptor
    blob: Blob
    is_proven: Callable[[], bool]
    """Has that very blob been decoded, and found to be what is said of it? Asked before it takes another's place; the answer may
    take as long as reading it."""


@dataclass(frozen=True)
class FixOptions:
    max_layer_size: int
    """Bytes of the compressed blob."""
    compression: Compression | None = None
    """What layers are compressed with; None: as they are, where the target takes that, gzip otherwise."""
    level: int | None = None
    """Of newly encoded layers."""
    accepted: frozenset[Compression] = frozenset({Compression.GZIP, Compression.ZSTD})
    """What layers may stay compressed with."""
    family: Family | None = None
    """Media types to convert to; None: each manifest keeps its own."""
    platforms: tuple[str, ...] = ()
    """`os/architecture[/variant]` to keep; none: all."""
    keep_attestations: bool = False
    collapse_index: bool = True
    """An index of one manifest becomes that manifest."""
    allow_oversized: bool = False
    proven: bool = True
    """Are the filesystems that new layers give compared with the old ones'?"""
    jobs: int | None = None
    """Threads that encode; the number of cores by default."""
    limits: Mapping[Digest, int] = field(default_factory=dict)
    """Layer -> a limit of its own, below the others': layers that an edge keeps timing out on."""

    keeps_times: bool = False
    """Layers that are split are parts already: theirs repeat directories as they are, and need no layer of directory times."""

    known: Mapping[Digest, Known] = field(default_factory=dict)
    """diff_id -> a layer of that content which the target is said to have already."""

    def limit_of(self, digest: Digest) -> int:
        return min(self.limits.get(digest, self.max_layer_size), self.max_layer_size)


def options_for(
    profile: Profile,
    *,
    max_layer_size: int | None = None,
    compression: Compression | None = None,
    level: int | None = None,
    family: Family | None = None,
    platforms: tuple[str, ...] = (),
    keep_attestations: bool = False,
    allow_oversized: bool = False,
    proven: bool = True,
    jobs: int | None = None,
) -> FixOptions:
    """The profile's options with the user's in their place. Raises UsageError for a limit below MIN_LIMIT."""
    limit = profile.max_layer_size if max_layer_size is None else max_layer_size
    if limit < MIN_LIMIT:
        raise UsageError(f"--max-layer-size {limit:,}: expected at least {MIN_LIMIT:,} bytes")
    return FixOptions(
        max_layer_size=limit,
        compression=compression,
        level=level,
        accepted=profile.compressions - {Compression.NONE},
        family=family or profile.family,
        platforms=platforms,
        keep_attestations=keep_attestations or profile.attestations,
        collapse_index=profile.collapse_index,
        allow_oversized=allow_oversized,
        proven=proven,
        jobs=jobs,
    )
