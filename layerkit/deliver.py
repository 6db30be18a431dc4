"""Splitting, proving and delivering one image, overlapping.

In: an image, what the target takes, a destination. Out: the image is there under its name, or nothing is. Blobs are offered, and
read back for the proof, as soon as they are known; the destination's name comes last, after the proof.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from layerkit.destinations.destination import Destination
from layerkit.errors import BlobTooLargeError, BlobTooSlowError, CannotFixError, OutputError, ProofError
from layerkit.image.digest import Digest, short
from layerkit.image.image import Image
from layerkit.progress import SILENT, Progress
from layerkit.rewrite import Fixed, FixOptions, fix_image
from layerkit.rewrite.options import MIN_LIMIT
from layerkit.rewrite.splits import OwnSplits, Splits

MAX_REFINEMENTS = 6
"""Times layers are made smaller that don't get through, each time to a half at most: a 64th of a gigabyte is a matter of seconds
anywhere."""


@dataclass(frozen=True)
class Delivered:
    digest: Digest
    fixed: Fixed
    slow: Mapping[Digest, int]
    """Layers that the destination found too slow or too large, with their sizes in bytes: they were split further."""


def deliver(
    image: Image,
    options: FixOptions,
    destination: Destination,
    *,
    splits: Splits | None = None,
    progress: Progress = SILENT,
    before_name: Callable[[Fixed], None] = lambda fixed: None,
) -> Delivered:
    """Fixes `image` into `destination`, which its caller has entered and leaves. `before_name` is called when all is proven and
    before the result has its name. Raises what `fix_image`, the proof, the destination and `before_name` raise; then there is
    no name."""
    splits = splits or OwnSplits()
    fixed = fix_image(image, options, splits=splits, progress=progress, receiver=destination)
    before_name(fixed)
    refining = _Refining(options, destination, splits, progress)
    for _ in range(MAX_REFINEMENTS + 1):
        try:
            digest = destination.finish(fixed.image)
            return Delivered(digest, fixed, refining.slow)
        except (BlobTooSlowError, BlobTooLargeError) as error:
            fixed = refining.made_smaller(fixed, error)
    raise CannotFixError(
        f"{image.name}: layers don't get through to the registry after {MAX_REFINEMENTS} rounds of splitting; try again with "
        f"--max-layer-size {min(refining.slow.values()) // 4}"
    )


class _Refining:
    """Makes layers smaller that the destination doesn't take."""

    def __init__(self, options: FixOptions, destination: Destination, splits: Splits, progress: Progress) -> None:
        self.slow: dict[Digest, int] = {}
        self._options = options
        self._destination = destination
        self._splits = splits
        self._progress = progress
        self._whole: set[Digest] = set()
        """Layers that can't be made smaller: the destination takes them as they are, or nothing helps."""

    def made_smaller(self, fixed: Fixed, error: BlobTooSlowError | BlobTooLargeError) -> Fixed:
        """The image with that layer split further, and with it all others that aren't there yet and are as large: before they
        are tried. Raises `error` when nothing can be made smaller, and what splitting raises."""
        culprit = Digest(error.digest)
        blob = fixed.image.blobs.get(culprit)
        if blob is None or culprit in self._whole or blob.size // 2 < MIN_LIMIT:
            raise error
        limit = max(MIN_LIMIT, min(error.limit or blob.size, blob.size // 2))
        layers = {layer.digest: layer.size for found in fixed.image.platforms() for layer in found.manifest.layers}
        large = [digest for digest, size in layers.items() if size > limit and digest not in error.arrived]
        limits = dict.fromkeys([culprit, *(digest for digest in large if digest not in self._whole)], limit)
        self.slow.update((digest, layers[digest]) for digest in limits if digest in layers)
        others = f", and {len(limits) - 1} more," if len(limits) > 1 else ""
        why = "keeps timing out at the registry" if isinstance(error, BlobTooSlowError) else "is larger than the registry takes"
        self._progress.warn(
            f"layer {short(culprit)} ({blob.size:,} bytes) {why}; it{others} is split further and the push goes on. "
            f"--max-layer-size {limit} would have avoided this"
        )
        try:
            smaller = self._split(fixed, limits)
        except CannotFixError as reason:
            _raise_unless_unsplittable(reason)
            smaller = self._split_one_by_one(fixed, limits)
        left = {layer.digest for found in smaller.image.platforms() for layer in found.manifest.layers}
        self._whole |= left & set(limits)
        return smaller

    def _split_one_by_one(self, fixed: Fixed, limits: Mapping[Digest, int]) -> Fixed:
        """Those that can be split are."""
        for digest, limit in limits.items():
            try:
                fixed = self._split(fixed, {digest: limit})
            except CannotFixError as reason:
                _raise_unless_unsplittable(reason)
                self._progress.warn(f"layer {short(digest)} can't be split further, and is tried as it is: {reason}")
        return fixed

    def _split(self, fixed: Fixed, limits: Mapping[Digest, int]) -> Fixed:
        """The image with these layers split to their limits; all others are what they were. Their parts keep the directories'
        times: those that are to be on top of all have a layer of their own already."""
        again = replace(
            self._options,
            limits=limits,
            keeps_times=True,
            max_layer_size=1 << 62,
            compression=None,
            platforms=(),
            keep_attestations=True,
        )
        refined = fix_image(fixed.image, again, splits=self._splits, progress=self._progress, receiver=self._destination)
        return replace(
            refined,
            changes=(*fixed.changes, *refined.changes),
            taken_out=(*fixed.taken_out, *refined.taken_out),
            absent=fixed.absent,
        )


def _raise_unless_unsplittable(error: CannotFixError) -> None:
    """A layer that can't be split is one thing; a proof that failed or a full disk ends everything."""
    if isinstance(error, ProofError | OutputError):
        raise error
