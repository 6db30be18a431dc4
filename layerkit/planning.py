"""What a fix makes of an image, and what a push of it would send: before and after.

In: an image, its fix, and what the target has. Out: `Planned`, one for each platform. The parts of layers that change are decoded
once more, to say what is in them; other layers aren't read. Nothing is written.
"""

from collections.abc import Callable, Iterator, Mapping

from layerkit.costs.contents import Node
from layerkit.costs.directory_sums import DOMINATED
from layerkit.costs.layer_files import LayerFiles
from layerkit.costs.reading import Layers
from layerkit.costs.tree import REST, layer_tree
from layerkit.image.digest import Digest, short
from layerkit.image.image import Image, PlatformImage
from layerkit.image.manifest import Descriptor
from layerkit.image.media_types import is_ordinary_layer
from layerkit.progress import Progress
from layerkit.report.planned import Planned, PlannedLayer
from layerkit.report.sizes import format_size
from layerkit.rewrite import Fixed, LayerChange

MOST_HELD = 3
"""Directories or files that are named of a part."""
_WORTH_NAMING = 0.05
"""Of a part."""


def planned_of(
    platforms: list[PlatformImage],
    fixed: Fixed,
    limit: int,
    progress: Progress,
    *,
    there: Callable[[Digest], bool | None] = lambda _: None,
    rate: float | None = None,
) -> tuple[Planned, ...]:
    """`platforms`: those of the source that were fixed, in its order. `there`: has the target got a blob? `rate`: bytes per
    second. Raises ImageError."""
    changes = {change.source.digest: change for change in fixed.changes}
    taken_out = tuple(
        f"{found.kind.value} {short(found.descriptor.digest)} ({format_size(found.descriptor.size)})" for found in fixed.taken_out
    )
    describing = _Describing(fixed.image, progress)
    found = []
    for before, after in zip(platforms, fixed.image.platforms(), strict=True):
        layers = tuple(_layers(before, after, changes, there, describing))
        blobs = {layer.digest: layer.size for layer in layers if not layer.there}
        if not there(after.manifest.config.digest):
            blobs[after.manifest.config.digest] = after.manifest.config.size
        send = sum(blobs.values())
        found.append(
            Planned(
                platform=str(before.platform) or "unknown",
                before=tuple(layer.size for layer in before.manifest.layers),
                after=layers,
                limit=limit,
                taken_out=taken_out,
                send=send,
                seconds=send / rate if rate else None,
            )
        )
    return tuple(found)


def _layers(
    before: PlatformImage,
    after: PlatformImage,
    changes: Mapping[Digest, LayerChange],
    there: Callable[[Digest], bool | None],
    describing: "_Describing",
) -> Iterator[PlannedLayer]:
    results = iter(enumerate(after.manifest.layers, start=1))
    for source, layer in enumerate(before.manifest.layers, start=1):
        change = changes.get(layer.digest)
        parts = len(change.parts) if change is not None else 0
        for part in range(1, parts + 1) if parts else (0,):
            number, result = next(results)
            yield PlannedLayer(
                number=number,
                digest=result.digest,
                size=result.size,
                source=source,
                part=part,
                parts=parts,
                there=there(result.digest),
                holds=describing.holds(result, number) if parts else (),
            )


class _Describing:
    """Says what is in a part. Each is read once, whichever platforms have it."""

    def __init__(self, image: Image, progress: Progress) -> None:
        self._image = image
        self._layers = Layers(progress, contents=False)
        self._known: dict[Digest, tuple[str, ...]] = {}

    def holds(self, part: Descriptor, number: int) -> tuple[str, ...]:
        if part.digest not in self._known:
            read = is_ordinary_layer(part.media_type)
            self._known[part.digest] = held(self._layers.read(self._image, part, number)) if read else ()
        return self._known[part.digest]


def held(layer: LayerFiles) -> tuple[str, ...]:
    """The few directories or files that most of a layer is, each with what it costs."""
    root = layer_tree(layer, int(layer.cost * _WORTH_NAMING))
    path, node = _down("", root)
    named = [child for child in node.children if child.name != REST][:MOST_HELD] if node.children else []
    if not named:
        return (f"{path} {format_size(node.cost)}",) if path and node.files else ()
    found = [(*_down(f"{path}/{child.name}", child),) for child in named]
    return tuple(f"{where} {format_size(child.cost)}" for where, child in found)


def _down(path: str, node: Node) -> tuple[str, Node]:
    while node.children:
        first = node.children[0]
        if first.name == REST or first.cost < DOMINATED * node.cost:
            break
        path, node = f"{path}/{first.name}", first
    return path, node
