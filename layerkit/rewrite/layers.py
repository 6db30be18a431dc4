"""The new layers of an image, each made once however many platforms share it.

In: layer descriptors. Out: what each became. Every blob that will be part of the result is announced as soon as it is known, so
that it can be on its way while the rest is still being made.
"""

from dataclasses import dataclass, replace

from layerkit.image.blob import Blob, Bytes, FileRange, Joined, read_at
from layerkit.image.digest import Digest, short
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor
from layerkit.image.media_types import (
    Compression,
    Family,
    declared_compression,
    is_foreign_layer,
    is_ordinary_layer,
    layer_type,
    sniff,
)
from layerkit.layers.part import Part
from layerkit.layers.split import Observer, SplitOptions, recode_layer, split_layer
from layerkit.layers.spool import Spool
from layerkit.progress import Progress
from layerkit.rewrite.decisions import Action, decide, dropped_members, kept_annotations
from layerkit.rewrite.options import FixOptions


@dataclass(frozen=True)
class LayerChange:
    """A layer that was rewritten."""

    where: str
    """What messages call it."""
    source: Blob
    diff_id: Digest
    parts: tuple[Part, ...]
    compression: Compression
    dropped: frozenset[bytes]
    """Paths of its members that are no part of the filesystem, and were left out."""

    @property
    def is_split(self) -> bool:
        return len(self.parts) > 1


class Listener:
    """Is told what a rewrite finds while it goes on; this one doesn't care. Now and then a layer has something late for a part
    that was complete already: then another one takes its place, and is announced too. What counts is the result."""

    def announce(self, blob: Blob, label: str) -> None:
        """A blob of the result, and what to call it. From any thread."""

    def watch(self, where: str) -> Observer | None:
        """What wants to see the raw tar of the layer called `where` as it streams by. Asked again when that begins anew."""
        return None

    def made(self, part: Part, where: str) -> None:
        """A part of the layer called `where`, before it is known which others there will be. From any thread."""

    def changed(self, change: LayerChange) -> None:
        """A layer was rewritten: these are its parts."""


def compression_in(image: Image, layer: Descriptor) -> Compression:
    """A layer's compression by its first bytes. NONE for a blob that isn't there (foreign layers)."""
    if not image.has(layer):
        return Compression.NONE
    content = image.blob(layer).content
    if isinstance(content, FileRange | Bytes | Joined):
        return sniff(read_at(content, 0, 6))
    return sniff(bytes(next(iter(content.chunks()), b""))[:6])


class LayerRewriter:
    """Rewrites the layers of one image. `changes` is what it did so far, by the source's digest."""

    def __init__(
        self,
        image: Image,
        options: FixOptions,
        spool: Spool,
        progress: Progress,
        listener: Listener,
    ) -> None:
        self.changes: dict[Digest, LayerChange] = {}
        self.blobs: dict[Digest, Blob] = {}
        """The new layers."""
        self._image = image
        self._options = options
        self._spool = spool
        self._progress = progress
        self._listener = listener

    def keep(self, layer: Descriptor, family: Family) -> Descriptor:
        """A layer whose bytes stay: its media type follows its bytes and the family."""
        if self._image.has(layer) or not is_foreign_layer(layer.media_type):
            self._listener.announce(self._image.blob(layer), f"layer {short(layer.digest)}")
        if not is_ordinary_layer(layer.media_type):
            return layer
        media_type = layer_type(family, compression_in(self._image, layer))
        return layer if media_type == layer.media_type else layer.changed(mediaType=media_type)

    def rewrite(self, layer: Descriptor, diff_id: Digest, family: Family) -> list[tuple[Descriptor, Digest]]:
        """The layers in place of `layer`, each with its diff_id. Raises what `split_layer` raises."""
        where = f"{self._image.name}: layer {short(layer.digest)}"
        decision = decide(layer, compression_in(self._image, layer), self._options, family, where)
        if decision.action is Action.KEEP:
            return [(self.keep(layer, family), diff_id)]
        change = self.changes.get(layer.digest)
        if change is None:
            change = self._change(layer, diff_id, decision.action, decision.compression, where)
            self.changes[layer.digest] = change
            self._listener.changed(change)
        media_type = layer_type(family, change.compression)
        annotations = kept_annotations(layer)
        more = {"annotations": annotations} if annotations else {}
        found = []
        for part in change.parts:
            blob = self._there(part, change.compression) or part.blob
            self.blobs[blob.digest] = blob
            found.append((Descriptor.of(media_type, blob.digest, blob.size, **more), part.diff_id))
        return found

    def _there(self, part: Part, compression: Compression) -> Blob | None:
        """The target's blob of the part's content, if it has one that may take the part's place."""
        known = self._options.known.get(part.diff_id)
        if known is None or declared_compression(known.descriptor.media_type) is not compression:
            return None
        return known.blob if known.blob.size <= max(part.blob.size, self._options.max_layer_size) else None

    def _change(self, layer: Descriptor, diff_id: Digest, action: Action, compression: Compression, where: str) -> LayerChange:
        options = SplitOptions(
            limit=self._options.limit_of(layer.digest),
            compression=compression,
            level=self._options.level,
            allow_oversized=self._options.allow_oversized,
            jobs=self._options.jobs,
            dropped=dropped_members(layer),
            diff_id=diff_id if self._options.check_diff_ids else None,
            observer=self._listener.watch(where),
        )
        blob = self._image.blob(layer)
        parts: list[Part] = []

        def ready(part: Part, number: int) -> None:
            self._listener.announce(self._there(part, compression) or part.blob, f"layer {short(layer.digest)} part {number}")
            self._listener.made(part, where)

        if action is Action.RECODE:
            part = recode_layer(blob, where, options, self._spool, self._progress)
            if part.blob.size <= options.limit:
                parts = [part]
                ready(part, 1)
        if not parts:
            options = replace(options, observer=self._listener.watch(where))
            parts = split_layer(blob, where, options, self._spool, self._progress, ready)
        return LayerChange(where, blob, diff_id, tuple(parts), compression, options.dropped)
