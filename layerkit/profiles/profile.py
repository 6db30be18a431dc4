"""A profile: what is known of one registry, as types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase

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
    max_layers: int
    """Of one manifest."""
    max_manifest_size: int
    """Bytes of a manifest or an index."""
    families: frozenset[Family]
    """What it is known to take."""
    compressions: frozenset[Compression]
    attestations: bool
    """Does it take them as docker buildx writes them: manifests of an index that says what they are?"""
    artifacts: bool
    """Does it take manifests that aren't images: with a `subject`, an `artifactType`, an empty config?"""
    indexes: bool
    """Does it take an index?"""
    collapse_index: bool
    """Is an index of one platform pushed as that platform's manifest?"""
    creates_repositories: bool
    """Does a push make the repository?"""
    parallel: int
    """Blobs uploaded at a time."""
    commit_seconds: int
    """How long a commit may take at the registry after the edge gave up waiting for it."""
    login: str
    """Which user name and which token, for people; several ways are separated by `; `."""
    upload: UploadRules
    helper: str = ""
    """The credential helper that its operator offers: `docker-credential-NAME`."""
    note: str = ""
    """What whoever pushes there should know."""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """Field (`upload.max_body`) -> where its value comes from."""

    @property
    def family(self) -> Family | None:
        """The only family it is known to take; None: both."""
        return next(iter(self.families)) if len(self.families) == 1 else None

    def fits(self, host: str) -> bool:
        """Is it the profile of this host (without port)?"""
        return any(fnmatchcase(host.lower(), pattern) for pattern in self.hosts)
