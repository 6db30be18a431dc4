"""Which of several images in one file is meant, and which there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from layerkit.errors import UsageError
from layerkit.image.foreign import natural
from layerkit.sources.transports import Transport

T = TypeVar("T")


@dataclass(frozen=True)
class Held:
    """One image of a file."""

    name: str | None
    """By which it is asked for: a name or `@N`. None: the file holds no other."""
    own: str | None
    """The name that the image itself has, with its repository; None: it has none, or a tag alone."""
    transport: Transport
    """OCI_LAYOUT or DOCKER_ARCHIVE: as what it is listed."""


_SHOWN = 20
"""Images named in an error."""


def at_position(wanted: str, items: Sequence[T], where: str) -> T | None:
    """The item that `@N` means, counting from 0 as skopeo does; None when `wanted` is a name."""
    if not wanted.startswith("@") or not wanted[1:].isdecimal():
        return None
    position = natural(wanted[1:], most=len(items) - 1)
    if position is None:
        raise UsageError(f"{where}: there is no image {wanted[:40]}; it holds {len(items)}, from @0")
    return items[position]


def ambiguous(where: str, transport: str, images: Iterable[tuple[int, Sequence[str]]]) -> UsageError:
    """Several images, none chosen: the position of each, and its names."""
    return UsageError(f"{where}: several images; choose one with {transport}:{where}:NAME, where NAME is {_listed(images)}")


def unknown(where: str, wanted: str, images: Iterable[tuple[int, Sequence[str]]]) -> UsageError:
    return UsageError(f"{where}: no image is named {wanted!r}; there is {_listed(images) or 'none'}")


def _listed(images: Iterable[tuple[int, Sequence[str]]]) -> str:
    shown = [" or ".join((*names, f"@{number}")) for number, names in images]
    more = f" and {len(shown) - _SHOWN:,} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
