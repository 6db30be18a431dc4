"""One difference, and how its values read."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

ABSENT = "absent"
_NANOSECONDS = 1_000_000_000
_LONG = 60


@dataclass(frozen=True, order=True)
class Difference:
    """`str()` gives the line that `layerkit verify` prints."""

    path: str
    """In the filesystem, from its root; or `config` or `image`. What is no printable text is escaped."""
    what: str
    before: str
    after: str
    platform: str = ""
    """`os/architecture`, where images of several platforms are compared."""

    def __str__(self) -> str:
        platform = f"{self.platform}: " if self.platform else ""
        return f"{platform}{self.path}: {self.what}: {self.before} -> {self.after}"


def show_path(path: bytes) -> str:
    return "/" + show(path)


def show(text: bytes) -> str:
    """Bytes of an image for people and JSON: undecodable bytes and control characters escaped."""
    decoded = text.decode("utf-8", "backslashreplace")
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in decoded)


def show_marks(marks: Iterable[bytes]) -> str:
    """Each once, with the number of layers that have it, if that is more than one."""
    counted = Counter(marks)
    return ", ".join(show(mark) + (f" of {count} layers" if count > 1 else "") for mark, count in counted.items()) or "none"


def show_mode(mode: int) -> str:
    return f"{mode:04o}"


def show_time(nanoseconds: int) -> str:
    """`2024-05-01T12:00:00.5Z`; plain seconds where the calendar ends."""
    seconds, fraction = divmod(nanoseconds, _NANOSECONDS)
    tail = f".{fraction:09d}".rstrip("0").rstrip(".")
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + tail + "Z"
    except (ValueError, OverflowError, OSError):
        return f"{seconds}{tail} s"


def show_value(value: bytes) -> str:
    """An xattr: text as it is, anything else as hex."""
    printable = value.decode("ascii", "replace")
    text = repr(printable)[1:-1] if printable.isprintable() and value.isascii() else value.hex()
    return text if len(text) <= _LONG else f"{text[:_LONG]}... ({len(value):,} bytes)"
