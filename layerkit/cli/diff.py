"""`layerkit diff`: what one release adds to another, by package, directory and file, in compressed bytes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from layerkit.cli.images import opened
from layerkit.cli.options import Connection, connection_options, json_option, platform_option, verbosity
from layerkit.cli.pages import html_option, write_page
from layerkit.cli.printing import print_tables
from layerkit.compare.changes import Changes
from layerkit.compare.comparing import changes_of
from layerkit.costs.reading import Layers, read_platform
from layerkit.errors import UsageError
from layerkit.image.image import Image, PlatformImage
from layerkit.progress import Progress
from layerkit.report.documents import changes_document
from layerkit.report.summary import chosen
from layerkit.report.text import json_text
from layerkit.schemas import document

DEFAULT_COUNT = 10


@click.command()
@click.argument("old")
@click.argument("new")
@click.option(
    "--files",
    "count",
    type=click.IntRange(min=1),
    default=DEFAULT_COUNT,
    show_default=True,
    metavar="N",
    help="List the N most expensive of everything.",
)
@html_option
@platform_option
@json_option
@connection_options
@verbosity
def command(
    old: str,
    new: str,
    count: int,
    html: Path | None,
    platforms: tuple[str, ...],
    as_json: bool,
    connection: Connection,
    progress: Progress,
) -> None:
    """Show what a release adds to the one before, and what a push of it sends.

    Layers that both have are read once. What a file costs is its share of the compressed layer. Owners, modes and times don't
    count here: `layerkit verify` compares them.
    """
    if old == new == "-":
        raise UsageError("only one of the images can come from standard input (-)")
    before, after = (opened(spec, connection, progress, platforms) for spec in (old, new))
    layers = Layers(progress)
    found = [
        changes_of(read_platform(before, one, layers), read_platform(after, other, layers), count)
        for one, other in paired(before, after, platforms, progress)
    ]
    if html is not None:
        from layerkit.report.page import changes_page

        write_page(html, changes_page(before.name, after.name, found), progress)
    elif as_json:
        click.echo(json_text(document("diff", {"platforms": [changes_document(one) for one in found]})))
    else:
        show(found)


def paired(
    before: Image, after: Image, platforms: Sequence[str], progress: Progress
) -> Iterator[tuple[PlatformImage, PlatformImage]]:
    """The platforms that both have; of images with one each, these. Raises UsageError when there is no pair."""
    old, new = chosen(before, platforms), chosen(after, platforms)
    pairs = [(one, other) for other in new for one in old if str(one.platform) == str(other.platform)]
    if len(old) == len(new) == 1 and not pairs:
        pairs = [(old[0], new[0])]
        progress.warn(f"the platforms differ: {old[0].platform} and {new[0].platform}")
    if not pairs:
        there = " and ".join(", ".join(str(one.platform) for one in some) or "none" for some in (old, new))
        raise UsageError(f"{before.name} and {after.name} have no platform in common (there are {there})")
    only = [str(one.platform) for one in (*old, *new) if not any(one in pair for pair in pairs)]
    if only:
        progress.warn(f"only in one of the images, and left out: {', '.join(only)}")
    yield from pairs


def show(changes: Sequence[Changes]) -> None:
    """Prints tables to standard output."""
    from layerkit.report.comparing import changes_table

    print_tables(*map(changes_table, changes))
