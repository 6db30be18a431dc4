"""The public functions: what the commands are made of, with the defaults that a program wants."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from layerkit.image.image import Image
from layerkit.image.media_types import Compression, Family
from layerkit.image.reference import parse_reference
from layerkit.profiles import GENERIC, Profile, load_profiles
from layerkit.progress import SILENT, Progress
from layerkit.pusher.push import RegistryDestination
from layerkit.registry.client import connect
from layerkit.rewrite import fix_image, options_for
from layerkit.rewrite.plan import LayerPlan, plan_layers
from layerkit.sources import open_image as _open_image
from layerkit.state import State


def open_image(spec: str | Path, *, progress: Progress = SILENT, environment: Mapping[str, str] | None = None) -> Image:
    """The image that `spec` names: a path (archive, compressed archive or layout directory, told apart by content),
    `oci-archive:PATH[:NAME]`, `oci:DIR[:NAME]`, `docker-archive:PATH[:NAME]`, `docker-daemon:NAME` or `docker://REFERENCE`.

    No layer is read. `environment` is where credentials and proxies for registries are looked up, the process's by default.
    Raises ImageError, UsageError, RefusedError, UnreachableError."""
    variables = os.environ if environment is None else environment
    return _open_image(
        str(spec), progress=progress, connect=lambda registry: connect(registry, environment=variables, progress=progress)
    )


def split_plan(image: Image, *, max_layer_size: int | None = None, profile: Profile = GENERIC) -> list[LayerPlan]:
    """What `fix` would do with each layer, without reading it. `max_layer_size` is in bytes, compressed."""
    return plan_layers(image, options_for(profile, max_layer_size=max_layer_size))


def fix(
    image: Image,
    *,
    max_layer_size: int | None = None,
    profile: Profile = GENERIC,
    compression: Compression | None = None,
    level: int | None = None,
    family: Family | None = None,
    platforms: Sequence[str] = (),
    keep_attestations: bool = False,
    allow_oversized: bool = False,
    verify: bool = True,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> Image:
    """The image without attestations and with no layer above `max_layer_size` bytes compressed (the profile's by default),
    proven to give the same filesystem unless `verify` is False.

    Reads the layers that have to change and writes nothing, but for a temporary file that holds what had to be compressed.
    Raises ImageError, CannotFixError, UsageError."""
    options = options_for(
        profile,
        max_layer_size=max_layer_size,
        compression=compression,
        level=level,
        family=family,
        platforms=tuple(platforms),
        keep_attestations=keep_attestations,
        allow_oversized=allow_oversized,
        proven=verify,
        jobs=jobs,
    )
    return fix_image(image, options, progress=progress).image


def push(
    image: Image,
    reference: str,
    *,
    username: str | None = None,
    password: str | None = None,
    plain_http: bool = False,
    jobs: int | None = None,
    progress: Progress = SILENT,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Uploads the image as it is, the tag last; returns `HOST/REPOSITORY:TAG@DIGEST`. Blobs that are there already aren't sent.

    Credentials are looked up where docker and podman keep them unless given. What the registry teaches, and where an upload
    stands, is remembered in the user's state directory, by `environment`. Raises UsageError for a name that can't be,
    RefusedError, UnreachableError, ImageError when a blob is damaged."""
    target = parse_reference(reference)
    variables = os.environ if environment is None else environment
    client = connect(
        target.registry,
        environment=variables,
        username=username,
        password=password,
        plain_http=plain_http,
        progress=progress,
    )
    profile = load_profiles(variables).for_host(target.host)
    state = State.of(variables, progress.note)
    with RegistryDestination(client, target, profile=profile, jobs=jobs, state=state, progress=progress) as destination:
        digest = destination.finish(image)
    return target.at(digest)
