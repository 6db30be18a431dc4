"""IMAGE, as the commands that look at one take it."""

import sys
from collections.abc import Sequence

from layerkit.cli.options import Connection
from layerkit.cli.registries import Connect, connector
from layerkit.image.image import Image
from layerkit.progress import Progress
from layerkit.sources import open_image


def opened(
    spec: str,
    connection: Connection,
    progress: Progress,
    platforms: Sequence[str] = (),
    connect: Connect | None = None,
) -> Image:
    """The image that was named; what its source noticed is told. `connect`: the command's own, when it speaks to registries
    besides (a password on standard input can be read only once)."""
    connect = connect or connector(connection, progress)
    image = open_image(spec, progress=progress, stdin=sys.stdin.buffer, connect=connect, platforms=platforms)
    for warning in image.warnings:
        progress.warn(warning)
    return image
