"""A folder of files, wherever it is: what OCI layouts and docker archives are read from, packed in a tar or not.

In: a path inside the folder. Out: the bytes of that file as a range of an input file; nothing is copied.
"""

import stat
from pathlib import Path
from typing import Protocol

from layerkit.errors import DamagedError, ImageError
from layerkit.image.blob import FileRange, InputFile
from layerkit.image.foreign import MAX_DOCUMENT


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
        place = self.path / path
        try:
            if not stat.S_ISREG(place.stat().st_mode):
                return None
            file = InputFile(place, name=f"{self.name}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ImageError(f"{self.name}/{path}: {error.strerror}") from None
        return FileRange(file, 0, file.size)

    def children(self, path: str) -> list[str]:
        try:
            return sorted(entry.name for entry in (self.path / path).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise ImageError(f"{self.name}/{path}: {error.strerror}") from None


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
