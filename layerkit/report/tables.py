"""Summaries as tables for a terminal. In: an `ImageSummary`. Out: something rich can print; nothing in it is taken for markup."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from layerkit.image.digest import short
from layerkit.image.media_types import Compression, Family, family_of
from layerkit.report.sizes import format_share, format_size
from layerkit.report.summary import ImageSummary, LayerSummary, PlatformSummary
from layerkit.report.text import counted, one_line, plural

_NAMES = 10
"""Names shown of one image."""


def image_table(summary: ImageSummary) -> Group:
    return Group(*_parts(summary))


def _parts(summary: ImageSummary) -> Iterator[RenderableType]:
    yield Text(f"{one_line(summary.name)}", style="bold")
    yield Text(f"{summary.kind}, {plural(len(summary.platforms), 'platform')}, {format_size(summary.size)} of layers")
    for name in summary.names[:_NAMES]:
        yield Text(f"name: {one_line(name)}")
    if len(summary.names) > _NAMES:
        yield Text(f"and {plural(len(summary.names) - _NAMES, 'more name')}")
    yield Text(f"digest: {summary.digest}")
    for platform in summary.platforms:
        yield Text()
        yield _platform_table(platform)
    if summary.referrers or summary.absent or summary.artifacts:
        yield Text()
    for found in summary.referrers:
        if found.present:
            about = f" of {found.subject[7:19]}" if found.subject else ""
            what = f": {', '.join(found.predicates)}" if found.predicates else ""
            yield Text(one_line(f"{found.kind.value} {short(found.digest)}{about}{what}"))
    elsewhere = counted(found.kind.value for found in summary.referrers if not found.present)
    missing = [*summary.absent, *([elsewhere] if elsewhere else [])]
    if missing:
        yield Text(one_line(f"listed, but not in the file: {', '.join(missing)}"))
    for digest in summary.artifacts:
        yield Text(f"artifact {short(digest)}: nothing that runs")
    yield from _exceeding(summary)


def _platform_table(platform: PlatformSummary) -> Table:
    family = "Docker" if family_of(platform.media_type) is Family.DOCKER else "OCI"
    title = f"{platform.platform} · {family} manifest {short(platform.digest)} · {format_size(platform.size)}"
    table = Table(title=Text(one_line(title)), title_justify="left", box=None, pad_edge=False, expand=True, title_style="bold")
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("type", no_wrap=True)
    table.add_column("digest", no_wrap=True)
    table.add_column("made by", no_wrap=True, overflow="ellipsis", ratio=1)
    for layer in platform.layers:
        table.add_row(
            str(layer.number),
            Text(format_size(layer.size), style="bold red" if layer.exceeds else ""),
            format_share(layer.size, platform.size),
            Text(_type(layer), style="yellow" if layer.mislabelled or not layer.present else ""),
            short(layer.digest),
            Text(one_line(layer.command)),
        )
    return table


def _type(layer: LayerSummary) -> str:
    """The compression, and what is odd about it."""
    name = one_line(layer.media_type)
    if layer.compression is not None:
        name = "tar" if layer.compression is Compression.NONE else f"tar+{layer.compression.value}"
    if not layer.present:
        return f"{name}, missing"
    return f"{name}, mislabelled" if layer.mislabelled else name


def _exceeding(summary: ImageSummary) -> Iterator[RenderableType]:
    found = {layer.digest: layer for platform in summary.platforms for layer in platform.layers if layer.exceeds}
    if found:
        sizes = ", ".join(f"{short(layer.digest)} ({format_size(layer.size)})" for layer in found.values())
        yield Text()
        yield Text(f"above the limit of {format_size(summary.limit)}: {sizes}", style="bold red")
