"""Text from an image, made safe to show: an image's names and commands may hold anything, terminal escapes included."""

import json
from collections import Counter
from collections.abc import Iterable


def escaped(text: str) -> str:
    """`text` on one line: control characters, line ends, undecodable bytes and invisible formatting are written as escapes
    (`\\x1b`, `\\n`)."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def one_line(text: str) -> str:
    """`escaped`, with single blanks for blanks and line ends."""
    return escaped(" ".join(text.split()))


def json_text(value: object) -> str:
    """JSON for people and programs: indented, what isn't printable as an escape."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def json_line(value: object) -> str:
    """JSON on one line, for programs; what isn't ASCII as an escape."""
    return json.dumps(value)


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
