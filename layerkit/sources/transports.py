"""Which image, or which output, is meant: a path, or `TRANSPORT:PLACE[:NAME]` as containers-transports(5) has it."""

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from layerkit.errors import ImageError, UsageError


class Transport(Enum):
    PATH = "path"
    STDIN = "-"
    OCI_ARCHIVE = "oci-archive"
    OCI_LAYOUT = "oci"
    DOCKER_ARCHIVE = "docker-archive"
    DAEMON = "docker-daemon"
    REGISTRY = "docker"


_ALL = "oci-archive:PATH[:NAME], oci:DIR[:NAME], docker-archive:PATH[:NAME], docker-daemon:NAME, docker://REFERENCE, a path, or -"
_PREFIX = re.compile(r"([a-z][a-z-]+):")
_UNSUPPORTED = frozenset({"containers-storage", "dir", "docker-reference", "ostree", "sif", "tarball", "http", "https", "file"})


@dataclass(frozen=True)
class Place:
    transport: Transport
    location: str
    """A path, a reference, or a daemon's name for an image."""
    name: str | None = None
    """Which of several images; `@N` is the one at position N, from 0."""


def parse_place(text: str) -> Place:
    """Raises UsageError for a transport that layerkit doesn't have."""
    if not text:
        raise UsageError(f"an empty image name; expected {_ALL}")
    if text == "-":
        return Place(Transport.STDIN, text)
    if text.startswith("docker://"):
        return Place(Transport.REGISTRY, _required(text, text.removeprefix("docker://")))
    match = _PREFIX.match(text)
    if match is None or _exists(text):
        return Place(Transport.PATH, text)
    rest = text[match.end() :]
    if match[1] in ("oci-archive", "oci", "docker-archive"):
        path, name = _split(_required(text, rest))
        return Place(Transport(match[1]), path, name)
    if match[1] == "docker-daemon":
        return Place(Transport.DAEMON, _required(text, rest))
    if match[1] in _UNSUPPORTED or match[1] == "docker":
        raise UsageError(f"{text}: the transport {match[1]}: is not supported; expected {_ALL}")
    return Place(Transport.PATH, text)


def missing_file(text: str) -> ImageError:
    """There is nothing at this path; perhaps something else was meant."""
    hint = ""
    if re.fullmatch(r"[\w.-]+(:\d+)?(/[\w.-]+)+(:[\w.-]+)?(@sha256:[0-9a-f]+)?", text) or re.fullmatch(r"[\w.-]+:[\w.-]+", text):
        hint = f"; an image in a registry is docker://{text}, one in the local daemon docker-daemon:{text}"
    return ImageError(f"{text}: no such file or directory{hint}")


def _split(rest: str) -> tuple[str, str | None]:
    """PATH[:NAME]: names hold colons, paths seldom do."""
    if _exists(rest):
        return rest, None
    path, colon, name = rest.partition(":")
    return path, name if colon and name else None


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _required(text: str, rest: str) -> str:
    if not rest:
        raise UsageError(f"{text}: nothing follows the transport; expected {_ALL}")
    return rest
