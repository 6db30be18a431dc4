"""What of an image is written, in which order: layers, configs, manifests, and what names them.

In: an `Image`. Out: pure values; nothing here writes.
"""

from collections.abc import Iterator, Sequence

from layerkit.errors import UsageError
from layerkit.image.blob import Blob
from layerkit.image.digest import short
from layerkit.image.image import Image
from layerkit.image.layout import CONTAINERD_NAME, REF_NAME, Name, blob_path
from layerkit.image.manifest import Descriptor, Index, Manifest, to_json
from layerkit.image.media_types import INDEXES, OCI_INDEX, is_foreign_layer, is_ordinary_layer
from layerkit.image.reference import parse_reference


def parts_of(image: Image) -> Iterator[tuple[Blob, str]]:
    """Every blob of the image that is present, with what progress calls it: layers first, then configs, then manifests from the
    inside out; those of what stands beside it too. Raises MissingBlobError for a layer or config that should be there; entries of
    a sparse index and foreign layers need not be."""
    documents = [(descriptor, document) for descriptor, document in image.walk(beside=True) if image.has(descriptor)]
    manifests = [document for _, document in documents if isinstance(document, Manifest)]
    for manifest in manifests:
        for layer in manifest.layers:
            if image.has(layer) or not is_foreign_layer(layer.media_type):
                yield image.blob(layer), f"layer {short(layer.digest)}"
    for manifest in manifests:
        yield image.blob(manifest.config), f"config {short(manifest.config.digest)}"
    for descriptor, document in reversed(documents):
        what = "index" if isinstance(document, Index) or descriptor.media_type in INDEXES else "manifest"
        yield image.blob(descriptor), f"{what} {short(descriptor.digest)}"


def entries_of(image: Image, names: Sequence[Name]) -> list[Descriptor]:
    """The entries of `index.json`: the root under each of its names, and what stands beside it."""
    kept = {key: value for key, value in image.root.annotations.items() if key not in (REF_NAME, CONTAINERD_NAME)}
    annotations = [{**kept, **each.annotations} for each in names] or [kept]
    return [*(image.root.changed(annotations=each or None) for each in annotations), *image.beside]


def index_json(entries: Sequence[Descriptor]) -> bytes:
    return to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [dict(entry.fields) for entry in entries]})


def docker_manifest(image: Image, names: Sequence[Name]) -> bytes | None:
    """The `manifest.json` that lets `docker load` read the layout's blobs; None unless the image is one platform of ordinary
    layers."""
    platforms = image.platforms()
    if len(platforms) != 1 or not all(is_ordinary_layer(layer.media_type) for layer in platforms[0].manifest.layers):
        return None
    manifest = platforms[0].manifest
    tags = [tag for each in names if (tag := _tag(each))]
    return to_json(
        [
            {
                "Config": blob_path(image.blob(manifest.config).digest),
                "RepoTags": list(dict.fromkeys(tags)) or None,
                "Layers": [blob_path(image.blob(layer).digest) for layer in manifest.layers],
            }
        ]
    )


def _tag(name: Name) -> str | None:
    """NAME:TAG for RepoTags; docker refuses names that break the grammar, and takes a bare tag for a repository's name."""
    if name.is_tag:
        return None
    try:
        reference = parse_reference(name.text)
    except UsageError:
        return None
    return f"{reference.registry}/{reference.repository}:{reference.tag}" if reference.tag else None
