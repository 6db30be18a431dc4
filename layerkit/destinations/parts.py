"""What of an image is written, in which order: layers, configs, manifests, and what names them.

In: an `Image`. Out: pure values; nothing here writes.
"""

from collections.abc import Iterator

from layerkit.errors import UsageError
from layerkit.image.blob import Blob
from layerkit.image.digest import algorithm, encoded, short
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor, Index, Manifest, to_json
from layerkit.image.media_types import INDEXES, OCI_INDEX, is_foreign_layer, is_ordinary_layer
from layerkit.image.reference import parse_reference

LAYOUT_FILE = "oci-layout"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
INDEX_FILE = "index.json"
DOCKER_FILE = "manifest.json"
REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"


def blob_path(blob: Blob) -> str:
    """Its place in a layout (image-spec image-layout.md, "Blobs")."""
    return f"blobs/{algorithm(blob.digest)}/{encoded(blob.digest)}"


def parts_of(image: Image) -> Iterator[tuple[Blob, str]]:
    """Every blob of the image that is present, with what progress calls it: layers first, then configs, then manifests from the
    inside out. Raises MissingBlobError for a layer or config that should be there; entries of a sparse index and foreign layers
    need not be."""
    documents = [(descriptor, document) for descriptor, document in image.walk() if image.has(descriptor)]
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


def named_root(image: Image, name: str | None) -> Descriptor:
    """The entry of `index.json`: the root, under `name` or the name the image carries. skopeo and podman read one annotation,
    containerd the other."""
    wanted = name or image.reference
    annotations = {key: value for key, value in image.root.annotations.items() if key not in (REF_NAME, CONTAINERD_NAME)}
    if wanted:
        annotations |= {CONTAINERD_NAME: _full(wanted), REF_NAME: wanted}
    return image.root.changed(annotations=annotations or None)


def index_json(entries: list[Descriptor]) -> bytes:
    return to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [dict(entry.fields) for entry in entries]})


def docker_manifest(image: Image, name: str | None) -> bytes | None:
    """The `manifest.json` that lets `docker load` read the layout's blobs; None unless the image is one platform of ordinary
    layers."""
    platforms = image.platforms()
    if len(platforms) != 1 or not all(is_ordinary_layer(layer.media_type) for layer in platforms[0].manifest.layers):
        return None
    manifest = platforms[0].manifest
    tag = _tag(name or image.reference)
    return to_json(
        [
            {
                "Config": blob_path(image.blob(manifest.config)),
                "RepoTags": [tag] if tag else None,
                "Layers": [blob_path(image.blob(layer)) for layer in manifest.layers],
            }
        ]
    )


def _full(name: str) -> str:
    """With its registry, as containerd keeps names; as it is when it is no reference."""
    try:
        return str(parse_reference(name))
    except UsageError:
        return name


def _tag(name: str | None) -> str | None:
    """NAME:TAG for RepoTags; docker refuses names that break the grammar."""
    if not name:
        return None
    try:
        reference = parse_reference(name)
    except UsageError:
        return None
    return f"{reference.registry}/{reference.repository}:{reference.tag}" if reference.tag else None
