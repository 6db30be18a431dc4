"""Splitting, proving and delivering one image, overlapping.

In: an image, what the target takes, a destination. Out: the image is there under its name, or nothing is. Blobs are offered, and
read back for the proof, as soon as they are known; the destination's name comes last, after the proof.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from layerkit.destinations.destination import Destination
from layerkit.errors import BlobTooSlowError, CannotFixError
from layerkit.image.blob import Blob, Buffer
from layerkit.image.digest import Digest, short
from layerkit.image.image import Image
from layerkit.layers.part import Witness
from layerkit.layers.spool import Spool
from layerkit.progress import SILENT, Progress
from layerkit.proof import Prover
from layerkit.rewrite import Fixed, FixOptions, LayerChange, Listener, fix_image
from layerkit.rewrite.options import MIN_LIMIT

MAX_REFINEMENTS = 6
"""Times a layer that an edge keeps timing out on is halved: a 64th of a gigabyte is a matter of seconds anywhere."""


Offer = Callable[[Blob, str], None]
"""Takes a blob of the result, and what to call it."""


def _nowhere(blob: Blob, label: str) -> None:
    pass


@dataclass(frozen=True)
class Delivered:
    digest: Digest
    fixed: Fixed
    slow: Mapping[Digest, int]
    """Layers that the destination found too slow, with their sizes in bytes: they were split further."""


def deliver(
    image: Image,
    options: FixOptions,
    destination: Destination,
    *,
    verify: bool = True,
    spool: Spool | None = None,
    progress: Progress = SILENT,
    before_name: Callable[[Fixed], None] = lambda fixed: None,
) -> Delivered:
    """Fixes `image` into `destination`, which its caller has entered and leaves. `before_name` is called when all is proven and
    before the result has its name. Raises what `fix_image`, the proof, the destination and `before_name` raise; then there is
    no name."""
    spool = spool or Spool()
    slow: dict[Digest, int] = {}
    fixed = fix_and_prove(image, options, verify=verify, spool=spool, progress=progress, offer=destination.offer)
    before_name(fixed)
    for _ in range(MAX_REFINEMENTS + 1):
        try:
            digest = destination.finish(fixed.image)
            return Delivered(digest, fixed, slow)
        except BlobTooSlowError as error:
            slowest = Digest(error.digest)
            size = _size_of(fixed, slowest)
            if size is None or size // 2 < MIN_LIMIT:
                raise
            slow[slowest] = size
            progress.warn(
                f"layer {short(slowest)} ({size:,} bytes) keeps timing out at the registry; it is split further and "
                f"the push goes on. --max-layer-size {size // 2} would have avoided this"
            )
            fixed = _refined(fixed, options, slowest, size // 2, destination, verify, spool, progress)
    raise CannotFixError(
        f"{image.name}: layers keep timing out at the registry after {MAX_REFINEMENTS} rounds of splitting; try again with "
        f"--max-layer-size {min(slow.values()) // 4}"
    )


def fix_and_prove(
    image: Image,
    options: FixOptions,
    *,
    verify: bool = True,
    spool: Spool,
    progress: Progress = SILENT,
    offer: Offer = _nowhere,
) -> Fixed:
    """The fixed image, proven unless `verify` is False. Raises what `fix_image` raises, and ProofError."""
    listener = _Proving(offer) if verify else _Offering(offer)
    return fix_image(image, options, spool=spool, progress=progress, listener=listener)


class _Offering(Listener):
    """Offers blobs as they are made."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def announce(self, blob: Blob, label: str) -> None:
        self._offer(blob, label)


class _Proving(_Offering):
    """And has them proven."""

    reads_back = True

    def __init__(self, offer: Offer) -> None:
        super().__init__(offer)
        self._prover = Prover()

    def watch(self, where: str) -> Callable[[Buffer], None]:
        return self._prover.watch(where)

    def witness(self, where: str, number: int) -> Witness:
        return self._prover.witness(where, number)

    def changed(self, change: LayerChange) -> None:
        self._prover.prove(change)


def _refined(
    fixed: Fixed,
    options: FixOptions,
    digest: Digest,
    limit: int,
    destination: Destination,
    verify: bool,
    spool: Spool,
    progress: Progress,
) -> Fixed:
    """The image with one layer split further; all others are what they were."""
    again = replace(
        options,
        limits={digest: limit},
        max_layer_size=1 << 62,
        compression=None,
        platforms=(),
        keep_attestations=True,
    )
    refined = fix_and_prove(fixed.image, again, verify=verify, spool=spool, progress=progress, offer=destination.offer)
    return replace(refined, changes=(*fixed.changes, *refined.changes), taken_out=fixed.taken_out, absent=fixed.absent)


def _size_of(fixed: Fixed, digest: Digest) -> int | None:
    blob = fixed.image.blobs.get(digest)
    return None if blob is None else blob.size
