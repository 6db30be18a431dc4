"""Paths in tables that are narrower than they are."""

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

_LEAST = 12
"""Columns that a path is given at least."""


class Elided:
    """Text whose middle goes when there is no room: a path's end says more than what is before it."""

    def __init__(self, text: str) -> None:
        """`text`: printable, on one line."""
        self._text = text

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = Text(self._text).cell_len
        return Measurement(min(width, _LEAST), width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(elided(self._text, options.max_width), no_wrap=True, overflow="ellipsis")


def elided(text: str, width: int) -> str:
    """At most `width` cells: a third of what there is room for from its beginning, the rest from its end. Characters that are two
    cells wide are left to the terminal to cut."""
    if len(text) <= width:
        return text
    room = max(width - 1, 1)
    before = room // 3
    return text[:before] + "…" + text[len(text) - (room - before) :]
