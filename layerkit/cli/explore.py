"""`layerkit explore`: an image to walk through, in a terminal."""

import sys

import click

from layerkit.cli.choosing import profile_for_image, profile_option
from layerkit.cli.images import opened
from layerkit.cli.inspect import looked_at
from layerkit.cli.options import Connection, connection_options, platform_option, size, verbosity
from layerkit.cli.planning import plan_for
from layerkit.errors import LayerkitError, UsageError
from layerkit.image.image import Image, PlatformImage
from layerkit.progress import Progress
from layerkit.report.summary import chosen

ROWS = 20
"""Of everything in the summary."""


@click.command()
@click.argument("image")
@click.option("--max-layer-size", type=size, metavar="SIZE", help="Mark layers above this.  [default: the profile's]")
@profile_option
@platform_option
@connection_options
@verbosity
def command(
    image: str,
    max_layer_size: int | None,
    profile_name: str | None,
    platforms: tuple[str, ...],
    connection: Connection,
    progress: Progress,
) -> None:
    """Walk through an image: its layers, and what each file costs to push.

    It is there at once, and fills while the layers are read. Of several platforms the first is shown, or the one of --platform.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("explore needs a terminal; layerkit inspect IMAGE --files prints what it shows")
    try:
        from layerkit.explore.app import Explorer
    except ModuleNotFoundError as error:
        if error.name != "textual":
            raise
        raise UsageError("explore needs the extra 'explore': pip install 'layerkit[explore]'") from None
    from rich.console import Group, RenderableType
    from rich.text import Text

    from layerkit.advice import Context
    from layerkit.explore.reading import Reading
    from layerkit.image.media_types import Compression
    from layerkit.report.contents_table import contents_table
    from layerkit.report.plan_table import plan_table

    source = opened(image, connection, progress, platforms)
    profile = profile_for_image(profile_name, source, image)
    limit = max_layer_size or profile.max_layer_size

    def choose() -> tuple[Image, PlatformImage]:
        there = chosen(source, platforms)
        if not there:
            raise UsageError(f"{source.name}: the image has no platform")
        return source, there[0]

    def summary(reading: Reading) -> RenderableType:
        assert reading.read is not None
        told = looked_at(reading.read, ROWS, Context(limit, Compression.ZSTD in profile.compressions))
        return contents_table(told.contents, told.advice)

    def plan(reading: Reading) -> RenderableType:
        assert reading.platform is not None
        try:
            planned = plan_for(source, profile, limit, [str(reading.platform.platform)], None, reading)
        except LayerkitError as error:
            return Text(str(error))
        return Group(*map(plan_table, planned)) if planned else Text("\n".join(reading.warnings))

    app = Explorer(source.name, Reading(choose), limit, summary, plan)
    app.run()
    if app.return_code:
        raise click.exceptions.Exit(app.return_code)
