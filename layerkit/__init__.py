"""layerkit makes a container image go through a registry that refuses it.

    image = layerkit.open_image("image.tar")
    fixed = layerkit.fix(image, max_layer_size=1_000_000_000)      # lazy: nothing is written yet
    layerkit.verify(image, fixed)                                  # the differences, none
    layerkit.push(fixed, "ghcr.io/my-org/worker:1.0.1")
    for result in layerkit.batch(["image.tar ghcr.io/my-org/worker:1.0.1"]):   # as they end
        print(result.reference, result.status, result.digest)

Everything raises `layerkit.LayerkitError`s, whose messages are for people.

All of it is imported when it is first asked for: `layerkit --help` is part of this package too, and needn't wait for what
speaks to registries.
"""

import importlib
from typing import TYPE_CHECKING, Any

# Now, for the package of the same name would take the function's place if it were imported later.
importlib.import_module("layerkit.batch")
globals().pop("batch")

if TYPE_CHECKING:
    from layerkit.api import batch, fix, open_image, push, split_plan, verify
    from layerkit.batch.results import Result, Status
    from layerkit.errors import (
        CannotFixError,
        DamagedError,
        ImageError,
        LayerkitError,
        MissingBlobError,
        NotAnImageError,
        OutputError,
        ProofError,
        RefusedError,
        UnreachableError,
        UnsplittableError,
        UsageError,
    )
    from layerkit.filesystem.difference import Difference
    from layerkit.image.image import Image
    from layerkit.image.media_types import Compression, Family
    from layerkit.profiles import Profile
    from layerkit.progress import Progress

__all__ = [
    "CannotFixError",
    "Compression",
    "DamagedError",
    "Difference",
    "Family",
    "Image",
    "ImageError",
    "LayerkitError",
    "MissingBlobError",
    "NotAnImageError",
    "OutputError",
    "Profile",
    "Progress",
    "ProofError",
    "RefusedError",
    "Result",
    "Status",
    "UnreachableError",
    "UnsplittableError",
    "UsageError",
    "batch",
    "fix",
    "open_image",
    "push",
    "split_plan",
    "verify",
]

_HOMES = {
    "Compression": "image.media_types",
    "Difference": "filesystem.difference",
    "Family": "image.media_types",
    "Image": "image.image",
    "Profile": "profiles",
    "Progress": "progress",
    "Result": "batch.results",
    "Status": "batch.results",
}
"""Of the types; errors are in `errors`, functions in `api`."""


def __getattr__(name: str) -> Any:
    """PEP 562: what the module itself doesn't have."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name) or ("errors" if name.endswith("Error") else "api")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
