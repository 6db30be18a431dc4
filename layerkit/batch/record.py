"""What earlier runs have done, so that the next is cheap.

In: lines of a journal. Out: what a source became, under which tag, with which options; and in which repository of a registry a
blob was put first, so that it is linked from there and not sent again. All of it is only believed where the registry agrees: the
tag is asked for, a blob looked for. A line is JSON, for other programs to read too:

    {"done": [SOURCE DIGEST, OPTIONS, "HOST/REPOSITORY:TAG", RESULT DIGEST]}
    {"blob": [REGISTRY, REPOSITORY, DIGEST]}
"""

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from layerkit.image.digest import Digest, is_digest

RECORD = "batch"
"""The journal's name."""

MOST_LINES = 200_000
"""Lines above which the journal is made short: to what still says something, and the newer half of that if need be."""


class Kept(Protocol):
    """What a `Journal` does."""

    def lines(self) -> list[str]: ...
    def say(self, line: str) -> None: ...
    def replace(self, lines: list[str]) -> None: ...


def options_key(**options: object) -> str:
    """Sixteen hex digits that are the same for the same options: whatever decides what an image becomes."""
    text = json.dumps({name: _plain(value) for name, value in options.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    if isinstance(value, frozenset | set):
        return sorted(map(str, value))
    return value if isinstance(value, int | float | str | bool | None) else str(value)


class Record:
    """Thread-safe."""

    def __init__(self, journal: Kept) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._done: dict[tuple[str, str, str], Digest] = {}
        """By source digest, options and tag."""
        self._last: dict[str, Digest] = {}
        """Tag -> what was put there last, whatever it was made of."""
        self._places: dict[tuple[str, Digest], str] = {}
        lines = journal.lines()
        for values in _entries(lines):
            self._take(values)
        if len(lines) > MOST_LINES:
            said = list(self._said())
            journal.replace(said[-MOST_LINES // 2 :])

    def done(self, source: Digest, options: str, tag: str) -> Digest | None:
        """What the source became under that tag, when it was done the last time; None: it wasn't, or it was something else that
        was put there last."""
        with self._lock:
            found = self._done.get((source, options, tag))
            return found if found is not None and self._last.get(tag) == found else None

    def last(self, tag: str) -> Digest | None:
        """What was put under the tag last."""
        with self._lock:
            return self._last.get(tag)

    def did(self, source: Digest, options: str, tag: str, result: Digest) -> None:
        self._say("done", [source, options, tag, result])

    def place(self, registry: str, digest: Digest) -> str | None:
        """The repository in which the blob was the last time it was looked for."""
        with self._lock:
            return self._places.get((registry, digest))

    def put(self, registry: str, repository: str, digest: Digest) -> None:
        """The blob is there. Said once: one place is enough to have it linked from."""
        if self.place(registry, digest) is None:
            self._say("blob", [registry, repository, digest])

    def _say(self, kind: str, values: list[str]) -> None:
        with self._lock:
            self._take((kind, values))
        self._journal.say(_line(kind, values))

    def _take(self, entry: tuple[str, list[str]]) -> None:
        kind, values = entry
        if kind == "done":
            source, options, tag, result = values
            key = (source, options, tag)
            self._done.pop(key, None)  # in the order in which they were done
            self._last.pop(tag, None)
            self._done[key] = self._last[tag] = Digest(result)
        else:
            registry, repository, digest = values
            self._places[registry, Digest(digest)] = repository

    def _said(self) -> Iterator[str]:
        for (registry, digest), repository in self._places.items():
            yield _line("blob", [registry, repository, digest])
        for (source, options, tag), result in self._done.items():
            if self._last.get(tag) == result:
                yield _line("done", [source, options, tag, result])


def _line(kind: str, values: list[str]) -> str:
    return json.dumps({kind: values})


def _entries(lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Those that are sound: one that was cut short, or isn't ours, says nothing about the others."""
    for line in lines:
        try:
            value: Any = json.loads(line) if line.startswith('{"') else None
        except (ValueError, RecursionError):
            continue
        if not isinstance(value, dict) or len(value) != 1:
            continue
        ((kind, values),) = value.items()
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            continue
        if (kind == "done" and len(values) == 4 and is_digest(values[0]) and is_digest(values[3])) or (
            kind == "blob" and len(values) == 3 and is_digest(values[2])
        ):
            yield kind, values
