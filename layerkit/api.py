"""The public functions: what the commands are made of, with the defaults that a program wants."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from layerkit.batch.list import Line, format_line, parse_list
from layerkit.batch.options import Asked, deciding
from layerkit.batch.orders import orders_of, share
from layerkit.batch.record import RECORD, Record
from layerkit.batch.results import Result
from layerkit.batch.run import AT_A_TIME, Settings, run
from layerkit.batch.shards import WHOLE, parse_shard
from layerkit.batch.sources import Sources, one_each
from layerkit.choices import parse_compression
from layerkit.errors import UsageError
from layerkit.filesystem import verify
from layerkit.image.image import Image
from layerkit.image.media_types import Compression, Family
from layerkit.image.reference import parse_reference
from layerkit.profiles import GENERIC, Profile, load_profiles
from layerkit.progress import SILENT, Progress
from layerkit.pusher.push import RegistryDestination
from layerkit.registry.client import RegistryClient, connect
from layerkit.rewrite import fix_image, options_for
from layerkit.rewrite.plan import LayerPlan, plan_layers
from layerkit.sources import open_image as _open_image
from layerkit.sources import opened_at
from layerkit.state import State

__all__ = ["batch", "fix", "open_image", "push", "split_plan", "verify"]


def open_image(spec: str | Path, *, progress: Progress = SILENT, environment: Mapping[str, str] | None = None) -> Image:
    """The image that `spec` names: a path (archive, compressed archive or layout directory, told apart by content),
    `oci-archive:PATH[:NAME]`, `oci:DIR[:NAME]`, `docker-archive:PATH[:NAME]`, `docker-daemon:NAME` or `docker://REFERENCE`.

        >>> image = layerkit.open_image("image.tar")
        >>> [str(found.platform) for found in image.platforms()]
        ['linux/amd64']

    No layer is read. `environment` is where credentials and proxies for registries are looked up, the process's by default.
    Raises ImageError, UsageError, RefusedError, UnreachableError."""
    variables = os.environ if environment is None else environment
    return _open_image(
        str(spec), progress=progress, connect=lambda registry: connect(registry, environment=variables, progress=progress)
    )


def split_plan(image: Image, *, max_layer_size: int | None = None, profile: Profile = GENERIC) -> list[LayerPlan]:
    """What `fix` would do with each layer, without reading it. `max_layer_size` is in bytes, compressed.

    >>> [plan.decision.action.value for plan in layerkit.split_plan(layerkit.open_image("image.tar"), max_layer_size=100_000)]
    ['keep', 'split']
    """
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

        >>> image = layerkit.open_image("image.tar")
        >>> fixed = layerkit.fix(image, max_layer_size=100_000)
        >>> max(layer.size for found in fixed.platforms() for layer in found.manifest.layers) <= 100_000
        True
        >>> layerkit.verify(image, fixed)
        []

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

        >>> layerkit.push(layerkit.open_image("image.tar"), f"{registry}/my-app/worker:1.0")     # "ghcr.io", say
        '.../my-app/worker:1.0@sha256:...'

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


def batch(
    lines: Iterable[str | tuple[str, str]] | Path,
    *,
    to: str | None = None,
    app: str | None = None,
    shard: str | None = None,
    max_layer_size: int | None = None,
    compression: str = "keep",
    family: Family | None = None,
    platforms: Sequence[str] = (),
    keep_attestations: bool = False,
    allow_oversized: bool = False,
    verify: bool = True,
    profile: str | None = None,
    reuse_from: Sequence[str] = (),
    images: int = AT_A_TIME,
    jobs: int | None = None,
    chunk_size: int | None = None,
    username: str | None = None,
    password: str | None = None,
    plain_http: bool = False,
    state: Path | None = None,
    progress: Progress = SILENT,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Result]:
    """Fixes and pushes many images; yields what became of each, as they end, the largest begin first. What they share is read,
    split, proven and sent once; what an earlier run has done isn't done again.

    `lines`: as in a LIST (`IMAGE REFERENCE key=value ...`), pairs of IMAGE and REFERENCE, or the path of a LIST. `to`
    (HOST/PREFIX) or `app` is where images go that have no reference. `shard`: `I/N`, the I-th of N machines; an engine's
    variables aren't looked at. `images` at a time, `jobs` uploads at a time to one registry, `chunk_size` in bytes. `state`: the
    folder of the record, the user's state directory by default. The rest is as in `fix` and `push`, for every image.

    An image that fails is a result, with its error and exit code. Raises UsageError for a list that can't be meant, before
    anything is done; closing the iterator ends what runs.

    >>> lines = [f"image.tar {registry}/team/worker:1", f"gone.tar {registry}/team/gone:1"]
    >>> sorted((result.line.image, result.status.value) for result in layerkit.batch(lines))
    [('gone.tar', 'failed'), ('image.tar', 'done')]
    """
    variables = os.environ if environment is None else environment
    kept = State(state, progress.note) if state is not None else State.of(variables, progress.note)

    def client_of(registry: str) -> RegistryClient:
        return connect(
            registry, environment=variables, username=username, password=password, plain_http=plain_http, progress=progress
        )

    reading = one_each(client_of)

    def other_image(spec: str, platforms: Sequence[str]) -> Image:
        return _open_image(spec, progress=progress, connect=reading, platforms=platforms)

    if isinstance(lines, Path):
        name, texts = str(lines), lines.read_text("utf-8", "surrogateescape").splitlines()
    else:
        name = "lines"
        texts = [line if isinstance(line, str) else format_line(Line(*line)) for line in lines]
    try:
        choice = parse_compression(compression)
    except ValueError as error:
        raise UsageError(f"compression {compression!r}: {error}") from None
    asked = Asked(
        max_layer_size=max_layer_size,
        compression=choice,
        family=family,
        platforms=tuple(platforms),
        keep_attestations=keep_attestations,
        allow_oversized=allow_oversized,
        verify=verify,
        profile=profile,
        reuse_from=tuple(reuse_from),
    )
    sources = Sources(lambda place: opened_at(place, progress), other_image, progress)
    decide = deciding(asked, load_profiles(variables))
    orders, failed = orders_of(parse_list(texts, name), sources, decide, to=to, app=app)
    orders, failed, _ = share(orders, failed, parse_shard(shard) if shard is not None else WHOLE, sources)
    record = Record(kept.journal(RECORD))
    settings = Settings(client_of, sources, record, kept, progress, images, jobs, chunk_size)
    return run(orders, failed, settings)
