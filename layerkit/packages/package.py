"""A package, and what its database says that it owns: the values that readers of databases hand over."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

MAX_TEXT = 256
"""Characters of a name or a version. Debian's longest name has 70."""

Files: TypeAlias = Mapping[bytes, bytes]
"""Path from the root, without a leading slash -> content, of the files that are `wanted`."""

Problem: TypeAlias = Callable[[bytes, str], None]
"""Is told the path of a database, and what is wrong with it."""


class Package(NamedTuple):
    kind: str
    """`deb`, `rpm`, `apk`, `python`, `npm`, `conda`, `go`, `java`."""
    name: str
    version: str
    path: bytes
    """The file that says so, from the root, without a leading slash."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What a database says of one package. Names, versions and paths are others' and may hold anything."""

    kind: str
    name: bytes | str
    version: bytes | str
    path: bytes
    """Of the database."""
    paths: Iterable[bytes] = ()
    """What it owns, from the root; gone through once. Directories may be among them."""
    folders: tuple[bytes, ...] = field(default=())
    """Real paths of directories: what is below is its own where nothing nearer says otherwise."""
    alone: bool = False
    """Is the database about this package only? Then it is part of whatever owns the database's file, if anything does."""

    def package(self) -> Package:
        return Package(self.kind, _text(self.name), _text(self.version), self.path)


def _text(value: bytes | str) -> str:
    if isinstance(value, bytes):
        value = value[: 4 * MAX_TEXT].decode("utf-8", "replace")
    return value[:MAX_TEXT]
