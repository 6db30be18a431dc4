"""Images made of raw layer tars, in memory or as an OCI layout."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from layerkit.compression.decode import decoded
from layerkit.image.blob import Blob, blob_of
from layerkit.image.digest import Digest, encoded
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor, new_manifest, to_json
from layerkit.image.media_types import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_LAYER_GZIP, OCI_MANIFEST

NAME = "127.0.0.1/test/image:latest"

Compress = Callable[[bytes], bytes]


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


def image_of(
    *layers: bytes,
    name: str = "image.tar",
    compress: Compress | None = gzipped,
    diff_ids: Sequence[str] | None = None,
    config: Mapping[str, Any] | None = None,
    architecture: str = "amd64",
) -> Image:
    """One platform. `config` adds fields to the config document; `diff_ids` overrules the right ones."""
    blobs: dict[Digest, Blob] = {}
    descriptors = []
    raw = [blob_of(layer).digest for layer in layers]
    for layer in layers:
        blob = blob_of(compress(layer) if compress else layer)
        descriptors.append(_descriptor(blobs, blob, OCI_LAYER_GZIP if compress else OCI_LAYER))
    fields = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/true"]},
        "rootfs": {"type": "layers", "diff_ids": list(raw if diff_ids is None else diff_ids)},
        **(config or {}),
    }
    document = _descriptor(blobs, blob_of(to_json(fields)), OCI_CONFIG)
    manifest = new_manifest(OCI_MANIFEST, document, descriptors)
    return Image(name, _descriptor(blobs, blob_of(manifest.raw), OCI_MANIFEST), blobs)


def index_of(*images: Image, name: str = "image.tar") -> Image:
    """Several platforms: images of different architectures in one index."""
    blobs = {digest: blob for image in images for digest, blob in image.blobs.items()}
    entries = []
    for image in images:
        platform = image.platforms()[0].config.platform
        entries.append({**image.root.fields, "platform": {"os": platform.os, "architecture": platform.architecture}})
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return Image(name, _descriptor(blobs, blob_of(to_json(index)), OCI_INDEX), blobs)


def write_layout(image: Image, folder: Path) -> Path:
    """An OCI layout with the image under the name `NAME` and the tag `latest`."""
    store = folder / "blobs" / "sha256"
    store.mkdir(parents=True)
    for digest, blob in image.blobs.items():
        (store / encoded(digest)).write_bytes(b"".join(bytes(chunk) for chunk in blob.chunks()))
    names = {"org.opencontainers.image.ref.name": "latest", "io.containerd.image.name": NAME}
    root = image.root.changed(annotations=names)
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [dict(root.fields)]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return folder


def layers_of(image: Image) -> list[bytes]:
    """The raw tars of a one-platform image."""
    manifest = image.platforms()[0].manifest
    return [b"".join(map(bytes, decoded(image.blob(layer).content, "layer"))) for layer in manifest.layers]


def _descriptor(blobs: dict[Digest, Blob], blob: Blob, media_type: str) -> Descriptor:
    blobs[blob.digest] = blob
    return Descriptor.of(media_type, blob.digest, blob.size)
