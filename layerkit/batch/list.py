"""The LIST of a batch: one image a line.

    # comment
    IMAGE REFERENCE [key=value ...]
    IMAGE [key=value ...]             all images that IMAGE holds, under their own names: below --to, to=HOST/PREFIX, or by --app

In: text. Out: `Line`s, and text again (`format_line`): what is left of a batch is a LIST. Words are quoted as a shell quotes
them; a `#` begins a comment where a word could begin. Keys are long options of `layerkit fix-and-push` (`platform=linux/amd64`,
`max-layer-size=512MB`, flags as `allow-oversized=true`); what they mean is for the caller to say.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from layerkit.errors import UsageError
from layerkit.image.reference import Reference, parse_reference
from layerkit.sizes import parse_size

_WORD = re.compile(r"""(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+""")
_OPTION = re.compile(r"([a-z][a-z-]*)=(.*)", re.DOTALL)

TO = "to"
"""Key: the prefix below which the image goes, under its own name."""
SIZE = "size"
"""Key: bytes of the image, where that can't be seen; for the order, and for shards."""


@dataclass(frozen=True)
class Line:
    """One line that names an image."""

    image: str
    """As every command takes IMAGE."""
    reference: str | None = None
    """None: the image's own name decides."""
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Key -> its values, in the order of the line."""
    where: str = ""
    """`FILE:NUMBER`, for messages."""

    @property
    def size(self) -> int | None:
        """Bytes, if the line says so. Raises UsageError for what is no size."""
        said = self.options.get(SIZE)
        if said is None:
            return None
        try:
            return parse_size(said[-1])
        except ValueError as error:
            raise UsageError(f"{self.where}: {SIZE}={said[-1]}: {error}") from None


def parse_list(lines: Iterable[str], name: str) -> list[Line]:
    """`name`: what messages call the list. Raises UsageError that names the line: of a list with a mistake nothing is done."""
    found = []
    for number, text in enumerate(lines, 1):
        where = f"{name}:{number}"
        words = _words(text, where)
        if words:
            found.append(_line(words, where))
    return found


def _words(text: str, where: str) -> list[str]:
    words = []
    at = 0
    text = text.rstrip("\r\n")
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        if text[at] == "#":
            break
        match = _WORD.match(text, at)
        if match is None:
            raise UsageError(f"{where}: a quote that isn't closed, or a backslash at the end: {text[at:][:60]!r}")
        words.append("".join(shlex.split(match[0])))
        at = match.end()
        if at < len(text) and not text[at].isspace():
            raise UsageError(f"{where}: a quote that isn't closed, or a backslash at the end: {text[at:][:60]!r}")
    return words


def _line(words: list[str], where: str) -> Line:
    image, *rest = words
    if not image:
        raise UsageError(f"{where}: the image's name is empty")
    reference = None
    if rest and not _OPTION.fullmatch(rest[0]):
        reference = rest.pop(0).removeprefix("docker://")
        try:
            parse_reference(reference)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from None
    options: dict[str, tuple[str, ...]] = {}
    for word in rest:
        match = _OPTION.fullmatch(word)
        if match is None:
            raise UsageError(f"{where}: {word[:80]!r}: expected IMAGE, REFERENCE, and then only key=value")
        options[match[1]] = (*options.get(match[1], ()), match[2])
    if reference is not None and TO in options:
        raise UsageError(f"{where}: REFERENCE and {TO}= say the same thing; give one of them")
    line = Line(image, reference, options, where)
    _ = line.size
    return line


def format_line(line: Line) -> str:
    """The line as `parse_list` reads it, without its end."""
    words = [line.image, *([line.reference] if line.reference is not None else [])]
    quoted = [shlex.quote(word) for word in words]
    quoted += [f"{key}={shlex.quote(value)}" for key, values in line.options.items() for value in values]
    return " ".join(quoted)


def below(prefix: str, own_name: str, where: str) -> Reference:
    """Where an image goes that is called `own_name`, below `HOST/PREFIX`: its repository, without the host and without Docker
    Hub's `library/`, and its tag. Raises UsageError when that is no reference."""
    try:
        own = parse_reference(own_name)
    except UsageError as error:
        raise UsageError(f"{where}: the image's own name can't be a reference: {error}; give the line a REFERENCE") from None
    if not own.tag:
        raise UsageError(f"{where}: {own_name} has no tag to go by; give the line a REFERENCE")
    try:
        return parse_reference(f"{prefix.rstrip('/')}/{own.repository.removeprefix('library/')}:{own.tag}")
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
