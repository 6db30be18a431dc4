"""An OCI layout in a directory: a new one, or one more image in one that exists.

Blobs are collected in a folder of their own. A new directory appears when it is complete, in one step; when another writer made
it meanwhile, or when it was there already, the blobs are put beside its others and `index.json` is replaced last, under a lock
that every layerkit takes. A blob that is there counts when its bytes are what its name says.
"""

import errno
import fcntl
import os
import secrets
import shutil
import stat
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from layerkit.destinations.intake import Intake
from layerkit.destinations.parts import entries_of, index_json, parts_of
from layerkit.destinations.whole_file import WholeFile, output_errors, temporary_name
from layerkit.errors import DamagedError, OutputError
from layerkit.image.blob import Blob, Buffer, FileRange, InputFile, Writing
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.image.layout import INDEX_FILE, LAYOUT, LAYOUT_FILE, Name, blob_path, name_of
from layerkit.image.manifest import Descriptor, Index, parse_document
from layerkit.image.media_types import OCI_INDEX
from layerkit.progress import SILENT, Progress
from layerkit.sources.folder import Directory, read_document

_TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})
"""What rename(2) says of a target that isn't an empty directory."""
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL})
"""What flock(2) says where the file system has none for folders."""


class OciLayout:
    """A `Destination`. `name` replaces the names that the image carries."""

    def __init__(self, path: Path, *, name: str | None = None, progress: Progress = SILENT) -> None:
        """Raises OutputError when there is something else at `path`, ImageError for a layout whose index is damaged."""
        self._title = str(path)
        self._name = name
        self._progress = progress
        self._collected: dict[Digest, Path] = {}
        self._intake = Intake(self._collect)
        with output_errors(self._title):
            self._target = path.resolve()
            self._is_new = not self._target.exists() or (self._target.is_dir() and not any(self._target.iterdir()))
            if self._is_new:
                self._folder = temporary_name(self._target)
            else:
                self._read_entries()  # what can't be added to is refused before anything is done
                self._folder = self._target / f".layerkit.{secrets.token_hex(4)}.partial"
            # Whatever happens, an interrupt before it could be entered included.
            self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            self._folder.mkdir()

    def begin(self, label: str) -> Writing | None:
        return _Growing(self._folder, self._claimed)

    def offer(self, blob: Blob, label: str) -> None:
        self._intake.offer(blob, label)

    def finish(self, image: Image) -> Digest:
        """Raises OutputError, or ImageError for a blob that is missing or isn't what its digest says."""
        wanted = {blob.digest: (blob, label) for blob, label in parts_of(image)}
        for blob, label in wanted.values():
            self._intake.offer(blob, label)
        self._intake.drain()
        for digest in self._collected.keys() - wanted.keys():
            self._collected.pop(digest).unlink()
        entries = entries_of(image, image.names if self._name is None else (Name.in_layout(self._name),))
        if not (self._is_new and self._appears(entries)):
            self._joins(entries, wanted)
        return image.root.digest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._intake.stop()
        self._remove()

    def _claimed(self, blob: Blob) -> Path | None:
        """Where a blob that was written while it was made belongs; None: it is there."""
        if not self._intake.claim(blob.digest):
            return None
        path = self._collected[blob.digest] = self._folder / blob_path(blob.digest)
        with output_errors(self._title):
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _collect(self, blob: Blob, label: str) -> None:
        if not self._is_new and self._holds(blob):
            return
        path = self._folder / blob_path(blob.digest)
        with output_errors(self._title):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._copy(blob, label, path)
        self._collected[blob.digest] = path

    def _copy(self, blob: Blob, label: str, path: Path) -> None:
        with WholeFile(path) as file, self._progress.task(label, blob.size) as task:
            for chunk in blob.verified(label):
                self._intake.check()
                file.write(chunk)
                task.advance(len(chunk))
            file.commit()

    def _holds(self, blob: Blob) -> bool:
        """Is it in the layout that is there, to the byte?"""
        path = self._target / blob_path(blob.digest)
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_size != blob.size:
                return False
            file = InputFile(path)
        except OSError:
            return False
        try:
            for _ in Blob(blob.digest, FileRange(file, 0, file.size)).verified(str(path)):
                self._intake.check()
        except DamagedError:
            self._progress.note(f"{path}: isn't what its name says; it is written again")
            return False
        finally:
            file.close()
        return True

    def _appears(self, entries: Sequence[Descriptor]) -> bool:
        """All of it at once. False when somebody else made the directory meanwhile."""
        with output_errors(self._title):
            (self._folder / LAYOUT_FILE).write_bytes(LAYOUT)
            (self._folder / INDEX_FILE).write_bytes(index_json(entries))
            try:
                self._folder.replace(self._target)
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
                (self._folder / LAYOUT_FILE).unlink()
                (self._folder / INDEX_FILE).unlink()
                return False
        self._remove.detach()
        return True

    def _joins(self, entries: Sequence[Descriptor], wanted: dict[Digest, tuple[Blob, str]]) -> None:
        """Among the others."""
        with self._locked():
            there = self._read_entries()
            for digest, (blob, label) in wanted.items():
                path = self._target / blob_path(digest)
                self._make_folder(path.parent)
                if digest in self._collected:
                    with output_errors(self._title):
                        self._collected.pop(digest).replace(path)
                elif not path.is_file():  # it was there before, and was removed meanwhile
                    self._copy(blob, label, path)
            with WholeFile(self._target / INDEX_FILE) as file:
                file.write(index_json(_with(entries, there)))
                file.commit()

    def _make_folder(self, path: Path) -> None:
        for folder in (path.parent, path):
            with output_errors(self._title):
                if folder.is_symlink():
                    raise OutputError(f"{folder}: expected a folder, found a link: what it leads to is no part of the layout")
                folder.mkdir(exist_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with output_errors(self._title):
            folder = os.open(self._target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise OutputError(f"{self._title}: can't be locked: {error.strerror}") from None
                self._progress.warn(f"{self._title}: the file system has no locks; don't write to it twice at a time")
            yield
        finally:
            os.close(folder)

    def _read_entries(self) -> list[Descriptor]:
        folder = Directory(self._target, self._title)
        index, where = folder.find(INDEX_FILE), f"{self._title}/{INDEX_FILE}"
        if folder.find(LAYOUT_FILE) is None or index is None:
            what = "a directory with other things in it" if self._target.is_dir() else "something else"
            raise OutputError(f"{self._title}: expected a new or empty directory, or an OCI layout; found {what}")
        document = parse_document(read_document(index, where), where, OCI_INDEX)
        if not isinstance(document, Index):
            raise DamagedError.mismatch(where, expected="an index", found=f"a manifest ({document.media_type})")
        return list(document.entries)


class _Growing:
    """A blob that is written while it is made: it gets its name at last. `place` says where it belongs."""

    def __init__(self, folder: Path, place: Callable[[Blob], Path | None]) -> None:
        self._place = place
        self._path = temporary_name(folder / "blob")
        self._file = WholeFile(self._path)

    def write(self, data: Buffer) -> None:
        self._file.write(data)

    def rewind(self, size: int) -> None:
        self._file.rewind(size)

    def finish(self, blob: Blob) -> None:
        path = self._place(blob)
        if path is None:
            self.discard()
            return
        self._file.commit()
        with output_errors(str(path)):
            self._path.replace(path)

    def discard(self) -> None:
        self._file.close()


def _with(new: Sequence[Descriptor], there: Sequence[Descriptor]) -> list[Descriptor]:
    """The new entries after those that are there and keep their place: a name is one image's, and an image without a name is
    listed once."""
    names = {name.text for entry in new if (name := name_of(entry.annotations)) is not None}
    digests = {entry.digest for entry in new}

    def stays(old: Descriptor) -> bool:
        name = name_of(old.annotations)
        return old.digest not in digests if name is None else name.text not in names

    return [*filter(stays, there), *new]
