"""A file that appears whole or not at all: written under another name beside its target, then renamed.

    with WholeFile(path) as file:
        file.write(data)
        file.commit()

The bytes are handed to the system, and not forced to the disk, as with cp and docker save: for gigabytes that would cost more
than making them did (5 of 27 seconds for a 3.1 GB archive), and only a power cut soon after is what it would help against.

A target that is no ordinary file (/dev/null, a named pipe) is written to directly: there is nothing to rename.
"""

import errno
import os
import secrets
import stat
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from layerkit.errors import OutputError
from layerkit.image.blob import Buffer

_OUT_OF_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class WholeFile:
    """Raises OutputError, naming the target, for whatever the file system refuses. A context manager: without `commit` nothing is
    left of it."""

    def __init__(self, target: Path) -> None:
        self.name = str(target)
        self.written = 0
        """Bytes."""
        with self._told():
            self._target = target.resolve()
            mode = self._target.stat().st_mode if self._target.exists() else stat.S_IFREG
            if stat.S_ISDIR(mode):
                raise OutputError(f"{self.name}: is a directory; expected the name of a file")
            self._temporary: Path | None = None
            if stat.S_ISREG(mode):
                self._temporary = temporary_name(self._target)
                # Whatever happens, an interrupt before it could be entered included.
                self._remove = weakref.finalize(self, self._temporary.unlink, missing_ok=True)
                self._fd = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            else:
                self._fd = os.open(self._target, os.O_WRONLY | os.O_CLOEXEC)

    def write(self, data: Buffer) -> None:
        view = memoryview(data)
        with self._told():
            while view:
                count = os.write(self._fd, view)
                self.written += count
                view = view[count:]

    def write_at(self, offset: int, data: Buffer) -> None:
        """Over bytes that were written before."""
        view = memoryview(data)
        with self._told():
            while view:
                count = os.pwrite(self._fd, view, offset)
                view, offset = view[count:], offset + count

    @property
    def can_rewind(self) -> bool:
        return self._temporary is not None

    def rewind(self, size: int) -> None:
        """Only the first `size` bytes were written."""
        with self._told():
            os.ftruncate(self._fd, size)
            os.lseek(self._fd, size, os.SEEK_SET)
            self.written = size

    def commit(self) -> None:
        """The file is complete, under its name."""
        with self._told():
            if self._temporary is None:
                self._close()
                return
            self._close()
            self._temporary.replace(self._target)
            self._temporary = None
            self._remove.detach()

    def close(self) -> None:
        """Nothing of it is left, unless it was committed. May be called at any time, and more than once."""
        self._close()
        if self._temporary is not None:
            self._remove()
            self._temporary = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    @contextmanager
    def _told(self) -> Iterator[None]:
        with output_errors(self.name, self.written):
            yield


def temporary_name(target: Path) -> Path:
    """A name beside `target` for what isn't complete."""
    return target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.partial")


@contextmanager
def output_errors(name: str, written: int = 0) -> Iterator[None]:
    """OSErrors as OutputErrors; a reader that went away stays a BrokenPipeError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        more = f" after {written:,} bytes; make room, or write to another disk" if error.errno in _OUT_OF_ROOM else ""
        raise OutputError(f"{name}: can't be written: {error.strerror}{more}") from None
