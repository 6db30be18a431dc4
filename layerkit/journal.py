"""Lines that are kept as they are said: a file of the user's own that only grows, and is made short now and then.

In: lines. Out: the same, in a later run. Each is one write to the file's end, so that a process that is killed loses none that
it has said, and several processes may say theirs at the same time. What can't be written is passed over with one note: nothing
here is needed for a push to succeed. Lines that were damaged are for the reader to leave out.
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from layerkit.ours import PassedOverError, check_ours

MOST = 64 << 20
"""Bytes of a file that is read; 500 images with ten layers each are 2 MB."""


class Journal:
    """Thread-safe. `path` None: nothing is kept."""

    def __init__(self, path: Path | None, note: Callable[[str], None] = lambda text: None) -> None:
        self._fd = -1
        self._path = path
        self._note = note
        self._lock = threading.Lock()
        self._given_up = path is None

    def lines(self) -> list[str]:
        """All that was said, the oldest first."""
        data = b""
        with self._lock, self._passing_over():
            fd = self._opened()
            data = os.pread(fd, MOST, 0) if fd >= 0 else b""
        return [line for line in data.decode("utf-8", "replace").split("\n") if line]

    def say(self, line: str) -> None:
        """Keeps a line, which has no end of line in it."""
        with self._lock, self._passing_over():
            fd = self._opened()
            if fd >= 0:
                os.write(fd, f"\n{line}\n".encode())  # one that was cut short before ends here

    def replace(self, lines: list[str]) -> None:
        """These alone are kept from now on. Not while others may be saying something: then all stays as it is."""
        with self._lock, self._passing_over():
            fd = self._opened()
            if fd < 0 or self._path is None:
                return
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # turns the shared lock into this; others hold theirs while open
            except BlockingIOError:
                fcntl.flock(fd, fcntl.LOCK_SH)
                return
            data = "".join(f"{line}\n" for line in lines).encode()
            fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            try:
                new = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
                with os.fdopen(new, "wb") as file:
                    file.write(data)
                fresh.replace(self._path)
            finally:
                fresh.unlink(missing_ok=True)
            self._close()

    def close(self) -> None:
        with self._lock:
            self._close()

    def __del__(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _opened(self) -> int:
        if self._fd < 0 and not self._given_up and self._path is not None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_ours(self._path.parent.stat(), self._path.parent)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            while True:
                fd = os.open(self._path, flags, 0o600)
                try:
                    status = os.fstat(fd)
                    check_ours(status, self._path)
                    fcntl.flock(fd, fcntl.LOCK_SH)
                    is_current = self._path.exists() and self._path.stat().st_ino == status.st_ino
                except BaseException:
                    os.close(fd)
                    raise
                if is_current:
                    break
                os.close(fd)  # another process has just made it short
            self._fd = fd
        return self._fd

    @contextlib.contextmanager
    def _passing_over(self) -> Iterator[None]:
        try:
            yield
        except (OSError, PassedOverError) as error:
            self._close()
            self._given_up = True
            why = str(error) if isinstance(error, PassedOverError) else f"{self._path}: {error.strerror or error}"
            self._note(f"what is done can't be remembered between runs ({why})")
