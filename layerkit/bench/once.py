"""Progress for work that is done several times."""

from layerkit.progress import Progress, Task


class Once:
    """Passes everything on, but for notes and warnings that were given before."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._said: set[str] = set()

    def task(self, name: str, total: int) -> Task:
        return self._progress.task(name, total)

    def note(self, text: str) -> None:
        if self._is_new(text):
            self._progress.note(text)

    def warn(self, text: str) -> None:
        if self._is_new(text):
            self._progress.warn(text)

    def _is_new(self, text: str) -> bool:
        known = len(self._said)
        self._said.add(text)
        return len(self._said) > known
