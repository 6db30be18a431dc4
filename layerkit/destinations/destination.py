"""What every destination can do."""

from types import TracebackType
from typing import Protocol, Self

from layerkit.image.blob import Blob, Writing
from layerkit.image.digest import Digest
from layerkit.image.image import Image


class Destination(Protocol):
    """What the commands write to; the pusher has the same shape. A context manager: what is left without `finish` leaves nothing
    behind under the name, no file and no tag. Not for use by several images at once.

        with open_destination("fixed.tar") as destination:
            digest = destination.finish(image)
    """

    def begin(self, label: str) -> Writing | None:
        """A blob is about to be made, which progress calls `label`: its bytes go there. None: it is to be offered when it is
        complete."""

    def offer(self, blob: Blob, label: str) -> None:
        """`blob` will probably be part of the image: begin to take it. Returns soon, is idempotent per digest, may be called from
        any thread; what goes wrong surfaces in `finish`. `label` is what progress calls it."""

    def finish(self, image: Image) -> Digest:
        """Takes what wasn't offered, then configs and manifests, and the name last. A blob that was offered and isn't part of the
        image leaves no trace in a file or folder. Returns the root's digest. Raises what went wrong; then there is no name."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends it: what was finished stays, of anything else nothing does."""
