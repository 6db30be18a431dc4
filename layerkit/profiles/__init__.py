"""What each registry takes: data, not code.

In: a host name, or a profile's name. Out: a `Profile`. The figures are in `known.toml`, each with its source and date; a user's
own are read from a file of the same form. A host without a profile is `generic`.
"""

from layerkit.profiles.known import GENERIC, KNOWN, REPLICATED, Profiles, load_profiles
from layerkit.profiles.profile import Figure, Profile
from layerkit.profiles.upload import UploadRules, Way

__all__ = ["GENERIC", "KNOWN", "REPLICATED", "Figure", "Profile", "Profiles", "UploadRules", "Way", "load_profiles"]
