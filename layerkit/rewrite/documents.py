"""Manifests, configs and indexes in step with their layers, and what is about them in step with them.

In: an image. Out: `Fixed`: the image that results, and what was changed on the way. A document of which nothing changes keeps its
bytes. Rules: image-spec manifest.md, config.md and image-index.md; moby: "layers from manifest don't match image
configuration", "too many non-empty layers in History section".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from layerkit.errors import CannotFixError, DamagedError, UsageError
from layerkit.image.blob import Blob, blob_of
from layerkit.image.digest import Digest, short
from layerkit.image.image import MAX_DEPTH, Image, PlatformImage, names_manifest
from layerkit.image.manifest import Config, Descriptor, Index, Manifest, new_manifest, to_json
from layerkit.image.media_types import Family, config_type, family_of, index_type, manifest_type
from layerkit.image.referrers import SOCI_INDEX, SUBJECT_DIGEST, Kind, Referrer, is_runnable, referrer
from layerkit.progress import SILENT, Progress
from layerkit.rewrite.decisions import MANY_LAYERS, MAX_LAYERS, Fate, fate_of, target_family
from layerkit.rewrite.layers import LayerChange, LayerRewriter, Nobody, Receiver
from layerkit.rewrite.options import FixOptions
from layerkit.rewrite.splits import OwnSplits, Splits


@dataclass(frozen=True)
class Fixed:
    """The result of a rewrite."""

    image: Image
    changes: tuple[LayerChange, ...]
    taken_out: tuple[Referrer, ...]
    """What was about the image, and artifacts that a Docker manifest list can't name."""
    absent: tuple[Descriptor, ...]
    """Entries of a sparse index that were taken out because nothing of them is in the image."""


_NOBODY = Nobody()


def fix_image(
    image: Image,
    options: FixOptions,
    *,
    splits: Splits | None = None,
    progress: Progress = SILENT,
    receiver: Receiver = _NOBODY,
) -> Fixed:
    """`splits`: where layers are split, the image's own by default. Raises ImageError for a damaged image, CannotFixError for one
    that can't be fixed as asked, UsageError for a platform it doesn't have."""
    return _Rewrite(image, options, LayerRewriter(image, options, splits or OwnSplits(), progress, receiver), progress).run()


