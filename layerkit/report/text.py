"""Text from an image, made safe to show: an image's names and commands may hold anything, terminal escapes included."""


def printable(text: str) -> str:
    """`text` with control characters, undecodable bytes and invisible formatting written as escapes (`\\x1b`); line ends stay."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else _escaped(char) for char in text)


def one_line(text: str) -> str:
    """`printable`, on one line with single blanks."""
    return printable(" ".join(text.split()))


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")


def plural(count: int, noun: str) -> str:
    """`1 layer`, `2 layers`, `3 entries`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1]}ies" if noun.endswith("y") else f"{count:,} {noun}s"
