"""How long work tells of itself: a protocol that the command line implements and the library only calls.

Work calls `progress.task(name, total)` once per thing that takes time, `advance(bytes)` as bytes go by, and closes the task when
it is done. `progress.note(text)` is one line for the reader. All methods may be called from any thread.
"""

from types import TracebackType
from typing import Protocol, Self


class Task(Protocol):
    """One running piece of work, measured in bytes."""

    def advance(self, count: int) -> None:
        """`count` bytes more are done; negative when bytes have to be done again."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class Progress(Protocol):
    def task(self, name: str, total: int) -> Task:
        """Work of `total` bytes begins."""

    def note(self, text: str) -> None:
        """One line of news: something the reader would want to know, but no result."""

    def warn(self, text: str) -> None:
        """One line that the reader should act on."""


class SilentTask:
    """Says nothing; what does may begin with it."""

    def advance(self, count: int) -> None:
        pass

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass


class Silent:
    """A `Progress` that says nothing: the library's default."""

    def task(self, name: str, total: int) -> Task:
        return SilentTask()

    def note(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        pass


SILENT: Progress = Silent()
