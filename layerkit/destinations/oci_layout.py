"""An OCI layout in a directory: a new one, or one more image in one that exists.

A new directory appears when it is complete. In an existing layout blobs are put beside the others, each whole or not at all, and
`index.json` is replaced last, in one step.
"""

import shutil
import weakref
from pathlib import Path
from typing import Self

from layerkit.destinations.intake import Intake
from layerkit.destinations.parts import (
    CONTAINERD_NAME,
    INDEX_FILE,
    LAYOUT,
    LAYOUT_FILE,
    REF_NAME,
    blob_path,
    index_json,
    named_root,
    parts_of,
)
from layerkit.destinations.whole_file import WholeFile, output_errors, temporary_name
from layerkit.errors import DamagedError, OutputError
from layerkit.image.blob import Blob
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor, Index, parse_document
from layerkit.image.media_types import OCI_INDEX
from layerkit.progress import SILENT, Progress


class OciLayout:
    """A `Destination`. `name` replaces the name that the image carries."""

    def __init__(self, path: Path, *, name: str | None = None, progress: Progress = SILENT) -> None:
        """Raises OutputError when there is something else at `path`."""
        self._title = str(path)
        self._name = name
        self._progress = progress
        self._added: dict[Digest, Path] = {}
        self._intake = Intake(self._put)
        with output_errors(self._title):
            self._target = path.resolve()
            self._is_new = not self._target.exists() or (self._target.is_dir() and not any(self._target.iterdir()))
            self._entries = [] if self._is_new else self._existing_entries()
            self._folder = self._target
            if self._is_new:
                self._folder = temporary_name(self._target)
                # Whatever happens, an interrupt before it could be entered included.
                self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
                self._folder.mkdir()
                (self._folder / LAYOUT_FILE).write_bytes(LAYOUT)

    def offer(self, blob: Blob, label: str) -> None:
        self._intake.offer(blob, label)

    def finish(self, image: Image) -> Digest:
        """Raises OutputError, or ImageError for a blob that is missing or isn't what its digest says."""
        wanted = list(parts_of(image))
        for blob, label in wanted:
            self._intake.offer(blob, label)
        self._intake.drain()
        for digest in self._added.keys() - {blob.digest for blob, _ in wanted}:
            self._added.pop(digest).unlink()
        entry = named_root(image, self._name)
        self._file(INDEX_FILE, index_json([*(old for old in self._entries if not _replaces(entry, old)), entry]))
        with output_errors(self._title):
            if self._is_new:
                self._folder.replace(self._target)
                self._remove.detach()
        self._is_new, self._added = False, {}
        return image.root.digest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._intake.stop()
        if self._is_new:
            self._remove()
        for path in self._added.values():
            path.unlink(missing_ok=True)
        self._added = {}

    def _put(self, blob: Blob, label: str) -> None:
        path = self._folder / blob_path(blob)
        if path.exists() and path.stat().st_size == blob.size:
            return
        with output_errors(self._title):
            path.parent.mkdir(parents=True, exist_ok=True)
        with WholeFile(path) as file, self._progress.task(label, blob.size) as task:
            for chunk in blob.verified(label):
                self._intake.check()
                file.write(chunk)
                task.advance(len(chunk))
            self._added[blob.digest] = path
            file.commit()

    def _file(self, path: str, data: bytes) -> None:
        with WholeFile(self._folder / path) as file:
            file.write(data)
            file.commit()

    def _existing_entries(self) -> list[Descriptor]:
        index = self._target / INDEX_FILE
        if not (self._target / LAYOUT_FILE).is_file() or not index.is_file():
            what = "a directory with other things in it" if self._target.is_dir() else "something else"
            raise OutputError(f"{self._title}: expected a new or empty directory, or an OCI layout; found {what}")
        document = parse_document(index.read_bytes(), str(index), OCI_INDEX)
        if not isinstance(document, Index):
            raise DamagedError.mismatch(str(index), expected="an index", found=f"a manifest ({document.media_type})")
        return list(document.entries)


def _replaces(new: Descriptor, old: Descriptor) -> bool:
    """The new image takes the place of the one with its name, or of the one without any."""
    keys = (REF_NAME, CONTAINERD_NAME)
    wanted = {new.annotations[key] for key in keys if key in new.annotations}
    had = {old.annotations[key] for key in keys if key in old.annotations}
    return bool(wanted & had) if wanted or had else True
