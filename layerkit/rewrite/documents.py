"""Manifests, configs and indexes in step with their layers.

In: an image. Out: `Fixed`: the image that results, and what was changed on the way. A document of which nothing changes keeps its
bytes. Rules: image-spec manifest.md, config.md and image-index.md; moby: "layers from manifest don't match image
configuration", "too many non-empty layers in History section".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from layerkit.errors import CannotFixError, DamagedError, UsageError
from layerkit.image.attestation import SUBJECT_DIGEST, describes_attestation, is_attestation
from layerkit.image.blob import Blob, blob_of
from layerkit.image.digest import Digest, short
from layerkit.image.image import MAX_DEPTH, Image, PlatformImage
from layerkit.image.manifest import Config, Descriptor, Index, new_manifest
from layerkit.image.media_types import Family, config_type, family_of, index_type, is_image_config, manifest_type
from layerkit.progress import SILENT, Progress
from layerkit.rewrite.decisions import MANY_LAYERS, MAX_LAYERS, target_family
from layerkit.rewrite.layers import LayerChange, LayerRewriter, Nobody, Receiver
from layerkit.rewrite.options import FixOptions
from layerkit.spool import Spool


@dataclass(frozen=True)
class Fixed:
    """The result of a rewrite."""

    image: Image
    changes: tuple[LayerChange, ...]
    attestations: tuple[Descriptor, ...]
    """What was taken out."""
    absent: tuple[Descriptor, ...]
    """Entries of a sparse index that were taken out because nothing of them is in the image."""


_NOBODY = Nobody()


def fix_image(
    image: Image,
    options: FixOptions,
    *,
    spool: Spool | None = None,
    progress: Progress = SILENT,
    receiver: Receiver = _NOBODY,
) -> Fixed:
    """Raises ImageError for a damaged image, CannotFixError for one that can't be fixed as asked, UsageError for a platform it
    doesn't have."""
    return _Rewrite(image, options, LayerRewriter(image, options, spool or Spool(), progress, receiver), progress).run()


