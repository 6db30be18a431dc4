"""An image's layers read once each.

In: an image and one of its platforms. Out: `PlatformFiles`: all files of all layers, and of their contents what `Kept` keeps.
One thread inflates, one compares the blob's digest, one looks at the files.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from layerkit.compression.kind import compression_of
from layerkit.compression.metering import metered
from layerkit.costs.image_files import ImageFiles
from layerkit.costs.kept import Kept
from layerkit.costs.layer_files import LayerFiles
from layerkit.image.blob import Buffer
from layerkit.image.digest import Digest, short
from layerkit.image.history import created_by, dockerfile_line
from layerkit.image.image import Image, PlatformImage
from layerkit.image.manifest import Descriptor
from layerkit.image.media_types import Compression, is_ordinary_layer
from layerkit.progress import Progress, Task
from layerkit.threads import ahead

_AHEAD = 4
"""Batches of inflated bytes that may wait."""


@dataclass(frozen=True)
class PlatformFiles:
    platform: str
    layers: tuple[Descriptor, ...]
    commands: tuple[str, ...]
    """The Dockerfile's line behind each layer, as far as the history tells."""
    files: ImageFiles
    kept: Kept
    notes: tuple[str, ...]
    """What couldn't be read, a line each."""


def read_platform(
    image: Image, platform: PlatformImage, progress: Progress, began: Callable[[LayerFiles], None] = lambda _: None
) -> PlatformFiles:
    """All ordinary layers, from the bottom up. `began` is told of each distinct layer before it is read. Raises ImageError for
    layers that are missing or damaged, CannotFixError for more files than can be listed."""
    files, kept = ImageFiles(), Kept(lambda path, size: False)
    read: dict[Digest, LayerFiles] = {}
    notes = []
    for number, layer in enumerate(platform.manifest.layers, start=1):
        if not is_ordinary_layer(layer.media_type):
            notes.append(f"layer {number} ({layer.media_type}) is no ordinary layer, and left out")
            progress.warn(notes[-1])
            files.skip()
            continue
        if layer.digest not in read:
            label = f"layer {number} ({short(layer.digest)})"
            found = read[layer.digest] = LayerFiles(f"{image.name}: {label}", len(read), kept)
            began(found)
            with progress.task(label, layer.size) as task:
                read_layer(image, layer, found, task)
        files.add(read[layer.digest])
    layers = platform.manifest.layers
    return PlatformFiles(
        platform=str(platform.platform) or "unknown",
        layers=tuple(layers),
        commands=tuple(dockerfile_line(line) for line in created_by(platform.config, len(layers))),
        files=files,
        kept=kept,
        notes=tuple(notes),
    )


def read_layer(image: Image, layer: Descriptor, into: LayerFiles, task: Task) -> None:
    """Raises ImageError when it is missing or damaged."""
    blob = image.blob(layer)
    compression = compression_of(blob.content)
    into.estimated = compression is Compression.NONE
    chunks = _watched(blob.verified_aside(into.where), task)
    for batch in ahead(metered(chunks, compression, into.where), _AHEAD):
        into.feed(batch.data, batch.marks)
    into.close(None if into.estimated else blob.size)


def _watched(chunks: Iterable[Buffer], task: Task) -> Iterator[Buffer]:
    for chunk in chunks:
        yield chunk
        task.advance(len(chunk))
