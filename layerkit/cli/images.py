"""IMAGE, as the commands that look at one take it."""

import sys
from collections.abc import Sequence

from layerkit.cli.options import Connection
from layerkit.cli.registries import connector
from layerkit.image.image import Image
from layerkit.progress import Progress
from layerkit.sources import open_image


def opened(spec: str, connection: Connection, progress: Progress, platforms: Sequence[str] = ()) -> Image:
    """The image that was named; what its source noticed is told."""
    image = open_image(
        spec, progress=progress, stdin=sys.stdin.buffer, connect=connector(connection, progress), platforms=platforms
    )
    for warning in image.warnings:
        progress.warn(warning)
    return image
