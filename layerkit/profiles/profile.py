"""A profile: what is known of one registry, as types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from layerkit.image.media_types import Compression, Family
from layerkit.profiles.upload import UploadRules


@dataclass(frozen=True)
class Figure:
    """Where a value of a profile comes from."""

    source: str
    date: date | None
    """When it was read there; None: the user's own, who needn't say."""


@dataclass(frozen=True)
class Profile:
    """Limits are in bytes of the compressed blob: the thing that is pushed."""

    name: str
    title: str
    """What people call it."""
    hosts: tuple[str, ...]
    """Host names without port, in lower case; `*` stands for any characters."""
    max_layer_size: int
    """Layers above this are split unless the user says otherwise."""
    families: frozenset[Family]
    """What it is known to take."""
    compressions: frozenset[Compression]
    attestations: bool
    """Does it take them?"""
    collapse_index: bool
    """Is an index of one platform pushed as that platform's manifest?"""
    parallel: int
    """Blobs uploaded at a time."""
    commit_seconds: int
    """How long a commit may take at the registry after the edge gave up waiting for it."""
    upload: UploadRules
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """Field (`upload.max_body`) -> where its value comes from."""

    @property
    def family(self) -> Family | None:
        """The only family it is known to take; None: both."""
        return next(iter(self.families)) if len(self.families) == 1 else None
