"""The empty image: where a registry deletes nothing, it is pushed over a tag that should no longer give anything.

One layer, an empty tar, because some engines refuse an image without any; it is the one docker wrote for instructions that
change no file, so most registries hold it already. The same platform gives the same digest.
"""

from layerkit.image.blob import blob_of
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor, Platform, new_manifest, to_json
from layerkit.image.media_types import Compression, Family, config_type, layer_type, manifest_type

_EMPTY_LAYER = bytes.fromhex("1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000")
"""docker's own gzip form of 1,024 zero bytes: sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4."""

_EMPTY_DIFF_ID = Digest("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef")
"""Of 1,024 zero bytes: a tar's end and nothing before it."""


def blank_image(platform: Platform = Platform("linux", "amd64"), family: Family = Family.DOCKER) -> Image:  # noqa: B008 - a frozen value
    """A valid image that holds no file and runs nothing."""
    layer = blob_of(_EMPTY_LAYER)
    config = blob_of(
        to_json(
            {
                "architecture": platform.architecture,
                **({"variant": platform.variant} if platform.variant else {}),
                "os": platform.os,
                "config": {"Labels": {"dev.layerkit.blank": "this tag was emptied with layerkit blank"}},
                "rootfs": {"type": "layers", "diff_ids": [_EMPTY_DIFF_ID]},
                "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "layerkit blank"}],
                "created": "1970-01-01T00:00:00Z",
            }
        )
    )
    manifest = new_manifest(
        manifest_type(family),
        Descriptor.of(config_type(family), config.digest, config.size),
        [Descriptor.of(layer_type(family, Compression.GZIP), layer.digest, layer.size)],
    )
    return Image("blank image", manifest.descriptor(), {blob.digest: blob for blob in (layer, config, blob_of(manifest.raw))})
