"""Bytes that layerkit makes and that must be readable again: in memory while they are few, in a temporary file otherwise.

Splicing makes a few megabytes and never touches the disk; encoding makes whole layers. The file has no name: it is gone with the
process, however that ends.
"""

import errno
import os
import tempfile
import threading
import weakref
from pathlib import Path

from layerkit.errors import OutputError
from layerkit.image.blob import Bytes, Content, FileRange, InputFile

MEMORY = 64 << 20
"""Bytes kept in memory at most."""


class Room:
    """Memory that several spools share. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0

    def take(self, size: int) -> bool:
        """False: there is no room for so many bytes."""
        with self._lock:
            if self._taken + size > MEMORY:
                return False
            self._taken += size
            return True

    def give_back(self, size: int) -> None:
        with self._lock:
            self._taken -= size


class Spool:
    """Thread-safe. `folder`: where the temporary file goes, the system's choice (TMPDIR) by default; `room`: for what is kept in
    memory, its own by default, which is given back with the spool."""

    def __init__(self, folder: Path | None = None, room: Room | None = None) -> None:
        self._folder = folder
        self._room = room or Room()
        self._lock = threading.Lock()
        self._file: InputFile | None = None
        self.size = 0
        """Bytes on disk."""

    def keep(self, data: bytes) -> Content:
        """`data`, readable again. Raises OutputError when the disk is full."""
        if not self._room.take(len(data)):
            return self.append(data)
        weakref.finalize(self, self._room.give_back, len(data))
        return Bytes(data)

    def append(self, data: bytes) -> FileRange:
        """`data` at the end of the temporary file."""
        with self._lock:
            if self._file is None:
                self._file = self._create()
            start = self.size
            self.size += len(data)
            file = self._file
        view = memoryview(data)
        at = start
        try:
            while view:
                written = os.pwrite(file.fileno(), view, at)
                at += written
                view = view[written:]
        except OSError as error:
            raise self._full(error) from None
        return FileRange(file, start, len(data))

    def append_all(self, content: Content) -> FileRange:
        """All of `content` at the end of the temporary file. Nothing else may be appended meanwhile."""
        first = self.append(b"")
        for chunk in content.chunks():
            self.append(bytes(chunk))
        return FileRange(first.file, first.start, content.size)

    def range(self, start: int, size: int) -> FileRange:
        """Bytes appended before."""
        assert self._file is not None
        return FileRange(self._file, start, size)

    def _create(self) -> InputFile:
        try:
            fd, name = tempfile.mkstemp(prefix="layerkit-", dir=self._folder)
            Path(name).unlink()
        except OSError as error:
            raise self._full(error) from None
        return InputFile(Path(name), name="the temporary file", fd=fd)

    def _full(self, error: OSError) -> OutputError:
        folder = self._folder or Path(tempfile.gettempdir())
        hint = "free some space there, or set TMPDIR to a larger disk" if error.errno == errno.ENOSPC else "set TMPDIR"
        return OutputError(f"{folder}: the temporary file can't be written ({error.strerror}); {hint}")
