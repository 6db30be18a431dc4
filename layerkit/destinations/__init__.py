"""Where an image can go. In: an `Image`, blobs offered as they become ready. Out: a file or folder, whole or not at all."""

from layerkit.destinations.destination import Destination
from layerkit.destinations.opening import open_destination

__all__ = ["Destination", "open_destination"]
