"""Media types, the two families they come in, and what bytes really are.

image-spec media-types.md; Docker image manifest version 2 schema 2; "zstd" layers: image-spec v1.1 layer.md.
"""

from enum import Enum

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = OCI_LAYER + "+gzip"
OCI_LAYER_ZSTD = OCI_LAYER + "+zstd"
OCI_FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = DOCKER_LAYER + ".gzip"
DOCKER_LAYER_ZSTD = DOCKER_LAYER + ".zstd"
DOCKER_FOREIGN_LAYER_GZIP = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
IN_TOTO = "application/vnd.in-toto+json"

INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})


class Family(Enum):
    """Media types of the two families don't mix in one manifest: containers/image rejects Docker manifests with OCI layers."""

    OCI = "oci"
    DOCKER = "docker"


class Compression(Enum):
    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    XZ = "xz"
    BZIP2 = "bzip2"


_LAYERS = {
    (Family.OCI, Compression.NONE): OCI_LAYER,
    (Family.OCI, Compression.GZIP): OCI_LAYER_GZIP,
    (Family.OCI, Compression.ZSTD): OCI_LAYER_ZSTD,
    (Family.DOCKER, Compression.NONE): DOCKER_LAYER,
    (Family.DOCKER, Compression.GZIP): DOCKER_LAYER_GZIP,
    (Family.DOCKER, Compression.ZSTD): DOCKER_LAYER_ZSTD,
}
_LAYER_KINDS = {media_type: key for key, media_type in _LAYERS.items()}


def family_of(media_type: str) -> Family:
    """Docker for Docker's own types, OCI for everything else."""
    return Family.DOCKER if media_type.startswith("application/vnd.docker.") else Family.OCI


def layer_type(family: Family, compression: Compression) -> str:
    """The media type of an ordinary layer. Raises KeyError for compressions that have none (xz, bzip2)."""
    return _LAYERS[family, compression]


def is_ordinary_layer(media_type: str) -> bool:
    """A tar in one of the registered compressions, that may be pushed: not foreign, not encrypted, not an artifact's blob."""
    return media_type in _LAYER_KINDS


def is_image_config(media_type: str) -> bool:
    """The config of something that runs, and not of an artifact."""
    return media_type in (OCI_CONFIG, DOCKER_CONFIG)


def is_document(media_type: str) -> bool:
    """JSON, XML or text: nothing that a filesystem is made of (RFC 6839, structured syntax suffixes)."""
    return media_type.endswith(("json", "xml")) or media_type.startswith("text/")


def is_foreign_layer(media_type: str) -> bool:
    """Non-distributable: its bytes stay where its `urls` say (image-spec layer.md, "Non-Distributable Layers")."""
    return "nondistributable" in media_type or ".foreign." in media_type


def declared_compression(media_type: str) -> Compression | None:
    """What the media type says, None when it isn't an ordinary layer's. The bytes may say something else."""
    kind = _LAYER_KINDS.get(media_type)
    return kind[1] if kind else None


def manifest_type(family: Family) -> str:
    return OCI_MANIFEST if family is Family.OCI else DOCKER_MANIFEST


def config_type(family: Family) -> str:
    return OCI_CONFIG if family is Family.OCI else DOCKER_CONFIG


def index_type(family: Family) -> str:
    return OCI_INDEX if family is Family.OCI else DOCKER_INDEX
