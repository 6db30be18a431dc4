"""What layers make of each other, and whether two images are the same filesystem.

In: layers, or two images, wherever they are. Out: trees of what appliers unpack, several merged into one, and the differences of
two: none if a container couldn't tell them apart. Layers are streamed, never unpacked to disk, and what they make of each other
follows the appliers' sources and the image-spec; nothing is shared with the splitter's decisions, so that this can contradict
them.
"""

from layerkit.filesystem.compare import compare
from layerkit.filesystem.difference import Difference
from layerkit.filesystem.images import verify
from layerkit.filesystem.view import merged_view

__all__ = ["Difference", "compare", "merged_view", "verify"]
