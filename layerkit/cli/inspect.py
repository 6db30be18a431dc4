"""`layerkit inspect`: what an image consists of. No layer is read, so it takes as long for 10 GB as for 10 MB."""

import json
import sys

import click
from rich.console import Console, RenderableType

from layerkit.cli.images import opened
from layerkit.cli.options import Connection, connection_options, json_option, platform_option, size, verbosity
from layerkit.profiles import GENERIC
from layerkit.progress import Progress
from layerkit.report.documents import image_document
from layerkit.report.summary import summarise
from layerkit.report.tables import image_table

PIPED_WIDTH = 160
"""Columns of a table that no terminal limits."""


@click.command()
@click.argument("image")
@click.option(
    "--max-layer-size",
    type=size,
    metavar="SIZE",
    default=str(GENERIC.max_layer_size),
    help="Mark layers above this.  [default: 1GB]",
)
@platform_option
@json_option
@connection_options
@verbosity
def command(
    image: str, max_layer_size: int, platforms: tuple[str, ...], as_json: bool, connection: Connection, progress: Progress
) -> None:
    """Show platforms, layers, attestations and what exceeds the limit.

    Sizes are those of the blobs as they are pushed. Nothing is unpacked and no layer is read.
    """
    source = opened(image, connection, progress, platforms)
    summary = summarise(source, max_layer_size)
    if as_json:
        click.echo(json.dumps(image_document(summary), indent=2, ensure_ascii=False))
        return
    show(image_table(summary))


def show(what: RenderableType) -> None:
    """Prints a table to standard output, as wide as the terminal."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
    with console.capture() as captured:
        console.print(what)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
