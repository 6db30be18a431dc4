"""`layerkit fix IMAGE OUTPUT`: the rewritten image in a file."""

import json
import sys

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
from layerkit.progress import Progress


@click.command()
@click.argument("image")
@click.argument("output")
@profile_option
@splitting_options
@connection_options
@jobs_option
@json_option
@verbosity
def command(
    image: str,
    output: str,
    profile_name: str | None,
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
    source = opened(image, connection, progress, splitting.platforms)
    options = fixing.fix_options(splitting, profile_for_image(profile_name, source, image), jobs)
    with open_destination(output, stdout=sys.stdout.buffer, progress=progress) as destination:
        save = fixing.saving(splitting, source, progress)
        done = deliver(source, options, destination, verify=splitting.verify, progress=progress, before_name=save)
    fixing.tell(done.fixed, source, progress)
    to_stdout = output == "-"  # the image itself is there: what else there is to say goes to standard error
    text = json.dumps({"digest": done.digest, **fixing.as_json(done.fixed)}, indent=2) if as_json else done.digest
    click.echo(text, err=to_stdout)
