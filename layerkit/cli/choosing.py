"""Whose limits count: the profile that `--profile` names, or that of the host an image is at or goes to."""

import os

import click

from layerkit.errors import UsageError
from layerkit.image.image import Image
from layerkit.image.reference import Reference, names_a_host, parse_reference
from layerkit.profiles import Profile, load_profiles

profile_option = click.option(
    "--profile",
    "profile_name",
    metavar="NAME",
    help="Whose limits count; `layerkit profiles` lists them.  [default: by the host]",
)


def profile_for_target(name: str | None, target: Reference) -> Profile:
    """Raises UsageError for a name that no profile has, and for a file of profiles that can't be read."""
    profiles = load_profiles(os.environ)
    return profiles.named(name) if name is not None else profiles.for_host(target.host)


def profile_for_image(name: str | None, image: Image, spec: str) -> Profile:
    """By the image's own name, when that says a host; `generic` otherwise, and for an image that comes from a registry (`spec`:
    what the user typed), which goes elsewhere. Raises as above."""
    profiles = load_profiles(os.environ)
    if name is not None:
        return profiles.named(name)
    host = None if spec.startswith("docker://") else own_host(image)
    return profiles.for_host(host) if host else profiles.named("generic")


def own_host(image: Image) -> str | None:
    """The host that the image's own name says; None when it has none or says none: `worker:1.0` isn't Docker Hub's."""
    if image.reference is None or not names_a_host(image.reference):
        return None
    try:
        return parse_reference(image.reference).host
    except UsageError:  # what stands in a file needn't be a name
        return None
