"""The files that `--save-attestations` keeps of what is taken out."""

from collections.abc import Iterator

from layerkit.image.blob import Blob
from layerkit.image.digest import encoded
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor, Manifest
from layerkit.image.media_types import is_document


def saved_files(image: Image, descriptor: Descriptor) -> Iterator[tuple[str, Blob]]:
    """(file name, content) of a manifest about the image and of the statements in it; nothing when it isn't there."""
    if not image.has(descriptor):
        return
    name = encoded(descriptor.digest)[:12]
    yield f"{name}.manifest.json", image.blob(descriptor)
    document = image.document(descriptor)
    if isinstance(document, Manifest):
        for number, layer in enumerate(document.layers, 1):
            if image.has(layer):
                yield f"{name}.statement-{number}{'.json' if is_document(layer.media_type) else ''}", image.blob(layer)
