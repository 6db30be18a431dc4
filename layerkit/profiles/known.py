"""The profiles that come with layerkit, by name and by host."""

import pkgutil
from fnmatch import fnmatchcase

from layerkit.profiles.profile import Profile
from layerkit.profiles.reading import profiles_in


def _known() -> tuple[Profile, ...]:
    data = pkgutil.get_data("layerkit.profiles", "known.toml")
    assert data is not None
    return tuple(profiles_in(data.decode(), "layerkit/profiles/known.toml", {}).values())


PROFILES = _known()


def profile_for(host: str) -> Profile:
    """The profile of a host name (without port)."""
    return next((profile for profile in PROFILES if any(fnmatchcase(host.lower(), host_) for host_ in profile.hosts)), GENERIC)


def profile_named(name: str) -> Profile:
    """Raises KeyError for a name that no profile has."""
    return {profile.name: profile for profile in PROFILES}[name]


GENERIC = profile_named("generic")
REPLICATED = profile_named("replicated")
