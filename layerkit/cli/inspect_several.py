"""`layerkit inspect` of several images: what they share."""

from collections.abc import Sequence
from dataclasses import replace

import click

from layerkit.cli.images import opened
from layerkit.cli.options import Connection
from layerkit.cli.printing import print_tables
from layerkit.compare.sharing import shared_contents, sharing
from layerkit.costs.reading import Layers, read_platform
from layerkit.errors import UsageError
from layerkit.progress import Progress
from layerkit.report.documents import sharing_document
from layerkit.report.summary import chosen
from layerkit.report.text import json_text
from layerkit.schemas import document


def show_shared(
    specs: Sequence[str],
    connection: Connection,
    platforms: Sequence[str],
    progress: Progress,
    *,
    files: bool,
    as_json: bool,
) -> None:
    """Prints tables or JSON to standard output. `files`: read the layers, too. Raises UsageError, ImageError."""
    if specs.count("-") > 1:
        raise UsageError("only one of the images can come from standard input (-)")
    images = [opened(spec, connection, progress, platforms) for spec in specs]
    running = [chosen(image, platforms) for image in images]
    found = sharing(
        [
            (image.name, [layer for one in ones for layer in one.manifest.layers])
            for image, ones in zip(images, running, strict=True)
        ]
    )
    if files:
        layers = Layers(progress, contents=False)
        reads = [[read_platform(image, one, layers) for one in ones] for image, ones in zip(images, running, strict=True)]
        found = replace(found, contents=shared_contents(reads))
    if as_json:
        click.echo(json_text(document("inspect-several", sharing_document(found))))
        return
    from layerkit.report.comparing import sharing_table

    print_tables(sharing_table(found))
