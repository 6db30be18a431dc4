"""Layers read as an image's would be."""

from collections.abc import Iterator

from layerkit.compression.metering import metered
from layerkit.costs.image_files import ImageFiles
from layerkit.costs.kept import Kept
from layerkit.costs.layer_files import LayerFiles
from layerkit.costs.reading import PlatformFiles
from layerkit.image.blob import Buffer
from layerkit.image.digest import sha256
from layerkit.image.manifest import Descriptor
from layerkit.image.media_types import Compression


def layer_files(blob: bytes, compression: Compression = Compression.NONE, index: int = 0, *, step: int = 1 << 20) -> LayerFiles:
    kept = Kept()
    return read_into(LayerFiles("layer", index, kept), blob, compression, step=step)


def read_into(files: LayerFiles, blob: bytes, compression: Compression, *, step: int = 1 << 20) -> LayerFiles:
    """`step`: bytes of the blob in a chunk."""
    files.estimated = compression is Compression.NONE
    for batch in metered(_chunks(blob, step), compression, "layer"):
        files.feed(batch.data, batch.marks)
    files.close(None if files.estimated else len(blob))
    return files


class Tars:
    """Reads uncompressed layers; the same bytes are the same layer."""

    def __init__(self) -> None:
        self._kept = Kept()
        self._read: dict[bytes, LayerFiles] = {}

    def platform(self, *tars: bytes) -> PlatformFiles:
        files = ImageFiles()
        for data in tars:
            if data not in self._read:
                self._read[data] = read_into(LayerFiles("layer", len(self._read), self._kept), data, Compression.NONE)
            files.add(self._read[data])
        layers = tuple(Descriptor.of("application/vnd.oci.image.layer.v1.tar", sha256(data), len(data)) for data in tars)
        return PlatformFiles("linux/amd64", layers, ("",) * len(layers), files, self._kept, ())


def platform_files(*tars: bytes) -> PlatformFiles:
    return Tars().platform(*tars)


def _chunks(data: bytes, step: int) -> Iterator[Buffer]:
    return (data[at : at + step] for at in range(0, len(data), step))
