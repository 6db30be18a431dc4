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
    kept = Kept(lambda path, size: False)
    return read_into(LayerFiles("layer", index, kept), blob, compression, step=step)


def read_into(files: LayerFiles, blob: bytes, compression: Compression, *, step: int = 1 << 20) -> LayerFiles:
    """`step`: bytes of the blob in a chunk."""
    files.estimated = compression is Compression.NONE
    for batch in metered(_chunks(blob, step), compression, "layer"):
        files.feed(batch.data, batch.marks)
    files.close(None if files.estimated else len(blob))
    return files


def platform_files(*tars: bytes) -> PlatformFiles:
    """Of uncompressed layers; the same bytes are the same layer."""
    files, kept = ImageFiles(), Kept(lambda path, size: False)
    read: dict[bytes, LayerFiles] = {}
    for data in tars:
        if data not in read:
            read[data] = read_into(LayerFiles("layer", len(read), kept), data, Compression.NONE)
        files.add(read[data])
    layers = tuple(Descriptor.of("application/vnd.oci.image.layer.v1.tar", sha256(data), len(data)) for data in tars)
    return PlatformFiles("linux/amd64", layers, ("",) * len(layers), files, kept, ())


def _chunks(data: bytes, step: int) -> Iterator[Buffer]:
    return (data[at : at + step] for at in range(0, len(data), step))
