"""`layerkit push IMAGE REFERENCE`: uploads an image as it is."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from layerkit.cli.choosing import profile_for_target, profile_option
from layerkit.cli.images import opened
from layerkit.cli.options import Connection, Upload, connection_options, jobs_option, json_option, upload_options, verbosity
from layerkit.cli.registries import Connect, connector, remembered, target_of
from layerkit.errors import BlobTooLargeError, BlobTooSlowError, NotFoundError
from layerkit.image.image import Image
from layerkit.image.reference import Reference
from layerkit.profiles import Profile
from layerkit.progress import Progress
from layerkit.pusher.push import RegistryDestination
from layerkit.report.findings import check
from layerkit.report.sizes import format_size
from layerkit.report.text import json_text
from layerkit.schemas import document


@click.command()
@click.argument("image")
@click.argument("reference")
@profile_option
@connection_options
@upload_options
@jobs_option
@json_option
@verbosity
def command(
    image: str,
    reference: str,
    profile_name: str | None,
    connection: Connection,
    upload: Upload,
    jobs: int | None,
    as_json: bool,
    progress: Progress,
) -> None:
    """Upload the image as it is, the tag last.

    REFERENCE is HOST[:PORT]/REPOSITORY[:TAG]. Prints it with the digest that is there now. Blobs that are there already are not
    sent again, so that running the same command again resumes a push that was interrupted.
    """
    target = target_of(reference)
    profile = profile_for_target(profile_name, target)
    connect = connector(connection, progress)
    source = opened(image, connection, progress, connect=connect)
    if profile.note:
        progress.note(f"{profile.title}: {profile.note}")
    warn_of_refusals(source, profile, progress)
    with telling(open_push(target, profile, connect, upload, jobs, progress), progress) as destination:
        ask_to_push(destination, target, profile)
        try:
            digest = destination.finish(source)
        except (BlobTooSlowError, BlobTooLargeError):
            progress.note(f"push sends layers as they are; to split them: layerkit fix-and-push {image} {target}")
            raise
    click.echo(json_text(document("push", {"reference": target.at(digest), "digest": digest})) if as_json else target.at(digest))


def warn_of_refusals(image: Image, profile: Profile, progress: Progress) -> None:
    """What a target that layerkit knows refuses is better heard before gigabytes were sent."""
    if profile.name == "generic":
        return
    for finding in check(image, profile, profile.max_layer_size):
        progress.warn(f"{profile.name} is known to refuse this: {finding}")


def ask_to_push(destination: RegistryDestination, target: Reference, profile: Profile) -> None:
    """Before anything is read or sent. Raises as `check` does; where a push makes no repository, the error says so."""
    try:
        destination.check()
    except NotFoundError as error:
        if profile.creates_repositories:
            raise
        advice = f"a push makes no repository at {profile.title}: make {target.repository} first, where its operator says"
        raise NotFoundError(f"{error}; {advice}", error.status, error.codes) from None


def open_push(
    target: Reference,
    profile: Profile,
    connect: Connect,
    upload: Upload,
    jobs: int | None,
    progress: Progress,
    mount_from: tuple[str, ...] = (),
    *,
    may_split: bool = False,
) -> RegistryDestination:
    """The registry as a destination, with the limits of its profile and what earlier runs learned. `may_split`: layers that are
    too large for it are made smaller."""
    state = remembered(progress)
    if upload.forget:
        state.forget(target.registry)
    return RegistryDestination(
        connect(target.registry),
        target,
        profile=profile,
        jobs=jobs,
        chunk_size=upload.chunk_size,
        mount_from=mount_from or tuple(target_of(other).repository for other in upload.reuse_from),
        state=state,
        may_split=may_split,
        progress=progress,
    )


@contextmanager
def telling(destination: RegistryDestination, progress: Progress) -> Iterator[RegistryDestination]:
    """Enters the destination; says in the end what was sent, or how far an interrupted push got."""
    try:
        with destination:
            yield destination
    except (KeyboardInterrupt, SystemExit):
        written = "the tag was written, but not read back" if destination.tag_written else "no tag was written"
        progress.warn(f"{written}. Run the same command again to go on: what has arrived is not sent again")
        raise
    stats = destination.stats
    there = stats.blobs_there + stats.blobs_mounted
    progress.note(f"sent {stats.blobs_sent} blobs, {format_size(stats.bytes_sent)}; {there} were there already")
