"""All profiles there are: those that come with layerkit, and the user's own.

The user's are in `$XDG_CONFIG_HOME/layerkit/profiles.toml` (`~/.config/...`), in the form of `known.toml`. They come first
by host, and stand in place of a known one of the same name.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from layerkit.errors import UsageError
from layerkit.profiles.profile import Profile
from layerkit.profiles.reading import profiles_in


@dataclass(frozen=True)
class Profiles:
    """In the order in which they are asked whether they fit a host."""

    profiles: tuple[Profile, ...]

    def __iter__(self) -> Iterator[Profile]:
        return iter(self.profiles)

    def for_host(self, host: str) -> Profile:
        """The profile of a host name (without port); `generic` when none fits."""
        return next((profile for profile in self.profiles if profile.fits(host)), None) or self.named("generic")

    def named(self, name: str) -> Profile:
        """Raises UsageError that lists the names there are."""
        for profile in self.profiles:
            if profile.name == name:
                return profile
        names = ", ".join(profile.name for profile in self.profiles)
        raise UsageError(f"there is no profile {name!r}; expected one of {names} (layerkit profiles shows them)")


def _known() -> Profiles:
    data = pkgutil.get_data("layerkit.profiles", "known.toml")
    assert data is not None
    generic, *others = profiles_in(data.decode(), "layerkit/profiles/known.toml", {}).values()
    return Profiles((*others, generic))


KNOWN = _known()
GENERIC = KNOWN.named("generic")
REPLICATED = KNOWN.named("replicated")


def own_profiles(environment: Mapping[str, str]) -> Path | None:
    """Where the user's own profiles are, if anywhere. None where there is no home."""
    folder = environment.get("XDG_CONFIG_HOME") or (f"{home}/.config" if (home := environment.get("HOME")) else "")
    return Path(folder, "layerkit", "profiles.toml") if folder else None


def load_profiles(environment: Mapping[str, str]) -> Profiles:
    """Those of the user, then the known ones. Raises UsageError for a file that can't be read, or says what can't be."""
    path = own_profiles(environment)
    if path is None:
        return KNOWN
    try:
        text = path.read_bytes().decode()
    except (FileNotFoundError, NotADirectoryError):
        return KNOWN
    except OSError as error:
        raise UsageError(f"{path}: can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: expected TOML, which is UTF-8, found other bytes") from None
    own = profiles_in(text, str(path), {profile.name: profile for profile in KNOWN})
    return Profiles((*own.values(), *(profile for profile in KNOWN if profile.name not in own)))
