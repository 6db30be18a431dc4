"""layerkit makes a container image go through a registry that refuses it.

    image = layerkit.open_image("image.tar")
    fixed = layerkit.fix(image, max_layer_size=1_000_000_000)      # lazy: nothing is written yet
    layerkit.verify(image, fixed)                                  # the differences, none
    layerkit.push(fixed, "ghcr.io/my-org/worker:1.0.1")

Everything raises `layerkit.errors.LayerkitError`s, whose messages are for people.

All of it is imported when it is first asked for: `layerkit --help` is part of this package too, and needn't wait for what
speaks to registries.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layerkit.api import fix, open_image, push, split_plan, verify

__all__ = ["fix", "open_image", "push", "split_plan", "verify"]


def __getattr__(name: str) -> Any:
    """PEP 562: what the module itself doesn't have."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from layerkit import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
