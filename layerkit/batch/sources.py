"""The images behind the lines: a file that several lines name is opened once.

In: lines. Out: a line for each image that they stand for, with its own name and its size; and the images, when it is their turn.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from layerkit.batch.heads import Heads
from layerkit.batch.list import TO, Line
from layerkit.errors import LayerkitError, UsageError
from layerkit.image.image import Image
from layerkit.image.reference import parse_reference
from layerkit.progress import Progress
from layerkit.sources.files import Opened
from layerkit.sources.naming import Held
from layerkit.sources.transports import Place, Transport, parse_place

FILES = frozenset({Transport.PATH, Transport.STDIN, Transport.OCI_ARCHIVE, Transport.OCI_LAYOUT, Transport.DOCKER_ARCHIVE})
"""Transports whose places may hold several images, and can be looked into at once."""

_STDIN = "/dev/stdin"


Made = TypeVar("Made")


def one_each(connect: Callable[[str], Made]) -> Callable[[str], Made]:
    """`connect`, called once for each registry, in any thread: images that come from one registry are read through one client."""
    clients: dict[str, Made] = {}
    lock = threading.Lock()

    def client_of(registry: str) -> Made:
        with lock:
            if registry not in clients:
                clients[registry] = connect(registry)
            return clients[registry]

    return client_of


@dataclass(frozen=True)
class Found:
    """An image that a line stands for."""

    line: Line
    """Of this image alone."""
    own: str | None
    """The name that the image itself has."""
    size: int | None
    """Bytes of its layers, about; None: not known without asking."""


@dataclass
class _Shared:
    """A place that several images are at."""

    users: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    opened: Opened | None = None


class Sources:
    """Thread-safe."""

    def __init__(
        self, opened_at: Callable[[Place], Opened], open_image: Callable[[str, Sequence[str]], Image], progress: Progress
    ) -> None:
        """`opened_at` opens a place of `FILES`; `open_image` any other image, of some platforms alone."""
        self._opened_at = opened_at
        self._open_image = open_image
        self._progress = progress
        self._lock = threading.Lock()
        self._shared: dict[str, _Shared] = {}
        self._heads: dict[str, Heads] = {}

    def found(self, lines: Iterable[Line]) -> list[Found | tuple[Line, LayerkitError]]:
        """Every image of every line, in their order; a place that can't be looked into is its line's error."""
        lines = list(lines)
        with self._lock:
            for location, users in Counter(map(_location, lines)).items():
                if location is not None and users > 1:
                    self._shared.setdefault(location, _Shared()).users += users
        found: list[Found | tuple[Line, LayerkitError]] = []
        for line in lines:
            try:
                found += self._of(line)
            except LayerkitError as error:
                found.append((line, error))
                self.done(line)
        return found

    def image(self, line: Line, platforms: Sequence[str]) -> Image:
        """Raises what opening raises."""
        place = parse_place(line.image)
        if place.transport is Transport.REGISTRY:
            with self._lock:
                heads = self._heads.setdefault(parse_reference(place.location).registry, Heads())
            return heads.of(self._open_image(line.image, platforms))
        if place.transport not in FILES:
            return self._open_image(line.image, platforms)
        transport = Transport.PATH if place.transport is Transport.STDIN else place.transport
        return self._at(place).image(transport, place.name, self._progress)

    def done(self, line: Line) -> None:
        """The line's image isn't needed any more."""
        with self._lock:
            location = _location(line)
            shared = self._shared.get(location or "")
            if shared is not None:
                shared.users -= 1
                if shared.users <= 0:
                    del self._shared[location or ""]

    def _of(self, line: Line) -> list[Found]:
        place = parse_place(line.image)
        if place.transport not in FILES:
            own = place.location if place.transport in (Transport.REGISTRY, Transport.DAEMON) else None
            return [Found(line, own, line.size)]
        if line.reference is not None:
            return [Found(line, None, self._size(line, place))]
        transport = Transport.PATH if place.transport is Transport.STDIN else place.transport
        if place.name is None:
            with self._lock:  # until all that it holds are done
                self._shared.setdefault(_location(line) or "", _Shared(users=1))
            held = self._at(place).held(transport)
        else:
            image = self._at(place).image(transport, place.name, self._progress)
            held = [Held(None, image.reference, transport)]
        with self._lock:
            shared = self._shared.get(_location(line) or "")
            if shared is not None:
                shared.users += len(held) - 1
        lines = [_line_of(line, place, one) for one in held]
        return [
            Found(own, one.own, self._size(own, parse_place(own.image), len(held))) for own, one in zip(lines, held, strict=True)
        ]

    def _size(self, line: Line, place: Place, sharing: int = 1) -> int | None:
        """By what lists the layers where that is at hand, else by the file."""
        if line.size is not None:
            return line.size
        try:
            path = Path(place.location)
            if sharing > 1 and place.transport is Transport.DOCKER_ARCHIVE:
                return path.stat().st_size // sharing if path.is_file() else None  # its layers may have to be hashed first
            if path.is_dir() or sharing > 1:
                image = self.image(line, ())
                layers = {layer.digest: layer.size for found in image.platforms() for layer in found.manifest.layers}
                return sum(layers.values())
            return path.stat().st_size if path.is_file() else None
        except (LayerkitError, OSError, ValueError):
            return None  # what is wrong is told when it is its turn

    def _at(self, place: Place) -> Opened:
        with self._lock:
            shared = self._shared.get(_STDIN if place.transport is Transport.STDIN else place.location)
        if shared is None:
            return self._opened_at(place)
        with shared.lock:
            if shared.opened is None:
                shared.opened = self._opened_at(place)
            return shared.opened


def _location(line: Line) -> str | None:
    try:
        place = parse_place(line.image)
    except UsageError:
        return None
    if place.transport is Transport.STDIN:
        return _STDIN
    return place.location if place.transport in FILES else None


def _line_of(line: Line, place: Place, held: Held) -> Line:
    """The line of one image that is at the line's place."""
    if held.name is None:
        return line
    location = _STDIN if place.transport is Transport.STDIN else place.location
    transport = held.transport
    if transport is Transport.OCI_LAYOUT and not Path(location).is_dir():
        transport = Transport.OCI_ARCHIVE
    return replace(line, image=f"{transport.value}:{location}:{held.name}")


def with_reference(line: Line, reference: str) -> Line:
    """The line, with where its image goes written out."""
    options: Mapping[str, tuple[str, ...]] = {key: values for key, values in line.options.items() if key != TO}
    return replace(line, reference=reference, options=options)
