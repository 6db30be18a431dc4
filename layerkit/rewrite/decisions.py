"""What becomes of each layer: pure, from its descriptor, its first bytes and the options."""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from layerkit.errors import CannotFixError
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor
from layerkit.image.media_types import Compression, Family, family_of, is_foreign_layer, is_ordinary_layer
from layerkit.image.referrers import Referrer
from layerkit.rewrite.options import FixOptions

MAX_LAYERS = 125
"""moby refuses more (layer/layer_store, maxLayerDepth); overlay2 stops at 128."""
MANY_LAYERS = 64
"""Some containerd and BuildKit mounts fail near 70: the options of a mount are one page of memory."""


class Action(Enum):
    KEEP = "keep"
    """Bytes and digest stay."""
    RECODE = "recode"
    """Another compression; split if that is over the limit."""
    SPLIT = "split"


class Decision(NamedTuple):
    action: Action
    compression: Compression
    """What the result is compressed with."""
    splittable: bool = True
    """May it become several layers?"""


class Fate(Enum):
    """Of what is about an image."""

    STAYS = "stays"
    FOLLOWS = "follows"
    """Stays, and names what its subject became."""
    GOES = "goes"


def fate_of(found: Referrer, subjects: Mapping[Digest, Digest | None], options: FixOptions) -> Fate:
    """`subjects`: what it is about, and what that is now; None: gone."""
    if not options.keep_attestations or None in subjects.values():
        return Fate.GOES
    if all(before == after for before, after in subjects.items()):
        return Fate.STAYS
    return Fate.FOLLOWS if found.can_follow and found.subject is not None else Fate.GOES


def decide(
    layer: Descriptor, found: Compression, options: FixOptions, family: Family, where: str, *, windows: bool = False
) -> Decision:
    """`found`: the compression by the bytes; `family`: the result's; `windows`: is it a layer of a Windows image? Those hold
    hives and reparse points in an order that matters, so they are never split. Raises CannotFixError for a layer over the limit
    that can't be split, and for compressions that no registry takes."""
    limit = options.limit_of(layer.digest)
    if not is_ordinary_layer(layer.media_type) or found not in (Compression.NONE, Compression.GZIP, Compression.ZSTD):
        if is_foreign_layer(layer.media_type):  # its bytes aren't pushed
            return Decision(Action.KEEP, found)
        if is_ordinary_layer(layer.media_type):
            raise CannotFixError(
                f"{where}: compressed with {found.value}, which no registry takes; build the image with gzip or zstd"
            )
        if layer.size > limit and not options.allow_oversized:
            raise CannotFixError(
                f"{where}: {layer.size:,} bytes, over the limit of {limit:,}, and of the type {layer.media_type}, which can't be "
                "split; raise --max-layer-size or pass --allow-oversized"
            )
        return Decision(Action.KEEP, found)
    wanted = options.compression or _kept(found, options, family)
    if windows:
        if wanted is not found:
            return Decision(Action.RECODE, wanted, splittable=False)
        if layer.size > limit and not options.allow_oversized:
            raise CannotFixError(unsplittable_windows(where, layer.size, limit))
        return Decision(Action.KEEP, found)
    if wanted is not found:
        return Decision(Action.SPLIT if found is Compression.NONE and layer.size > limit else Action.RECODE, wanted)
    return Decision(Action.SPLIT if layer.size > limit else Action.KEEP, wanted)


def unsplittable_windows(where: str, size: int, limit: int) -> str:
    """The message for a Windows layer above the limit; sizes in bytes."""
    return (
        f"{where}: {size:,} bytes, over the limit of {limit:,}, and of a Windows image, whose layers can't be split; raise "
        "--max-layer-size or pass --allow-oversized"
    )


def _kept(found: Compression, options: FixOptions, family: Family) -> Compression:
    """Uncompressed layers become gzip: it is the blob that is pushed. Docker's family has no zstd that engines agree on."""
    if found is Compression.NONE or found not in options.accepted:
        return Compression.GZIP
    return Compression.GZIP if found is Compression.ZSTD and family is Family.DOCKER else found


def target_family(image: Image, options: FixOptions) -> Family:
    """Of everything in the result: what is asked for, what all its images are, or what its root is. A list of one family names
    no manifest of the other."""
    if options.family is not None:
        return options.family
    families = {family_of(found.manifest.media_type) for found in image.platforms()}
    return families.pop() if len(families) == 1 else family_of(image.root.media_type)
