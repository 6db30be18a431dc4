"""`layerkit inspect`: what an image consists of. No layer is read unless `--files` asks for it: 10 GB take as long as 10 MB."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import click

from layerkit.advice import Advice, Context, Tally, advise, read_rules
from layerkit.cli.choosing import profile_for_image, profile_option
from layerkit.cli.images import opened
from layerkit.cli.inspect_several import show_shared
from layerkit.cli.options import Connection, connection_options, json_option, platform_option, rate_option, size, verbosity
from layerkit.cli.pages import html_option, write_page
from layerkit.cli.planning import plan_for
from layerkit.cli.printing import print_tables
from layerkit.costs.contents import Contents
from layerkit.costs.reading import Layers, PlatformFiles, read_platform
from layerkit.costs.summing import contents_of
from layerkit.image.image import PlatformImage
from layerkit.image.media_types import Compression
from layerkit.progress import Progress
from layerkit.report.documents import contents_document, image_document, planned_document
from layerkit.report.findings import check
from layerkit.report.planned import Planned
from layerkit.report.summary import ImageSummary, chosen, summarise
from layerkit.report.text import json_text
from layerkit.schemas import document

DEFAULT_FILES = 10
LOOKED_AT = 1000
"""Files, packages and so on, the most expensive, from which advice is made."""


class OptionalNumber(click.Command):
    """`--files` may stand alone, or before a number; before anything else click would take that for the number."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = [
            f"--files={DEFAULT_FILES}" if word == "--files" and not following.isdecimal() else word
            for word, following in zip_longest(args, args[1:], fillvalue="")
        ]
        return super().parse_args(ctx, given)


@click.command(cls=OptionalNumber)
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option(
    "--files",
    "count",
    type=click.IntRange(min=1),
    metavar="[N]",
    help="Decode the layers: the N most expensive files, directories, packages and types, and what is wasted.  [N: 10]",
)
@click.option(
    "--max-layer-size",
    type=size,
    metavar="SIZE",
    help="Mark layers above this.  [default: the profile's]",
)
@profile_option
@click.option("--plan", is_flag=True, help="Split the layers, and show before and after: what fix makes of it.")
@rate_option
@html_option
@platform_option
@json_option
@connection_options
@verbosity
def command(
    images: tuple[str, ...],
    count: int | None,
    max_layer_size: int | None,
    profile_name: str | None,
    plan: bool,
    rate: float | None,
    html: Path | None,
    platforms: tuple[str, ...],
    as_json: bool,
    connection: Connection,
    progress: Progress,
) -> None:
    """Show platforms, layers, attestations and what exceeds the limit.

    Sizes are those of the blobs as they are pushed. Nothing is unpacked, and without --files no layer is read. Of several images:
    what they share.
    """
    if rate is not None and not plan:
        raise click.UsageError("--rate is for --plan")
    if len(images) > 1:
        if html is not None or plan:
            raise click.UsageError(f"{'--plan' if plan else '--html'} is for one image")
        show_shared(images, connection, platforms, progress, files=count is not None, as_json=as_json)
        return
    (image,) = images
    source = opened(image, connection, progress, platforms)
    profile = profile_for_image(profile_name, source, image)
    limit = max_layer_size or profile.max_layer_size
    summary = summarise(source, limit, platforms)
    planned = plan_for(source, profile, limit, platforms, rate, progress) if plan else ()
    context = Context(limit, Compression.ZSTD in profile.compressions)
    layers = Layers(progress)
    number = count or DEFAULT_FILES

    # One platform after the other, and nothing of its files is held when it was looked at.
    def told_of(one: PlatformImage) -> Told:
        return looked_at(read_platform(source, one, layers), number, context)

    if html is not None:
        from layerkit.report.page import PlatformPage, image_page, platform_page

        def page_of(one: PlatformImage, plans: Planned | None) -> PlatformPage:
            if not count:
                return PlatformPage(planned=plans)
            read = read_platform(source, one, layers)
            return platform_page(read, *looked_at(read, number, context), plans)

        pages = [page_of(one, plans) for one, plans in zip_longest(chosen(source, platforms), planned)]
        write_page(html, image_page(summary, pages, check(source, profile, limit, platforms)), progress)
        return
    told = [told_of(one) for one in chosen(source, platforms)] if count else []
    if as_json:
        fields = image_document(summary)
        if count:
            fields["contents"] = [contents_document(one.contents, one.advice) for one in told]
        if plan:
            fields["planned"] = [planned_document(one) for one in planned]
        click.echo(json_text(document("inspect", fields)))
    else:
        show(summary, told, planned)


class Told(NamedTuple):
    """What `--files` says of one platform."""

    contents: Contents
    advice: tuple[Advice, ...]


def looked_at(read: PlatformFiles, count: int, context: Context) -> Told:
    rules = read_rules()
    tally = Tally(rules)
    contents = contents_of(read, max(count, LOOKED_AT), [tally])
    return Told(contents.first(count), advise(contents, tally, rules, context)[:count])


def show(summary: ImageSummary, told: Sequence[Told], planned: Sequence[Planned]) -> None:
    """Prints tables to standard output."""
    from layerkit.report.contents_table import contents_table
    from layerkit.report.plan_table import plan_table
    from layerkit.report.tables import image_table

    tables = [contents_table(one.contents, one.advice) for one in told]
    print_tables(image_table(summary), *tables, *map(plan_table, planned))
