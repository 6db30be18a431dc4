"""Foreign text, made short and visible: a page takes as much of it as a person reads."""

from collections.abc import Sequence
from typing import Any

from layerkit.report.text import one_line

MOST_ROWS = 200
"""Of each list."""
LINE = 400
"""Characters of a path, a command, a message."""


def shown(text: str, most: int) -> str:
    """`text` on one line, control characters as escapes, what is too long without its middle."""
    line = one_line(text[: 4 * most] + text[-most:] if len(text) > 5 * most else text)
    if len(line) <= most:
        return line
    head = most // 2
    return f"{line[:head]}…{line[-(most - head - 1) :]}"


def rows_of(values: Sequence[Any]) -> list[Any]:
    """The first of them, made short."""
    return [shortened(value) for value in values[:MOST_ROWS]]


def shortened(value: Any) -> Any:
    """A value of JSON with all texts in it made short."""
    if isinstance(value, str):
        return shown(value, LINE)
    if isinstance(value, dict):
        return {key: shortened(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [shortened(one) for one in value[:20]]
    return value
