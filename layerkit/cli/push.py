"""`layerkit push IMAGE REFERENCE`: uploads an image as it is."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from layerkit.cli.images import opened
from layerkit.cli.options import Connection, Upload, connection_options, jobs_option, json_option, upload_options, verbosity
from layerkit.cli.registries import Connect, connector, target_of
from layerkit.errors import BlobTooSlowError
from layerkit.image.image import Image
from layerkit.image.reference import Reference
from layerkit.profiles import GENERIC, Profile, profile_for
from layerkit.progress import Progress
from layerkit.pusher.push import RegistryDestination
from layerkit.report.findings import check
from layerkit.report.sizes import format_size
from layerkit.report.text import json_text


@click.command()
@click.argument("image")
@click.argument("reference")
@connection_options
@upload_options
@jobs_option
@json_option
@verbosity
def command(
    image: str,
    reference: str,
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
    connect = connector(connection, progress)
    source = opened(image, connection, progress, connect=connect)
    warn_of_refusals(source, profile_for(target.host), progress)
    with telling(open_push(target, connect, upload, jobs, progress), progress) as destination:
        destination.check()
        try:
            digest = destination.finish(source)
        except BlobTooSlowError:
            progress.note(f"push sends layers as they are; to split them: layerkit fix-and-push {image} {target}")
            raise
    click.echo(json_text({"reference": target.at(digest), "digest": digest}) if as_json else target.at(digest))


def warn_of_refusals(image: Image, profile: Profile, progress: Progress) -> None:
    """What a target that layerkit knows refuses is better heard before gigabytes were sent."""
    if profile is GENERIC:
        return
    for finding in check(image, profile, profile.max_layer_size):
        progress.warn(f"{profile.name} is known to refuse this: {finding}")


def open_push(
    target: Reference,
    connect: Connect,
    upload: Upload,
    jobs: int | None,
    progress: Progress,
    mount_from: tuple[str, ...] = (),
) -> RegistryDestination:
    """The registry as a destination, with the limits of its profile."""
    return RegistryDestination(
        connect(target.registry),
        target,
        profile=profile_for(target.host),
        jobs=jobs,
        chunk_size=upload.chunk_size,
        mount_from=mount_from or tuple(target_of(other).repository for other in upload.reuse_from),
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
