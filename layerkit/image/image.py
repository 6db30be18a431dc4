"""An image: a root descriptor and the blobs below it.

In: what a source found (blobs by digest, the descriptor of the outermost manifest or index). Out: its documents and blobs,
verified against their descriptors as they are read. Images are values: `rewrite.fix` makes a new one over the same blobs.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from layerkit.errors import DamagedError, MissingBlobError
from layerkit.image.blob import Blob
from layerkit.image.digest import Digest
from layerkit.image.foreign import MAX_DOCUMENT
from layerkit.image.layout import Name
from layerkit.image.manifest import (
    Config,
    Descriptor,
    Index,
    Manifest,
    Platform,
    parse_config,
    parse_document,
)
from layerkit.image.media_types import INDEXES
from layerkit.image.referrers import Kind, Referrer, is_runnable, referrer

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

    @property
    def is_windows(self) -> bool:
        """Does the index or the config say so, however it is spelled? Wrongly said of either, it is still no reason to split."""
        said = (self.descriptor.platform or Platform("", "")).os, self.config.platform.os
        return any(os.strip().casefold().startswith("windows") for os in said)


@dataclass(frozen=True)
class Image:
    """`blobs` maps every digest that is present to its Blob; `name` is what messages call the image."""

    name: str
    root: Descriptor
    blobs: Mapping[Digest, Blob]
    names: tuple[Name, ...] = ()
    """What the image itself says it is called (`RepoTags`, `org.opencontainers.image.ref.name`): the first is the main one."""
    kind: str = "image"
    """What it was read from, for people: `OCI archive`, `docker archive`, `OCI layout`, ..."""
    warnings: tuple[str, ...] = field(default=())
    """What its source noticed and the user should know."""
    beside: tuple[Descriptor, ...] = ()
    """Manifests about the image that stand beside it in its layout, and not in its index: signatures, SBOMs."""

    @property
    def reference(self) -> str | None:
        """The first of its names that says more than a tag."""
        return next((name.text for name in self.names if not name.is_tag), None)

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

    def walk(self, *, beside: bool = False) -> Iterator[tuple[Descriptor, Manifest | Index | None]]:
        """Every descriptor of a manifest or index, from the root down, each once, with its document; None when it isn't present
        (a sparse index) or is something else (an artifact of an unknown type). The root must be present. `beside`: what stands
        beside the root follows."""
        return ((descriptor, document) for descriptor, document, _ in self._classified(beside=beside))

    def platforms(self) -> list[PlatformImage]:
        """The runnable images whose manifests are present, in the index's order; what is about them and other artifacts left
        out."""
        return [
            PlatformImage(descriptor, document, self.config(document))
            for descriptor, document, about in self._classified()
            if about is None and isinstance(document, Manifest) and is_runnable(document)
        ]

    def referrers(self) -> list[Referrer]:
        """What is about the image, present or not: in its indexes, and beside it."""
        return [about for _, _, about in self._classified(beside=True) if about is not None]

    def _classified(self, *, beside: bool = False) -> Iterator[tuple[Descriptor, Manifest | Index | None, Referrer | None]]:
        """`walk`, with what the manifest is about; whatever an index lists that is about something, is about that too."""
        seen: set[Digest] = set()
        waiting = deque([(self.root, 0, False)])
        waiting.extend((descriptor, 1, True) for descriptor in (self.beside if beside else ()))
        while waiting:
            descriptor, depth, inherited = waiting.popleft()
            if descriptor.digest in seen:
                continue
            seen.add(descriptor.digest)
            if depth > MAX_DEPTH:
                raise DamagedError.mismatch(
                    f"{self.name}: {descriptor.digest}", expected=f"at most {MAX_DEPTH} nested indexes", found="more"
                )
            is_there = not depth or (self.has(descriptor) and names_manifest(descriptor))
            document = self.document(descriptor) if is_there else None
            about = referrer(descriptor, document) if depth else None
            if about is None and inherited:
                about = Referrer(descriptor, Kind.ARTIFACT, None, can_follow=False)
            yield descriptor, document, about
            if isinstance(document, Index):
                waiting.extend((entry, depth + 1, about is not None) for entry in document.entries)

    def absent(self) -> list[Descriptor]:
        """Entries of a sparse index: other platforms whose manifests are not in the file."""
        return [descriptor for descriptor, document in self.walk() if document is None and not self.has(descriptor)]


def names_manifest(descriptor: Descriptor) -> bool:
    """A manifest or index: they have a `manifest` or index media type in both families; one without any type is looked into."""
    return not descriptor.media_type or descriptor.media_type in INDEXES or "manifest" in descriptor.media_type
