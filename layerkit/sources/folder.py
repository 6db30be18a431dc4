"""A folder of files, wherever it is: what OCI layouts and docker archives are read from, packed in a tar or not.

In: a path inside the folder. Out: the bytes of that file as a range of an input file; nothing is copied. Symbolic links are
followed as long as they stay inside: whoever made the folder must not choose which of the reader's files become part of an image.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from layerkit.errors import DamagedError, ImageError
from layerkit.image.blob import FileRange, read_exactly
from layerkit.image.foreign import MAX_DOCUMENT

MAX_LINKS = 40
"""Links followed for one path; as many as Linux follows (path_resolution(7))."""

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_ABSENT = (FileNotFoundError, NotADirectoryError, ValueError)  # ValueError: no name of a file at all, such as one with a NUL


class Folder(Protocol):
    @property
    def name(self) -> str:
        """What messages call it: as the user spelled it."""

    def find(self, path: str) -> FileRange | None:
        """The file at `path` (relative, with slashes), links followed; None when there is none. Raises ImageError when what is
        there can't be read as a file."""

    def children(self, path: str) -> list[str]:
        """Names of the files and folders in the folder at `path` ("" is the top), sorted; none when it isn't there."""


class Directory:
    """A folder on disk."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name

    def find(self, path: str) -> FileRange | None:
        try:
            with self.opened(path, os.O_NONBLOCK) as file:
                status = os.fstat(file)
        except _ABSENT:
            return None
        except OSError as error:
            raise ImageError(f"{self.name}/{path}: {error.strerror}") from None
        return FileRange(_StoredFile(self, path, status), 0, status.st_size) if stat.S_ISREG(status.st_mode) else None

    def children(self, path: str) -> list[str]:
        try:
            with self.opened(path, os.O_DIRECTORY) as folder:
                return sorted(os.listdir(folder))  # noqa: PTH208  # pathlib lists no open folder
        except _ABSENT:
            return []
        except OSError as error:
            raise ImageError(f"{self.name}/{path}: {error.strerror}") from None

    @contextmanager
    def opened(self, path: str, flags: int) -> Iterator[int]:
        """The file descriptor of what is at `path`. Each step is taken from the folder before, never by a whole path: nothing can
        be put in the way between looking and opening. Raises OSError, DamagedError for a link that leads out."""
        folders = [os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
        try:
            found = self._walk(path, flags, folders)
            try:
                yield found
            finally:
                if found is not folders[-1]:
                    os.close(found)
        finally:
            for folder in folders:
                os.close(folder)

    def _walk(self, path: str, flags: int, folders: list[int]) -> int:
        """Leaves every folder on the way in `folders`, from the top."""
        left = _parts(path)
        links = 0
        while left:
            part = left.pop()
            if part == "..":
                if len(folders) == 1:
                    raise self._leads_out(path)
                os.close(folders.pop())
                continue
            mode = os.stat(part, dir_fd=folders[-1], follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                target = os.readlink(part, dir_fd=folders[-1])
                links += 1
                if links > MAX_LINKS:
                    raise DamagedError.mismatch(
                        f"{self.name}/{path}",
                        expected=f"a file, after at most {MAX_LINKS} links",
                        found="links that lead in a circle",
                    )
                if target.startswith("/"):
                    raise self._leads_out(path)
                left += _parts(target)
            elif left:
                folders.append(os.open(part, _OPEN | os.O_DIRECTORY, dir_fd=folders[-1]))
            else:
                return os.open(part, _OPEN | flags, dir_fd=folders[-1])
        return folders[-1]

    def _leads_out(self, path: str) -> DamagedError:
        return DamagedError.mismatch(
            f"{self.name}/{path}",
            expected="a file inside the folder",
            found="a link that leads out of it",
            why="put the file itself there, if it is meant",
        )


class _StoredFile:
    """One of a folder's files, opened for each read: a layout may hold more of them than a process may have open."""

    def __init__(self, folder: Directory, path: str, status: os.stat_result) -> None:
        self.name = f"{folder.name}/{path}"
        self.size = status.st_size
        self._folder = folder
        self._path = path
        self._identity = _identity(status)

    def read_at(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes at `offset`. Raises DamagedError when they aren't there, or when the file is another by now."""
        try:
            with self._folder.opened(self._path, os.O_NONBLOCK) as file:
                if _identity(os.fstat(file)) != self._identity:
                    raise DamagedError.mismatch(
                        self.name, expected="the file that was there before", found="another one, or an altered one"
                    )
                return read_exactly(file, offset, size, self.name)
        except (OSError, ValueError) as error:
            raise ImageError(f"{self.name}: {getattr(error, 'strerror', None) or 'is gone'}") from None


class Within:
    """A folder inside a folder: a layout packed together with the directory it is in."""

    def __init__(self, outer: Folder, path: str) -> None:
        self._outer = outer
        self._path = path
        self.name = f"{outer.name}: {path}"

    def find(self, path: str) -> FileRange | None:
        return self._outer.find(f"{self._path}/{path}")

    def children(self, path: str) -> list[str]:
        return self._outer.children(f"{self._path}/{path}".rstrip("/"))


def read_document(content: FileRange, where: str) -> bytes:
    """The bytes of a JSON document. Raises DamagedError when it is larger than any can be."""
    if content.size > MAX_DOCUMENT:
        raise DamagedError.mismatch(
            where, expected=f"a JSON document of at most {MAX_DOCUMENT:,} bytes", found=f"{content.size:,} bytes"
        )
    return content.file.read_at(content.start, content.size)


def _parts(path: str) -> list[str]:
    """The steps of a path, the first one last."""
    return [part for part in path.split("/") if part not in ("", ".")][::-1]


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
