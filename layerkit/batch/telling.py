"""One line of progress for an image, however many blobs it has on their way."""

from layerkit.progress import Progress, SilentTask, Task


class ImageProgress:
    """A `Progress` for one image of several: its uploads advance one task; notes say whose they are."""

    def __init__(self, progress: Progress, name: str, task: Task) -> None:
        self._progress = progress
        self._name = name
        self._task = task

    def task(self, name: str, total: int) -> Task:
        return _Part(self._task)

    def note(self, text: str) -> None:
        self._progress.note(self._named(text))

    def warn(self, text: str) -> None:
        self._progress.warn(self._named(text))

    def _named(self, text: str) -> str:
        return text if self._name in text else f"{self._name}: {text}"


class Work:
    """The same for what isn't uploading: its tasks aren't shown, for the bytes that are read aren't those that are sent."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def task(self, name: str, total: int) -> Task:
        return _Part(None)

    def note(self, text: str) -> None:
        self._progress.note(text)

    def warn(self, text: str) -> None:
        self._progress.warn(text)


class _Part(SilentTask):
    """A share of a task that others advance, too."""

    def __init__(self, task: Task | None) -> None:
        self._task = task

    def advance(self, count: int) -> None:
        if self._task is not None:
            self._task.advance(count)
