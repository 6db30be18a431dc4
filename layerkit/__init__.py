"""layerkit makes a container image go through a registry that refuses it.

    image = layerkit.open_image("image.tar")
    fixed = layerkit.fix(image, max_layer_size=1_000_000_000)      # lazy: nothing is written yet
    layerkit.verify(image, fixed)                                  # the differences, none
    layerkit.push(fixed, "ghcr.io/my-org/worker:1.0.1")
    for result in layerkit.batch(["image.tar ghcr.io/my-org/worker:1.0.1"]):   # as they end
        print(result.reference, result.status, result.digest)

Everything raises `layerkit.errors.LayerkitError`s, whose messages are for people.

All but `verify` is imported when it is first asked for: `layerkit --help` is part of this package too, and needn't wait for what
speaks to registries.
"""

import importlib
from typing import TYPE_CHECKING, Any

# Now, for the package of the same name would take the function's place if it were imported later.
from layerkit.verify import verify

# For the same reason: the name is free for the function, and stays so, when the package is there already.
importlib.import_module("layerkit.batch")
globals().pop("batch")

if TYPE_CHECKING:
    from layerkit.api import batch, fix, open_image, push, split_plan

__all__ = ["batch", "fix", "open_image", "push", "split_plan", "verify"]


def __getattr__(name: str) -> Any:
    """PEP 562: what the module itself doesn't have."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from layerkit import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