class _Rewrite:
    def __init__(self, image: Image, options: FixOptions, layers: LayerRewriter, progress: Progress) -> None:
        self._image = image
        self._options = options
        self._layers = layers
        self._progress = progress
        self._new: dict[Digest, Blob] = {}
        self._attestations: list[Descriptor] = []
        self._absent: list[Descriptor] = []
        self._renamed: dict[Digest, Digest] = {}
        """Manifest -> what it became."""

    def run(self) -> Fixed:
        self._check_platforms()
        root = self._node(self._image.root, 0)
        if root is None:
            raise CannotFixError(
                f"{self._image.name}: nothing is left of the image; its manifests are attestations or not in the file"
            )
        blobs = {**self._image.blobs, **self._layers.blobs, **self._new}
        image = replace(self._image, root=self._collapsed(root, blobs), blobs=blobs)
        return Fixed(image, tuple(self._layers.changes.values()), tuple(self._attestations), tuple(self._absent))

    def _check_platforms(self) -> None:
        held = [found.platform for found in self._image.platforms()]
        for wanted in self._options.platforms:
            if not any(platform.matches(wanted) for platform in held):
                there = ", ".join(sorted(map(str, held))) or "none"
                raise UsageError(f"{self._image.name}: no image for --platform {wanted}; there is {there}")

    def _node(self, descriptor: Descriptor, depth: int) -> Descriptor | None:
        """What a manifest or index becomes; None: it goes."""
        if describes_attestation(descriptor) and not self._options.keep_attestations:
            self._attestations.append(descriptor)
            return None
        if depth and not self._image.has(descriptor):
            self._absent.append(descriptor)
            return None
        if depth and not (descriptor.media_type == "" or "manifest" in descriptor.media_type or "index" in descriptor.media_type):
            return descriptor
        document = self._image.document(descriptor)
        if isinstance(document, Index):
            if depth >= MAX_DEPTH:
                raise DamagedError(f"{self._image.name}: indexes are nested more than {MAX_DEPTH} deep")
            return self._index(descriptor, document, depth)
        if is_attestation(document):
            if self._options.keep_attestations:
                return self._kept(descriptor)
            self._attestations.append(descriptor)
            return None
        if not is_image_config(document.config.media_type):
            for layer in document.layers:
                self._layers.keep(layer, family_of(document.media_type))
            return descriptor
        found = PlatformImage(descriptor, document, self._image.config(document))
        if self._options.platforms and not any(found.platform.matches(wanted) for wanted in self._options.platforms):
            return None
        new = self._manifest(found)
        self._renamed[descriptor.digest] = new.digest
        return new

    def _kept(self, descriptor: Descriptor) -> Descriptor:
        """An attestation that stays points at what its image became."""
        subject = self._renamed.get(Digest(descriptor.annotations.get(SUBJECT_DIGEST, "")))
        if subject is None or subject == descriptor.annotations[SUBJECT_DIGEST]:
            return descriptor
        self._progress.warn(f"attestation {short(descriptor.digest)} was made for the image before it was rewritten")
        return descriptor.changed(annotations={**descriptor.annotations, SUBJECT_DIGEST: subject})

    def _index(self, descriptor: Descriptor, index: Index, depth: int) -> Descriptor | None:
        # Images before their attestations, which name them.
        order = sorted(range(len(index.entries)), key=lambda at: describes_attestation(index.entries[at]))
        became = {at: self._node(index.entries[at], depth + 1) for at in order}
        entries = [entry for at in range(len(index.entries)) if (entry := became[at]) is not None]
        if not entries:
            return None
        family = self._options.family or family_of(index.media_type)
        if entries == list(index.entries) and index.media_type == index_type(family):
            return descriptor
        fields = {**index.fields, "schemaVersion": 2, "mediaType": index_type(family)}
        new = replace(index, fields=fields, media_type=index_type(family)).with_entries(entries)
        return self._add(descriptor, new.raw, new.digest, new.media_type)

    def _manifest(self, found: PlatformImage) -> Descriptor:
        """A platform's manifest over its new layers."""
        manifest, config = found.manifest, found.config
        where = f"{self._image.name}: manifest {short(found.descriptor.digest)}"
        if len(manifest.layers) != len(config.diff_ids):
            raise DamagedError.mismatch(
                where, expected=f"{len(manifest.layers)} diff_ids in the config, one per layer", found=str(len(config.diff_ids))
            )
        family = target_family(manifest.media_type, self._options)
        became = [
            self._layers.rewrite(layer, diff_id, family) for layer, diff_id in zip(manifest.layers, config.diff_ids, strict=True)
        ]
        layers = [layer for parts in became for layer, _ in parts]
        self._check_count(len(layers), len(manifest.layers), where)
        new_config = _in_step(config, became)
        if layers == list(manifest.layers) and new_config is config and family is family_of(manifest.media_type):
            return found.descriptor
        config_descriptor = manifest.config.changed(
            mediaType=config_type(family), digest=new_config.digest, size=len(new_config.raw), data=None
        )
        self._new[new_config.digest] = blob_of(new_config.raw)
        kept = {key: value for key, value in manifest.fields.items() if key not in _REWRITTEN}
        if family is Family.DOCKER:
            kept = {}  # schema 2 has neither annotations nor subjects
        new = new_manifest(manifest_type(family), config_descriptor, layers, **kept)
        return self._add(found.descriptor, new.raw, new.digest, new.media_type)

    def _add(self, descriptor: Descriptor, raw: bytes, digest: Digest, media_type: str) -> Descriptor:
        self._new[digest] = blob_of(raw)
        return descriptor.changed(mediaType=media_type, digest=digest, size=len(raw), data=None)

    def _check_count(self, count: int, before: int, where: str) -> None:
        if count > max(MAX_LAYERS, before):
            raise CannotFixError(
                f"{where}: {count} layers would result of {before}, and docker takes at most {MAX_LAYERS}; raise --max-layer-size"
            )
        if count > max(MANY_LAYERS, before):
            self._progress.warn(f"{where}: {count} layers; some container engines fail above {MANY_LAYERS}")

    def _collapsed(self, root: Descriptor, blobs: Mapping[Digest, Blob]) -> Descriptor:
        """The one manifest in an index, as deep as it is, where the target wants it alone."""
        image = replace(self._image, root=root, blobs=blobs)
        while self._options.collapse_index:
            document = image.document(root)
            if not isinstance(document, Index) or len(document.entries) != 1:
                break
            root = document.entries[0]
        return root


_REWRITTEN = ("schemaVersion", "mediaType", "config", "layers")


def _in_step(config: Config, became: Sequence[Sequence[tuple[Descriptor, Digest]]]) -> Config:
    """The config with the diff_ids that the layers have now, and a line of history for each."""
    diff_ids = [diff_id for parts in became for _, diff_id in parts]
    if diff_ids == list(config.diff_ids):
        return config
    counts = [len(parts) for parts in became]
    lines = [line.fields for line in config.history]
    real = [number for number, line in enumerate(config.history) if not line.empty_layer]
    if len(real) == len(counts):
        repeat = dict(zip(real, counts, strict=True))
        lines = [new for number, line in enumerate(lines) for new in _repeated(line, repeat.get(number, 1))]
    return config.with_layers(diff_ids, lines or None)


def _repeated(line: Mapping[str, Any], count: int) -> list[Mapping[str, Any]]:
    """A line of history for each part of its layer."""
    if count == 1:
        return [line]
    comment = line.get("comment")
    prefix = f"{comment}; " if isinstance(comment, str) and comment else ""
    return [{**line, "comment": f"{prefix}part {number} of {count} (layerkit)"} for number in range(1, count + 1)]
