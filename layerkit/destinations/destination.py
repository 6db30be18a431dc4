"""What every destination can do."""

from typing import Protocol

from layerkit.image.blob import Blob, Writing
from layerkit.image.digest import Digest
from layerkit.image.image import Image


class Destination(Protocol):
    """What the commands write to; the pusher has the same shape. Not for use by several images at once."""

    def begin(self, label: str) -> Writing | None:
        """A blob is about to be made, which progress calls `label`: its bytes go there. None: it is to be offered when it is
        complete."""

    def offer(self, blob: Blob, label: str) -> None:
        """`blob` will probably be part of the image: begin to take it. Returns soon, is idempotent per digest, may be called from
        any thread; what goes wrong surfaces in `finish`. `label` is what progress calls it."""

    def finish(self, image: Image) -> Digest:
        """Takes what wasn't offered, then configs and manifests, and the name last. A blob that was offered and isn't part of the
        image leaves no trace in a file or folder. Returns the root's digest."""

    def abandon(self) -> None:
        """Leaves nothing behind under the name: no file, no tag. Safe to call after `finish`."""