class _Rewrite:
    def __init__(self, image: Image, options: FixOptions, layers: LayerRewriter, progress: Progress) -> None:
        self._image = image
        self._options = options
        self._layers = layers
        self._progress = progress
        self._family = target_family(image, options)
        self._new: dict[Digest, Blob] = {}
        self._taken_out: dict[Digest, Referrer] = {}
        self._absent: dict[Digest, Descriptor] = {}
        self._documents: dict[Digest, Manifest | Index] = {}
        self._results: dict[Digest, Descriptor | None] = {}
        """What each manifest and index that was looked at became; None: it is gone. An index may list one any number of times."""
        self._images: set[Digest] = set()
        """Those of them that are images or list some."""

    def run(self) -> Fixed:
        self._check_platforms()
        root = self._node(self._image.root, 0)
        if root is None:
            raise CannotFixError(
                f"{self._image.name}: nothing is left of the image; its manifests are attestations or not in the file"
            )
        about = [self._referrer(entry) or _artifact(entry) for entry in self._image.beside]
        beside = tuple(entry for entry in self._settled(about) if entry is not None)
        blobs = {**self._image.blobs, **self._layers.blobs, **self._new}
        image = replace(self._image, root=self._collapsed(root, blobs), blobs=blobs, beside=beside)
        return Fixed(image, tuple(self._layers.changes.values()), tuple(self._taken_out.values()), tuple(self._absent.values()))

    def _check_platforms(self) -> None:
        held = [found.platform for found in self._image.platforms()]
        for wanted in self._options.platforms:
            if not any(platform.matches(wanted) for platform in held):
                there = ", ".join(sorted(map(str, held))) or "none"
                raise UsageError(f"{self._image.name}: no image for --platform {wanted}; there is {there}")

    def _document(self, descriptor: Descriptor) -> Manifest | Index:
        if descriptor.digest not in self._documents:
            self._documents[descriptor.digest] = self._image.document(descriptor)
        return self._documents[descriptor.digest]

    # Images and indexes

    def _node(self, descriptor: Descriptor, depth: int) -> Descriptor | None:
        """What a manifest or index that is about no other becomes; None: it goes."""
        if depth and not self._image.has(descriptor):
            self._absent[descriptor.digest] = descriptor
            return None
        if depth and not names_manifest(descriptor):
            return descriptor
        document = self._document(descriptor)
        if isinstance(document, Manifest) and is_runnable(document):
            self._images.add(descriptor.digest)
            if not self._is_wanted(PlatformImage(descriptor, document, self._image.config(document))):
                self._results.setdefault(descriptor.digest, None)
                return None
        known = descriptor.digest in self._results and (
            isinstance(document, Index) or self._results[descriptor.digest] is not None
        )
        if not known:
            self._results[descriptor.digest] = self._result(descriptor, document, depth)
        result = self._results[descriptor.digest]
        if result is None:
            return None
        if result.digest == descriptor.digest:
            return descriptor
        return descriptor.changed(mediaType=result.media_type, digest=result.digest, size=result.size, data=None)

    def _result(self, descriptor: Descriptor, document: Manifest | Index, depth: int) -> Descriptor | None:
        if isinstance(document, Index):
            if depth >= MAX_DEPTH:
                raise DamagedError(f"{self._image.name}: indexes are nested more than {MAX_DEPTH} deep")
            self._images.add(descriptor.digest)
            return self._index(descriptor, document, depth)
        if is_runnable(document):
            return self._manifest(PlatformImage(descriptor, document, self._image.config(document)))
        for layer in document.layers:
            self._layers.keep(layer, family_of(document.media_type))
        return descriptor

    def _is_wanted(self, found: PlatformImage) -> bool:
        wanted = self._options.platforms
        return not wanted or any(found.platform.matches(each) for each in wanted)

    def _index(self, descriptor: Descriptor, index: Index, depth: int) -> Descriptor | None:
        about = {at: found for at, entry in enumerate(index.entries) if (found := self._referrer(entry)) is not None}
        became = {at: self._node(entry, depth + 1) for at, entry in enumerate(index.entries) if at not in about}
        became |= dict(zip(about, self._settled(about.values()), strict=True))  # they name what is settled before them
        entries = [entry for _, entry in sorted(became.items()) if entry is not None and self._may_be_listed(entry)]
        if not entries:
            return None
        if entries == list(index.entries) and index.media_type == index_type(self._family):
            return descriptor
        fields = {**index.fields, "schemaVersion": 2, "mediaType": index_type(self._family)}
        if self._family is Family.DOCKER:
            fields = {key: value for key, value in fields.items() if key in _OF_A_LIST}
        new = replace(index, fields=fields, media_type=index_type(self._family)).with_entries(entries)
        return self._add(descriptor, new.raw, new.digest, new.media_type)

    def _may_be_listed(self, entry: Descriptor) -> bool:
        """A list of one family names no manifest of the other. What isn't converted with its layers is taken out."""
        if not entry.media_type or family_of(entry.media_type) is self._family:
            return True
        self._take_out(_artifact(entry))
        return False

    # What is about them

    def _referrer(self, entry: Descriptor) -> Referrer | None:
        is_there = self._image.has(entry) and names_manifest(entry)
        return referrer(entry, self._document(entry) if is_there else None)

    def _settled(self, about: Iterable[Referrer]) -> list[Descriptor | None]:
        """What each of them becomes. One may be about another (the signature of an SBOM): that is settled first."""
        listed = list(about)
        found = {one.descriptor.digest: one for one in listed}

        def settle(one: Referrer, waiting: frozenset[Digest]) -> None:
            digest = one.descriptor.digest
            if digest in self._results:
                return
            if one.subject in found and one.subject not in waiting:
                settle(found[one.subject], waiting | {digest})
            self._results[digest] = self._follows(one)

        for one in listed:
            settle(one, frozenset({one.descriptor.digest}))
        return [self._results[one.descriptor.digest] for one in listed]

    def _follows(self, found: Referrer) -> Descriptor | None:
        """What is about the image, in step with it; None: it goes."""
        entry = found.descriptor
        subjects = self._images if found.subject is None else {found.subject}
        results = {subject: self._results.get(subject, _unchanged(subject)) for subject in subjects}
        now = {subject: None if result is None else result.digest for subject, result in results.items()}
        fate = fate_of(found, now, self._options)
        if fate is Fate.GOES or family_of(entry.media_type) is not self._family:
            self._take_out(found)
            return None
        if not self._image.has(entry):
            self._absent[entry.digest] = entry
            return None
        if fate is Fate.STAYS:
            return entry
        assert found.subject is not None, "one that follows names what it follows"
        self._progress.warn(f"{found.kind.value} {short(entry.digest)} was made for the image before it was rewritten")
        return self._renamed(entry, found.subject, results[found.subject])

    def _renamed(self, entry: Descriptor, before: Digest, after: Descriptor | None) -> Descriptor:
        """The manifest and its entry, naming what their subject became."""
        assert after is not None
        if entry.annotations.get(SUBJECT_DIGEST) == before:
            entry = entry.changed(annotations={**entry.annotations, SUBJECT_DIGEST: after.digest})
        document = self._document(entry)
        subject = document.fields.get("subject")
        if not isinstance(subject, Mapping):
            return entry
        new = {"mediaType": after.media_type, "digest": after.digest, "size": after.size}
        blob = blob_of(to_json({**document.fields, "subject": {**subject, **new}}))
        self._new[blob.digest] = blob
        return entry.changed(digest=blob.digest, size=blob.size, data=None)

    def _take_out(self, found: Referrer) -> None:
        self._taken_out.setdefault(found.descriptor.digest, found)

    # One platform

    def _manifest(self, found: PlatformImage) -> Descriptor:
        """A platform's manifest over its new layers."""
        manifest, config = found.manifest, found.config
        where = f"{self._image.name}: manifest {short(found.descriptor.digest)}"
        if len(manifest.layers) != len(config.diff_ids):
            raise DamagedError.mismatch(
                where, expected=f"{len(manifest.layers)} diff_ids in the config, one per layer", found=str(len(config.diff_ids))
            )
        family = self._family
        became = [
            self._layers.rewrite(layer, diff_id, family, windows=found.is_windows)
            for layer, diff_id in zip(manifest.layers, config.diff_ids, strict=True)
        ]
        layers = [layer for parts in became for layer, _ in parts]
        self._check_count(len(layers), len(manifest.layers), where)
        new_config = _in_step(config, became)
        same = layers == list(manifest.layers) and new_config is config and family is family_of(manifest.media_type)
        if same and (self._options.keep_attestations or SOCI_INDEX not in _annotations(manifest)):
            return found.descriptor
        config_descriptor = manifest.config.changed(
            mediaType=config_type(family), digest=new_config.digest, size=len(new_config.raw), data=None
        )
        self._new[new_config.digest] = blob_of(new_config.raw)
        kept = {key: value for key, value in manifest.fields.items() if key not in _REWRITTEN}
        if family is Family.DOCKER:
            kept = {}  # schema 2 has neither annotations nor subjects
        elif SOCI_INDEX in _annotations(manifest):  # of layers that are others now, or of an index that is taken out
            kept["annotations"] = {key: value for key, value in _annotations(manifest).items() if key != SOCI_INDEX}
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
            if not isinstance(document, Index) or len(document.entries) != 1 or not names_manifest(document.entries[0]):
                break
            root = document.entries[0]
        return root


_REWRITTEN = ("schemaVersion", "mediaType", "config", "layers")
_OF_A_LIST = ("schemaVersion", "mediaType", "manifests")
"""All that Docker's manifest lists have."""


def _artifact(entry: Descriptor) -> Referrer:
    return Referrer(entry, Kind.ARTIFACT, None, can_follow=False)


def _unchanged(digest: Digest) -> Descriptor:
    """Something elsewhere."""
    return Descriptor.of("", digest, 0)


def _annotations(manifest: Manifest) -> Mapping[str, Any]:
    found = manifest.fields.get("annotations")
    return found if isinstance(found, Mapping) else {}


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
