"""An image's layers read once each.

In: an image and one of its platforms. Out: `PlatformFiles`: all files of all layers, and of their contents what `Kept` keeps.
One thread inflates, one compares the blob's digest, one looks at the files.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from weakref import WeakValueDictionary

from layerkit.compression.kind import compression_of
from layerkit.compression.metering import metered
from layerkit.costs.as_zstd import AsZstd
from layerkit.costs.image_files import ImageFiles
from layerkit.costs.kept import Kept
from layerkit.costs.layer_files import LayerFiles
from layerkit.image.blob import Blob, Buffer
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


class Layers:
    """Reads each layer once, whichever images have it."""

    def __init__(
        self, progress: Progress, began: Callable[[Descriptor, LayerFiles], None] = lambda *_: None, *, contents: bool = True
    ) -> None:
        """`began` is told of each distinct layer before it is read. `contents`: is anything of files' contents to be kept?"""
        self.kept = Kept() if contents else Kept(room=0, heads=0)
        self.progress = progress
        self._began = began
        self._read: WeakValueDictionary[Digest, LayerFiles] = WeakValueDictionary()
        """As long as somebody has an image with them."""
        self._count = 0

    def read(self, image: Image, layer: Descriptor, number: int) -> LayerFiles:
        """`number`: in its image. Raises ImageError when it is missing or damaged, CannotFixError for more files than can be
        listed."""
        found = self._read.get(layer.digest)
        if found is None:
            label = f"layer {number} ({short(layer.digest)})"
            found = LayerFiles(f"{image.name}: {label}", self._count, self.kept)
            self._count += 1
            weakref.finalize(found, self.kept.forget, found.index)
            self._began(layer, found)
            with self.progress.task(label, layer.size) as task:
                _read(image.blob(layer), found, task)
            self._read[layer.digest] = found
        return found


def read_platform(image: Image, platform: PlatformImage, layers: Layers) -> PlatformFiles:
    """All ordinary layers, from the bottom up. Raises as `Layers.read` does."""
    files = ImageFiles()
    notes = []
    descriptors = platform.manifest.layers
    for number, layer in enumerate(descriptors, start=1):
        if is_ordinary_layer(layer.media_type):
            files.add(layers.read(image, layer, number))
        else:
            notes.append(f"layer {number} ({layer.media_type}) is no ordinary layer, and left out")
            layers.progress.warn(notes[-1])
            files.skip()
    return PlatformFiles(
        platform=str(platform.platform) or "unknown",
        layers=tuple(descriptors),
        commands=tuple(dockerfile_line(line) for line in created_by(platform.config, len(descriptors))),
        files=files,
        kept=layers.kept,
        notes=tuple(notes),
    )


def _read(blob: Blob, into: LayerFiles, task: Task) -> None:
    compression = compression_of(blob.content)
    into.estimated = compression is Compression.NONE
    chunks = _watched(blob.verified_aside(into.where), task)
    as_zstd = AsZstd() if compression in (Compression.GZIP, Compression.NONE) else None
    for batch in ahead(metered(chunks, compression, into.where), _AHEAD):
        into.feed(batch.data, batch.marks)
        if as_zstd is not None:
            as_zstd.see(batch)
    into.close(None if into.estimated else blob.size)
    into.zstd_cost = as_zstd.estimate(into.cost) if as_zstd is not None else None


def _watched(chunks: Iterable[Buffer], task: Task) -> Iterator[Buffer]:
    for chunk in chunks:
        yield chunk
        task.advance(len(chunk))
