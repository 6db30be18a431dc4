"""The new layers of an image, each made once however many platforms share it.

In: layer descriptors. Out: what each became. Every blob that will be part of the result is offered as soon as it is known, so
that it can be on its way while the rest is still being made.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from layerkit.compression.kind import compression_of
from layerkit.errors import CannotFixError
from layerkit.image.blob import Blob, Writing
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
)
from layerkit.image.seekable import indexing_members, lasting_annotations
from layerkit.layers.making import Part
from layerkit.layers.split import SplitOptions, split_layer
from layerkit.progress import Progress
from layerkit.rewrite.decisions import Action, Decision, decide, unsplittable_windows
from layerkit.rewrite.options import FixOptions
from layerkit.rewrite.splits import Key, Splits
from layerkit.spool import Spool


@dataclass(frozen=True)
class LayerChange:
    """A layer that was rewritten."""

    where: str
    """What messages call it."""
    source: Blob
    diff_id: Digest
    parts: tuple[Part, ...]
    compression: Compression


class Receiver(Protocol):
    """Takes the blobs of a result while the rest of it is still being made."""

    def begin(self, label: str) -> Writing | None:
        """A blob is about to be made: its bytes go there, as they are decoded. None: it is offered when it is complete. One after
        the other, and from one thread."""

    def offer(self, blob: Blob, label: str) -> None:
        """A blob of the result, and what to call it. From any thread. Now and then a layer has something late for a part that was
        complete already: then another one takes its place, and is offered too. What counts is the result."""


class Nobody:
    """A `Receiver` that doesn't care."""

    def begin(self, label: str) -> Writing | None:
        return None

    def offer(self, blob: Blob, label: str) -> None:
        pass


def compression_in(image: Image, layer: Descriptor) -> Compression:
    """A layer's compression by its first bytes. NONE for a blob that isn't there (foreign layers)."""
    if not image.has(layer):
        return Compression.NONE
    return compression_of(image.blob(layer).content)


@dataclass(frozen=True)
class _Parts:
    """Passes one layer's parts on."""

    label: str
    receiver: Receiver
    there: Callable[[Part], Blob | None] | None
    """The target's own blob of a part's content, which takes its place; None: the target has nothing that could."""

    def begin(self, number: int) -> Writing | None:
        return self.receiver.begin(f"{self.label} part {number}") if self.there is None else None

    def made(self, part: Part, number: int) -> None:
        there = self.there(part) if self.there is not None else None
        self.receiver.offer(there or part.blob, f"{self.label} part {number}")


class LayerRewriter:
    """Rewrites the layers of one image. `changes` is what it did so far, by the source's digest."""

    def __init__(
        self,
        image: Image,
        options: FixOptions,
        splits: Splits,
        progress: Progress,
        receiver: Receiver,
    ) -> None:
        self.changes: dict[Digest, LayerChange] = {}
        self.blobs: dict[Digest, Blob] = {}
        """The new layers."""
        self._image = image
        self._options = options
        self._splits = splits
        self._progress = progress
        self._receiver = receiver

    def keep(self, layer: Descriptor, family: Family) -> Descriptor:
        """A layer whose bytes stay: its media type follows its bytes and the family."""
        if self._image.has(layer) or not is_foreign_layer(layer.media_type):
            self._receiver.offer(self._image.blob(layer), f"layer {short(layer.digest)}")
        if not is_ordinary_layer(layer.media_type):
            return layer
        media_type = layer_type(family, compression_in(self._image, layer))
        return layer if media_type == layer.media_type else layer.changed(mediaType=media_type)

    def rewrite(
        self, layer: Descriptor, diff_id: Digest, family: Family, *, windows: bool = False
    ) -> list[tuple[Descriptor, Digest]]:
        """The layers in place of `layer`, each with its diff_id. Raises what `split_layer` and `decide` raise."""
        where = f"{self._image.name}: layer {short(layer.digest)}"
        decision = decide(layer, compression_in(self._image, layer), self._options, family, where, windows=windows)
        if decision.action is Action.KEEP:
            return [(self.keep(layer, family), diff_id)]
        change = self.changes.get(layer.digest)
        if change is None:
            change = self._change(layer, diff_id, decision, where)
            if change is None:
                return [(self.keep(layer, family), diff_id)]
            self.changes[layer.digest] = change
        media_type = layer_type(family, change.compression)
        annotations = lasting_annotations(layer)
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
        fits = known.blob.size <= max(part.blob.size, self._options.max_layer_size)
        return known.blob if fits and known.is_proven() else None

    def _change(self, layer: Descriptor, diff_id: Digest, decision: Decision, where: str) -> LayerChange | None:
        """None: it has to stay as it is. Raises CannotFixError for a layer that is too large and may not be split."""
        action, compression = decision.action, decision.compression
        options = SplitOptions(
            limit=self._options.limit_of(layer.digest),
            compression=compression,
            level=self._options.level,
            allow_oversized=self._options.allow_oversized,
            jobs=self._options.jobs,
            dropped=indexing_members(layer),
            diff_id=diff_id,
            proven=self._options.proven,
            keeps_times=self._options.keeps_times,
            whole=action is Action.RECODE,
            splittable=decision.splittable,
        )
        blob = self._image.blob(layer)
        there = functools.partial(self._there, compression=compression) if self._options.known else None
        receiver = _Parts(f"layer {short(layer.digest)}", self._receiver, there)

        def make(spool: Spool) -> Sequence[Part]:
            return split_layer(blob, where, options, spool, self._progress, receiver)

        parts, is_new = self._splits.parts(Key(layer.digest, options), make)
        if not is_new:  # another image's: nobody has offered them for this one
            for number, part in enumerate(parts, 1):
                receiver.made(part, number)
        if not parts:
            if not options.allow_oversized:
                raise CannotFixError(unsplittable_windows(where, layer.size, options.limit))
            self._progress.warn(f"{where}: stays as it is: a layer of a Windows image, and above the limit compressed, too")
            return None
        return LayerChange(where, blob, diff_id, tuple(parts), compression)
