"""Splitting, proving and delivering one image, overlapping.

In: an image, what the target takes, a destination. Out: the image is there under its name, or nothing is. Blobs are offered, and
read back for the proof, as soon as they are known; the destination's name comes last, after the proof.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from layerkit.destinations.destination import Destination
from layerkit.errors import BlobTooSlowError, CannotFixError
from layerkit.image.digest import Digest, short
from layerkit.image.image import Image
from layerkit.progress import SILENT, Progress
from layerkit.rewrite import Fixed, FixOptions, fix_image
from layerkit.rewrite.options import MIN_LIMIT
from layerkit.spool import Spool

MAX_REFINEMENTS = 6
"""Times a layer that an edge keeps timing out on is halved: a 64th of a gigabyte is a matter of seconds anywhere."""


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
    spool: Spool | None = None,
    progress: Progress = SILENT,
    before_name: Callable[[Fixed], None] = lambda fixed: None,
) -> Delivered:
    """Fixes `image` into `destination`, which its caller has entered and leaves. `before_name` is called when all is proven and
    before the result has its name. Raises what `fix_image`, the proof, the destination and `before_name` raise; then there is
    no name."""
    spool = spool or Spool()
    slow: dict[Digest, int] = {}
    fixed = fix_image(image, options, spool=spool, progress=progress, receiver=destination)
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
            fixed = _refined(fixed, options, slowest, size // 2, destination, spool, progress)
    raise CannotFixError(
        f"{image.name}: layers keep timing out at the registry after {MAX_REFINEMENTS} rounds of splitting; try again with "
        f"--max-layer-size {min(slow.values()) // 4}"
    )


def _refined(
    fixed: Fixed,
    options: FixOptions,
    digest: Digest,
    limit: int,
    destination: Destination,
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
    refined = fix_image(fixed.image, again, spool=spool, progress=progress, receiver=destination)
    return replace(
        refined,
        changes=(*fixed.changes, *refined.changes),
        taken_out=(*fixed.taken_out, *refined.taken_out),
        absent=fixed.absent,
    )


def _size_of(fixed: Fixed, digest: Digest) -> int | None:
    blob = fixed.image.blobs.get(digest)
    return None if blob is None else blob.size
