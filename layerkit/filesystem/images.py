"""Two images, compared by what their layers make.

In: two images. Out: the differences of their filesystems and of the config's parts that must not change. Layers that both sides
have, at the bottom or at the top, are known to be the same by their digests: their bytes are verified but not decoded. The
layers between are merged by themselves and compared together with what they hide; only if that differs is everything decoded,
to say what comes of it. Trees are digests of what is there. Those layers that hold something of what differs are read once more,
to say how.
"""

import functools
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import NamedTuple

from layerkit.errors import DamagedError, UsageError
from layerkit.filesystem.compare import compare, differing, same_markers
from layerkit.filesystem.configs import compare_configs
from layerkit.filesystem.difference import ABSENT, Difference
from layerkit.filesystem.directory import Directory, holds_any
from layerkit.filesystem.loading import Loaded, Loader
from layerkit.filesystem.view import overlay
from layerkit.image.digest import Digest
from layerkit.image.image import Image, PlatformImage
from layerkit.image.manifest import Descriptor
from layerkit.image.media_types import is_foreign_layer, is_ordinary_layer
from layerkit.progress import SILENT, Progress


def verify(
    before: Image, after: Image, *, platforms: Sequence[str] = (), progress: Progress = SILENT, jobs: int | None = None
) -> list[Difference]:
    """The differences between two images' filesystems and configs, in the order of paths; empty when they are the same.

        >>> image = layerkit.open_image("image.tar")
        >>> layerkit.verify(image, layerkit.fix(image, max_layer_size=100_000))
        []

    `platforms` (`os/architecture[/variant]`) restricts it to those; `jobs` is how many layers are decoded at a time (default: the
    number of cores). Raises ImageError when either side is damaged, UsageError for a platform that neither has."""
    pairs, found = _pairs(before.platforms(), after.platforms(), platforms, f"{before.name} or {after.name}")
    with Loader(progress, jobs) as loader:
        for one, other in pairs:
            sides = _Side(before, one), _Side(after, other)
            different = compare_configs(one.config, other.config) + _compare_layers(*sides, loader, progress)
            found.extend(replace(item, platform=str(one.platform)) if len(pairs) > 1 else item for item in different)
    return found


Pairs = list[tuple[PlatformImage, PlatformImage]]


def _pairs(
    before: Sequence[PlatformImage], after: Sequence[PlatformImage], wanted: Sequence[str], where: str
) -> tuple[Pairs, list[Difference]]:
    """What is to be compared with what, and the platforms that only one side has. An image alone on its side meets the other's
    only one whatever their platforms say: the configs tell."""
    for platform in wanted:
        if not any(image.platform.matches(platform) for image in (*before, *after)):
            held = ", ".join(sorted({str(image.platform) for image in (*before, *after)}))
            raise UsageError(f"{where}: no image for {platform}; there is {held or 'none'}")
    if wanted:
        before, after = ([image for image in side if any(map(image.platform.matches, wanted))] for side in (before, after))
    elif len(before) == len(after) == 1:
        return [(before[0], after[0])], []
    pairs: Pairs = []
    found: list[Difference] = []
    left = list(after)
    for image in before:
        match = next((other for other in left if other.platform == image.platform), None)
        if match is None:
            found.append(Difference("image", f"platform {image.platform}", "present", ABSENT))
        else:
            left.remove(match)
            pairs.append((image, match))
    found.extend(Difference("image", f"platform {image.platform}", ABSENT, "present") for image in left)
    return pairs, found


class _Side(NamedTuple):
    """One of the two images."""

    image: Image
    platform: PlatformImage

    @property
    def layers(self) -> Sequence[Descriptor]:
        return self.platform.manifest.layers

    def diff_ids(self) -> Sequence[Digest]:
        """One per layer. Raises DamagedError when the config has more or fewer."""
        diff_ids = self.platform.config.diff_ids
        if len(diff_ids) != len(self.layers):
            raise DamagedError.mismatch(
                f"{self.image.name}: config {self.platform.manifest.config.digest}: rootfs.diff_ids",
                expected=f"{len(self.layers)}, one per layer of the manifest",
                found=str(len(diff_ids)),
            )
        return diff_ids


def _compare_layers(before: _Side, after: _Side, loader: Loader, progress: Progress) -> list[Difference]:
    left, right = ([layer.digest for layer in side.layers] for side in (before, after))
    first = _common(left, right)
    last = _common(left[first:][::-1], right[first:][::-1])
    checks = [
        loader.check(side.image, side.layers[number])
        for side in (before, after)
        for number in (*range(first), *range(len(side.layers) - last, len(side.layers)))
        if not _absent_on_both(side.layers[number], before.image, after.image, progress)
    ]
    middles = [_load(side, range(first, len(side.layers) - last), loader) for side in (before, after)]
    for check in checks:
        check.result()
    one, other = map(_merged, middles)
    keys = differing(one, other)
    if not keys and (not first or same_markers(one, other)):
        return []
    if first or last:
        keys = differing(*(_merged(_load(side, range(len(side.layers)), loader)) for side in (before, after)))
    return compare(*(_merged(_load(side, range(len(side.layers)), loader, keys)) for side in (before, after))) if keys else []


def _common(left: Sequence[Digest], right: Sequence[Digest]) -> int:
    """How many layers the two begin with alike."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((number for number, (one, other) in pairs if one != other), min(len(left), len(right)))


def _absent_on_both(layer: Descriptor, before: Image, after: Image, progress: Progress) -> bool:
    """A foreign layer may be somewhere else, and by its digest it is the same one on both sides."""
    absent = is_foreign_layer(layer.media_type) and not before.has(layer) and not after.has(layer)
    if absent:
        progress.warn(f"{before.name}: layer {layer.digest} is not in the image (foreign): it is the same by its digest alone")
    return absent


def _load(side: _Side, numbers: range, loader: Loader, wanted: frozenset[int] = frozenset()) -> list[Future[Loaded]]:
    """The trees of some of a side's layers, being decoded; those that hold something `wanted` with its entries."""
    if not numbers:
        return []
    diff_ids = side.diff_ids()
    loading = []
    for number in numbers:
        layer = side.layers[number]
        if not is_ordinary_layer(layer.media_type) and not is_foreign_layer(layer.media_type):
            raise DamagedError.mismatch(
                f"{side.image.name}: layer {number + 1} ({layer.digest})",
                expected="a layer that is a tar",
                found=f"media type {layer.media_type!r}",
                why="it can only be compared with the very same layer",
            )
        load = functools.partial(loader.load, side.image, layer, number + 1, diff_ids[number])
        future = load()
        loading.append(load(wanted) if wanted and holds_any(future.result().tree, wanted) else future)
    return loading


def _merged(loading: Sequence[Future[Loaded]]) -> Directory:
    view = Directory()
    for future in loading:
        view = overlay(view, future.result().tree)
    return view
