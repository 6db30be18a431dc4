"""Text from an image, made safe to show: an image's names and commands may hold anything, terminal escapes included."""

from collections import Counter
from collections.abc import Iterable


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
    """`1 layer`, `2 layers`, `3 entries`, `4 indexes`."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{count:,} {noun[:-1]}ies"
    return f"{count:,} {noun}es" if noun.endswith("x") else f"{count:,} {noun}s"


def counted(nouns: Iterable[str]) -> str:
    """`2 attestations, 1 signature`: each noun once, in the order in which they come."""
    return ", ".join(plural(count, noun) for noun, count in Counter(nouns).items())
