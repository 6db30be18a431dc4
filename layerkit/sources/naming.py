"""Which of several images in one file is meant."""

from collections.abc import Sequence
from typing import TypeVar

from layerkit.errors import UsageError
from layerkit.image.reference import parse_reference

T = TypeVar("T")


def same_name(wanted: str, name: str) -> bool:
    """`busybox`, `busybox:latest` and `docker.io/library/busybox:latest` are one name."""
    if wanted == name:
        return True
    try:
        return parse_reference(wanted) == parse_reference(name)
    except UsageError:
        return False


def at_position(wanted: str, items: Sequence[T], where: str) -> T | None:
    """The item that `@N` means, counting from 0 as skopeo does; None when `wanted` is a name."""
    if not wanted.startswith("@") or not wanted[1:].isdecimal():
        return None
    if int(wanted[1:]) >= len(items):
        raise UsageError(f"{where}: there is no image {wanted}; it holds {len(items)}, from @0")
    return items[int(wanted[1:])]


def ambiguous(where: str, transport: str, names: Sequence[Sequence[str]]) -> UsageError:
    """Several images, none chosen; `names` has the names of each."""
    return UsageError(f"{where}: several images; choose one with {transport}:{where}:NAME, where NAME is {_listed(names)}")


def unknown(where: str, wanted: str, names: Sequence[Sequence[str]]) -> UsageError:
    return UsageError(f"{where}: no image is named {wanted!r}; there is {_listed(names) or 'none'}")


def _listed(names: Sequence[Sequence[str]]) -> str:
    return ", ".join(" or ".join((*own, f"@{number}")) for number, own in enumerate(names))
