"""What several images have in common. In: their layers' descriptors, and their files if they were read. Out: `Sharing`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from layerkit.costs.layer_files import LayerFiles
from layerkit.costs.reading import PlatformFiles
from layerkit.costs.waste import MIN_DUPLICATE
from layerkit.image.digest import Digest
from layerkit.image.manifest import Descriptor


@dataclass(frozen=True)
class SharedLayer:
    digest: Digest
    size: int
    """Bytes."""
    images: tuple[int, ...]
    """Which of the images have it, from 0."""


@dataclass(frozen=True)
class ImageShare:
    name: str
    size: int
    """Bytes of its distinct layers."""
    shared: int
    """Of these, bytes that others have, too."""

    @property
    def alone(self) -> int:
        return self.size - self.shared


@dataclass(frozen=True)
class Sharing:
    images: tuple[ImageShare, ...]
    layers: tuple[SharedLayer, ...]
    """Those that several have: what saves most first."""
    size: int
    """Bytes of all distinct layers: what a registry has to keep."""
    contents: tuple[int, ...] | None = None
    """Of each image: what files cost that are in a layer of its own, and whose content others have, too. A common base would
    push them once. None: no layer was read."""


def sharing(images: Sequence[tuple[str, Sequence[Descriptor]]]) -> Sharing:
    """`images`: what each is called, and all its layers."""
    having: dict[Digest, list[int]] = {}
    sizes: dict[Digest, int] = {}
    for number, (_, layers) in enumerate(images):
        for layer in layers:
            sizes[layer.digest] = layer.size
            there = having.setdefault(layer.digest, [])
            if number not in there[-1:]:
                there.append(number)
    several = {digest for digest, there in having.items() if len(there) > 1}
    shared = [SharedLayer(digest, sizes[digest], tuple(having[digest])) for digest in several]
    return Sharing(
        images=tuple(_share(name, {layer.digest for layer in layers}, several, sizes) for name, layers in images),
        layers=tuple(sorted(shared, key=lambda one: (-one.size * (len(one.images) - 1), one.digest))),
        size=sum(sizes.values()),
    )


def shared_contents(images: Sequence[Sequence[PlatformFiles]]) -> tuple[int, ...]:
    """`Sharing.contents`, from all platforms of each image, whose layers were read by one `Layers`."""
    files = [list(_files(platforms)) for platforms in images]
    having: dict[int, int] = {}
    owners: dict[int, int] = {}
    for number, layers in enumerate(files):
        for layer in layers:
            owners[layer.index] = owners.get(layer.index, 0) + 1
            for member in _large(layer):
                key = hash(layer.content_of(member))
                having[key] = having.get(key, 0) | 1 << number
    return tuple(
        sum(
            layer.cost_of(member)
            for layer in layers
            if owners[layer.index] == 1
            for member in _large(layer)
            if having[hash(layer.content_of(member))] != 1 << number
        )
        for number, layers in enumerate(files)
    )


def _files(platforms: Sequence[PlatformFiles]) -> Iterable[LayerFiles]:
    return {layer.index: layer for platform in platforms for layer in platform.files.distinct}.values()


def _large(layer: LayerFiles) -> Iterator[int]:
    return (number for number in range(len(layer)) if layer.sizes[number] >= MIN_DUPLICATE)


def _share(name: str, layers: set[Digest], several: set[Digest], sizes: dict[Digest, int]) -> ImageShare:
    return ImageShare(name, sum(sizes[one] for one in layers), sum(sizes[one] for one in layers & several))
