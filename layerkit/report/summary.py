"""What an image consists of, without reading a layer.

In: an `Image` and a limit. Out: plain values for tables, JSON and HTML. Of each layer in a file six bytes are read, because media
types lie.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from layerkit.compression.kind import compression_of
from layerkit.errors import UsageError
from layerkit.image.digest import Digest
from layerkit.image.history import created_by, dockerfile_line
from layerkit.image.image import Image, PlatformImage
from layerkit.image.manifest import Descriptor, Manifest
from layerkit.image.media_types import Compression, declared_compression
from layerkit.image.referrers import Kind, Referrer

PREDICATE_TYPE = "in-toto.io/predicate-type"
"""Annotation of an attestation's layers: SLSA provenance, SPDX..."""


@dataclass(frozen=True)
class LayerSummary:
    number: int
    """From 1, the bottom one."""
    digest: Digest
    diff_id: Digest | None
    size: int
    """Bytes as stored and pushed."""
    media_type: str
    compression: Compression | None
    """By its first bytes; by its media type when the bytes aren't here; None when neither tells."""
    created_by: str
    """As the config's history has it."""
    present: bool
    exceeds: bool
    """Is it above the limit?"""

    @property
    def command(self) -> str:
        """The Dockerfile's line behind `created_by`, as far as it can be told."""
        return dockerfile_line(self.created_by)

    @property
    def mislabelled(self) -> bool:
        """Does the media type say another compression than the bytes?"""
        declared = declared_compression(self.media_type)
        return declared is not None and self.compression is not None and declared is not self.compression


@dataclass(frozen=True)
class PlatformSummary:
    platform: str
    digest: Digest
    media_type: str
    config: Digest
    size: int
    """Bytes of all layers, one that is listed twice counted twice."""
    layers: tuple[LayerSummary, ...]


@dataclass(frozen=True)
class ReferrerSummary:
    """What is about the image: an attestation, a signature..."""

    digest: Digest
    kind: Kind
    subject: str
    """The digest of what it is about; empty when it doesn't say."""
    predicates: tuple[str, ...]
    """Predicate types; none when the manifest isn't in the file."""
    present: bool


@dataclass(frozen=True)
class ImageSummary:
    name: str
    kind: str
    reference: str | None
    names: tuple[str, ...]
    digest: Digest
    media_type: str
    limit: int
    """Bytes."""
    platforms: tuple[PlatformSummary, ...]
    referrers: tuple[ReferrerSummary, ...]
    absent: tuple[str, ...]
    """Platforms that an index lists and whose blobs aren't here."""
    artifacts: tuple[Digest, ...]
    """Manifests of something that doesn't run."""

    @property
    def size(self) -> int:
        """Bytes of all layers, each blob counted once."""
        return sum({layer.digest: layer.size for platform in self.platforms for layer in platform.layers}.values())


def summarise(image: Image, limit: int, wanted: Sequence[str] = ()) -> ImageSummary:
    """`limit` in bytes; `wanted`: platforms, all when empty. Raises ImageError for documents that are missing or damaged,
    UsageError when none of `wanted` is there."""
    referrers = image.referrers()
    about = {found.descriptor.digest for found in referrers}
    platforms = chosen(image, wanted)
    running = {platform.descriptor.digest for platform in image.platforms()}
    artifacts = [
        descriptor.digest
        for descriptor, document in image.walk()
        if isinstance(document, Manifest) and descriptor.digest not in about | running
    ]
    return ImageSummary(
        name=image.name,
        kind=image.kind,
        reference=image.reference,
        names=tuple(name.text for name in image.names),
        digest=image.root.digest,
        media_type=image.root.media_type,
        limit=limit,
        platforms=tuple(_platform(image, platform, limit) for platform in platforms),
        referrers=tuple(_referrer(image, found) for found in referrers),
        absent=tuple(_absent(descriptor) for descriptor in image.absent() if descriptor.digest not in about),
        artifacts=tuple(artifacts),
    )


def chosen(image: Image, wanted: Sequence[str]) -> list[PlatformImage]:
    """The platforms named, all when none is. Raises UsageError when there is no such."""
    platforms = image.platforms()
    found = [one for one in platforms if not wanted or any(one.platform.matches(name) for name in wanted)]
    if wanted and not found:
        there = ", ".join(str(one.platform) for one in platforms) or "none"
        raise UsageError(f"{image.name}: no platform {' or '.join(wanted)}; there is {there}")
    return found


def _platform(image: Image, platform: PlatformImage, limit: int) -> PlatformSummary:
    descriptors, diff_ids = platform.manifest.layers, platform.config.diff_ids
    commands = created_by(platform.config, len(descriptors))
    seen: dict[Digest, Compression | None] = {}
    layers = []
    for position, descriptor in enumerate(descriptors):
        if descriptor.digest not in seen:
            seen[descriptor.digest] = _compression(image, descriptor)
        layers.append(
            LayerSummary(
                number=position + 1,
                digest=descriptor.digest,
                diff_id=diff_ids[position] if len(diff_ids) == len(descriptors) else None,
                size=descriptor.size,
                media_type=descriptor.media_type,
                compression=seen[descriptor.digest],
                created_by=commands[position],
                present=image.has(descriptor),
                exceeds=descriptor.size > limit,
            )
        )
    return PlatformSummary(
        platform=str(platform.platform) or "unknown",
        digest=platform.descriptor.digest,
        media_type=platform.manifest.media_type,
        config=platform.manifest.config.digest,
        size=sum(descriptor.size for descriptor in descriptors),
        layers=tuple(layers),
    )


def _compression(image: Image, descriptor: Descriptor) -> Compression | None:
    blob = image.blobs.get(descriptor.digest)
    if blob is not None and blob.content.is_local:
        return compression_of(blob.content)
    return declared_compression(descriptor.media_type)


def _referrer(image: Image, found: Referrer) -> ReferrerSummary:
    document = image.document(found.descriptor) if image.has(found.descriptor) else None
    layers = document.layers if isinstance(document, Manifest) else ()
    predicates = tuple(layer.annotations[PREDICATE_TYPE] for layer in layers if PREDICATE_TYPE in layer.annotations)
    return ReferrerSummary(found.descriptor.digest, found.kind, found.subject or "", predicates, image.has(found.descriptor))


def _absent(descriptor: Descriptor) -> str:
    return str(descriptor.platform or "") or descriptor.digest
