"""`layerkit fix IMAGE OUTPUT`: the rewritten image in a file."""

import sys
from pathlib import Path

import click

from layerkit.cli import fixing
from layerkit.cli.choosing import profile_for_image, profile_option
from layerkit.cli.images import opened
from layerkit.cli.options import (
    Connection,
    Splitting,
    connection_options,
    jobs_option,
    json_option,
    splitting_options,
    verbosity,
)
from layerkit.deliver import deliver
from layerkit.destinations import open_destination
from layerkit.errors import UsageError
from layerkit.progress import Progress
from layerkit.report.text import json_text
from layerkit.schemas import document
from layerkit.sources.transports import Transport, parse_place


@click.command()
@click.argument("image")
@click.argument("output")
@profile_option
@click.option("--in-place", is_flag=True, help="OUTPUT may be IMAGE itself: the result takes its place.")
@splitting_options
@connection_options
@jobs_option
@json_option
@verbosity
def command(
    image: str,
    output: str,
    profile_name: str | None,
    in_place: bool,
    splitting: Splitting,
    connection: Connection,
    jobs: int | None,
    as_json: bool,
    progress: Progress,
) -> None:
    """Write the rewritten image to OUTPUT.

    OUTPUT is a path (an OCI archive), oci-archive:PATH[:NAME], oci:DIR[:NAME], docker-archive:PATH[:NAME], or - for standard
    output. It appears whole or not at all. Prints the new image's digest.
    """
    if not in_place and _is_itself(image, output):
        raise UsageError(f"{output}: is the image itself, which can't be had back; give another name, or --in-place")
    source = opened(image, connection, progress, splitting.platforms)
    options = fixing.fix_options(splitting, profile_for_image(profile_name, source, image), jobs)
    with open_destination(output, stdout=sys.stdout.buffer, progress=progress) as destination:
        save = fixing.saving(splitting, source, progress)
        done = deliver(source, options, destination, progress=progress, before_name=save)
    fixing.tell(done.fixed, source, progress)
    to_stdout = output == "-"  # the image itself is there: what else there is to say goes to standard error
    text = json_text(document("fix", {"digest": done.digest, **fixing.as_json(done.fixed)})) if as_json else done.digest
    click.echo(text, err=to_stdout)


_ON_DISK = frozenset({Transport.PATH, Transport.OCI_ARCHIVE, Transport.OCI_LAYOUT, Transport.DOCKER_ARCHIVE})


def _is_itself(image: str, output: str) -> bool:
    """Would the result replace what it is made of? In a layout it doesn't when it has another name."""
    source, target = parse_place(image), parse_place(output)
    if source.transport not in _ON_DISK or target.transport not in _ON_DISK:
        return False
    try:
        is_same = Path(source.location).samefile(target.location)
    except (OSError, ValueError):
        return False
    is_added = Path(target.location).is_dir() and target.name not in (None, source.name)
    return is_same and not is_added
