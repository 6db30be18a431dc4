"""layerkit makes a container image go through a registry that refuses it.

    image = layerkit.open_image("image.tar")
    fixed = layerkit.fix(image, max_layer_size=1_000_000_000)      # lazy: nothing is written yet
    layerkit.verify(image, fixed)                                  # the differences, none
    layerkit.push(fixed, "registry.replicated.com/myapp/worker:1.0.1")

Everything raises `layerkit.errors.LayerkitError`s, whose messages are for people.
"""

from layerkit.api import fix, open_image, push, split_plan
from layerkit.verify import verify

__all__ = ["fix", "open_image", "push", "split_plan", "verify"]
