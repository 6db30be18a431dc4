"""The rewrite, as the tests drive it."""

from dataclasses import replace
from typing import Any

from layerkit.image.image import Image
from layerkit.profiles import GENERIC
from layerkit.rewrite import Fixed, fix_image, options_for
from tests.images import LIMIT


def fixed(image: Image, *, limit: int = LIMIT, collapse: bool = True, **options: Any) -> Fixed:
    """The image at `limit` bytes a layer; `options` as `options_for` takes them."""
    profile = replace(options.pop("profile", GENERIC), collapse_index=collapse)
    result = fix_image(image, options_for(profile, max_layer_size=limit, **options))
    check_sound(result.image, limit)
    return result


def check_sound(image: Image, limit: int) -> None:
    """Every document is there, each layer within the limit and of the type of its manifest's family, and history fits."""
    for found in image.platforms():
        docker = found.manifest.media_type.startswith("application/vnd.docker.")
        for layer in (found.manifest.config, *found.manifest.layers):
            assert image.blob(layer).size == layer.size
            assert layer.media_type.startswith("application/vnd.docker.") is docker or "in-toto" in layer.media_type
        assert len(found.config.diff_ids) == len(found.manifest.layers)
        real = [line for line in found.config.history if not line.empty_layer]
        assert len(real) in (0, len(found.manifest.layers))
