"""The destination that keeps nothing."""

from typing import Self

from layerkit.destinations.intake import Intake
from layerkit.destinations.parts import parts_of
from layerkit.image.blob import Blob, Writing
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.progress import SILENT, Progress


class Nowhere:
    """A `Destination`. Every blob is read to its end, as a writer or a registry would have it, and not hashed: making
    the bytes is what is measured."""

    def __init__(self, progress: Progress = SILENT) -> None:
        self.taken = 0
        """Bytes."""
        self._progress = progress
        self._intake = Intake(self._read)

    def begin(self, label: str) -> Writing | None:
        return None

    def offer(self, blob: Blob, label: str) -> None:
        self._intake.offer(blob, label)

    def finish(self, image: Image) -> Digest:
        """Raises ImageError for a blob that is missing or can't be read."""
        for blob, label in parts_of(image):
            self._intake.offer(blob, label)
        self._intake.drain()
        return image.root.digest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._intake.stop()

    def _read(self, blob: Blob, label: str) -> None:
        with self._progress.task(label, blob.size) as task:
            for chunk in blob.chunks():
                self._intake.check()
                self.taken += len(chunk)
                task.advance(len(chunk))
