"""Are two images the same filesystem, and the same program to run in it?

In: two images, wherever they are. Out: their differences, none if a container couldn't tell them apart. Layers are streamed,
never unpacked to disk, and what they make of each other follows the appliers' sources and the image-spec; nothing is shared
with the splitter's decisions, so that this can contradict them.
"""

from layerkit.verify.compare import compare
from layerkit.verify.difference import Difference
from layerkit.verify.images import verify
from layerkit.verify.view import merged_view

__all__ = ["Difference", "compare", "merged_view", "verify"]
