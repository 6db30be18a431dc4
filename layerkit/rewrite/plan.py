"""What a rewrite would do with each layer, told without reading one."""

from typing import NamedTuple

from layerkit.image.digest import short
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor, Platform
from layerkit.rewrite.decisions import Decision, decide, target_family
from layerkit.rewrite.layers import compression_in
from layerkit.rewrite.options import FixOptions


class LayerPlan(NamedTuple):
    platform: Platform
    layer: Descriptor
    decision: Decision


def plan_layers(image: Image, options: FixOptions) -> list[LayerPlan]:
    """One entry per layer and platform, from the bottom up. Raises CannotFixError for a layer that nothing can be done about."""
    plans = []
    family = target_family(image, options)
    for found in image.platforms():
        if options.platforms and not any(found.platform.matches(wanted) for wanted in options.platforms):
            continue
        for layer in found.manifest.layers:
            where = f"{image.name}: layer {short(layer.digest)}"
            decision = decide(layer, compression_in(image, layer), options, family, where, windows=found.is_windows)
            plans.append(LayerPlan(found.platform, layer, decision))
    return plans
