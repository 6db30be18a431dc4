"""An image: a root descriptor and the blobs below it.

In: what a source found (blobs by digest, the descriptor of the outermost manifest or index). Out: its documents and blobs,
verified against their descriptors as they are read. Images are values: `rewrite.fix` makes a new one over the same blobs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from layerkit.errors import DamagedError, MissingBlobError
from layerkit.image.attestation import describes_attestation, is_attestation
from layerkit.image.blob import Blob
from layerkit.image.digest import Digest
from layerkit.image.foreign import MAX_DOCUMENT
from layerkit.image.manifest import (
    Config,
    Descriptor,
    Index,
    Manifest,
    Platform,
    parse_config,
    parse_document,
)
from layerkit.image.media_types import INDEXES, is_image_config

MAX_DEPTH = 8
"""Indexes nested deeper than this are taken for a loop; real ones nest twice."""


@dataclass(frozen=True)
class PlatformImage:
    """One runnable image: a manifest whose blobs are present, its config, and how the index above describes it."""

    descriptor: Descriptor
    manifest: Manifest
    config: Config

    @property
    def platform(self) -> Platform:
        """The index's word if it has one, the config's otherwise."""
        return self.descriptor.platform or self.config.platform


@dataclass(frozen=True)
class Image:
    """`blobs` maps every digest that is present to its Blob; `name` is what messages call the image."""

    name: str
    root: Descriptor
    blobs: Mapping[Digest, Blob]
    reference: str | None = None
    """The name the image itself carries (`RepoTags`, `org.opencontainers.image.ref.name`), if any."""
    kind: str = "image"
    """What it was read from, for people: `OCI archive`, `docker archive`, `OCI layout`, ..."""
    warnings: tuple[str, ...] = field(default=())
    """What its source noticed and the user should know."""

    def blob(self, descriptor: Descriptor) -> Blob:
        """The blob a descriptor names. Raises MissingBlobError, or DamagedError when the sizes differ."""
        blob = self.blobs.get(descriptor.digest)
        if blob is None:
            raise MissingBlobError(
                f"{self.name}: blob {descriptor.digest} ({descriptor.size:,} bytes, {descriptor.media_type}) is not in the "
                "image; save it again with all its layers"
            )
        if blob.size != descriptor.size:
            raise DamagedError.mismatch(
                f"{self.name}: blob {descriptor.digest}",
                expected=f"{descriptor.size:,} bytes",
                found=f"{blob.size:,} bytes",
                why="the file is truncated or was altered",
            )
        return blob

    def has(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self.blobs

    def read(self, descriptor: Descriptor) -> bytes:
        """A JSON document's bytes, verified. Raises ImageError when missing, damaged or over MAX_DOCUMENT bytes."""
        blob = self.blob(descriptor)
        if blob.size > MAX_DOCUMENT:
            raise DamagedError.mismatch(
                f"{self.name}: blob {descriptor.digest}",
                expected=f"a JSON document of at most {MAX_DOCUMENT:,} bytes",
                found=f"{blob.size:,} bytes",
            )
        return b"".join(bytes(chunk) for chunk in blob.verified(self.name))

    def document(self, descriptor: Descriptor) -> Manifest | Index:
        return parse_document(self.read(descriptor), f"{self.name}: {descriptor.digest}", descriptor.media_type)

    def config(self, manifest: Manifest) -> Config:
        return parse_config(self.read(manifest.config), f"{self.name}: config {manifest.config.digest}")

    def walk(self) -> Iterator[tuple[Descriptor, Manifest | Index | None]]:
        """Every descriptor of a manifest or index, from the root down, each once, with its document; None when it isn't present
        (a sparse index) or is something else (an artifact of an unknown type). The root must be present."""
        seen: set[Digest] = set()
        waiting = [(self.root, 0)]
        while waiting:
            descriptor, depth = waiting.pop(0)
            if descriptor.digest in seen:
                continue
            seen.add(descriptor.digest)
            if depth > MAX_DEPTH:
                raise DamagedError.mismatch(
                    f"{self.name}: {descriptor.digest}", expected=f"at most {MAX_DEPTH} nested indexes", found="more"
                )
            if depth and not self.has(descriptor):
                yield descriptor, None
                continue
            if depth and descriptor.media_type not in INDEXES and not _may_be_document(descriptor):
                yield descriptor, None
                continue
            document = self.document(descriptor)
            yield descriptor, document
            if isinstance(document, Index):
                waiting.extend((entry, depth + 1) for entry in document.entries)

    def platforms(self) -> list[PlatformImage]:
        """The runnable images whose manifests are present, in the index's order; attestations and other artifacts left
        out."""
        found = []
        for descriptor, document in self.walk():
            if not isinstance(document, Manifest) or describes_attestation(descriptor) or is_attestation(document):
                continue
            if not is_image_config(document.config.media_type):
                continue
            found.append(PlatformImage(descriptor, document, self.config(document)))
        return found

    def attestations(self) -> list[Descriptor]:
        """Descriptors of attestation manifests, present or not."""
        return [
            descriptor
            for descriptor, document in self.walk()
            if describes_attestation(descriptor) or (isinstance(document, Manifest) and is_attestation(document))
        ]

    def absent(self) -> list[Descriptor]:
        """Entries of a sparse index: other platforms whose manifests are not in the file."""
        return [descriptor for descriptor, document in self.walk() if document is None and not self.has(descriptor)]


def _may_be_document(descriptor: Descriptor) -> bool:
    """Manifests have a `manifest` media type in both families; an entry without any type is looked into."""
    return not descriptor.media_type or "manifest" in descriptor.media_type
