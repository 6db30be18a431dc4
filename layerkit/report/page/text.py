"""Foreign text, made short and visible: a page takes as much of it as a person reads."""

from layerkit.report.text import one_line


def shown(text: str, most: int) -> str:
    """`text` on one line, control characters as escapes, what is too long without its middle."""
    line = one_line(text[: 4 * most] + text[-most:] if len(text) > 5 * most else text)
    if len(line) <= most:
        return line
    head = most // 2
    return f"{line[:head]}…{line[-(most - head - 1) :]}"
