"""The files that `--save-attestations` keeps of what is taken out."""

from collections.abc import Iterator

from layerkit.image.digest import encoded
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor, Manifest


def attestation_files(image: Image, descriptor: Descriptor) -> Iterator[tuple[str, bytes]]:
    """(file name, bytes) of an attestation's manifest and of the in-toto statements in it; nothing when it isn't in the image."""
    if not image.has(descriptor):
        return
    name = encoded(descriptor.digest)[:12]
    yield f"{name}.manifest.json", image.read(descriptor)
    document = image.document(descriptor)
    if isinstance(document, Manifest):
        for number, layer in enumerate(document.layers, 1):
            if image.has(layer):
                yield f"{name}.statement-{number}.json", image.read(layer)
