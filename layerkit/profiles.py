"""What each target registry takes: data, not code.

A profile is chosen by the host name that is pushed to; everything without one is `generic`. Sources: the target's public
documentation (layers near 2 GB time out at its edge with HTTP 524, attested images are refused with HTTP 400, nothing pushed
can be deleted, Docker schema 2 with gzip layers is known to work).
"""

from dataclasses import dataclass

from layerkit.image.media_types import Compression, Family

MiB = 1 << 20


@dataclass(frozen=True)
class Profile:
    """Limits are in bytes of the compressed blob: the thing that is pushed."""

    name: str
    hosts: tuple[str, ...]
    max_layer_size: int
    """Layers above this are split unless the user says otherwise."""
    family: Family | None
    """The only family it is known to take; None: both."""
    compressions: frozenset[Compression]
    attestations: bool
    """Does it take them?"""
    collapse_index: bool
    """Is an index of one platform pushed as that platform's manifest?"""
    parallel: int
    """Blobs uploaded at a time."""
    chunk_size: int
    """Bytes of one PATCH request to begin with; multiples of 10 MiB suit S3-backed registries."""
    commit_seconds: int
    """How long a commit may take at the registry after the edge gave up waiting for it."""


GENERIC = Profile(
    name="generic",
    hosts=(),
    max_layer_size=1_000_000_000,
    family=None,
    compressions=frozenset({Compression.NONE, Compression.GZIP, Compression.ZSTD}),
    attestations=False,
    collapse_index=True,
    parallel=4,
    chunk_size=50 * MiB,
    commit_seconds=180,
)

REPLICATED = Profile(
    name="replicated",
    hosts=("registry.replicated.com",),
    max_layer_size=1_000_000_000,
    family=Family.DOCKER,
    compressions=frozenset({Compression.GZIP}),
    attestations=False,
    collapse_index=True,
    parallel=3,
    chunk_size=50 * MiB,
    commit_seconds=180,
)

PROFILES = (REPLICATED, GENERIC)


def profile_for(host: str) -> Profile:
    """The profile of a host name (without port)."""
    return next((profile for profile in PROFILES if host.lower() in profile.hosts), GENERIC)


def profile_named(name: str) -> Profile:
    """Raises KeyError for a name that no profile has."""
    return {profile.name: profile for profile in PROFILES}[name]
