"""An image's layers, read by a thread while they are looked at.

In: an image that can be opened. Out: what is known so far; the thread never touches the screen. It ends when it is told to,
within a chunk of a layer.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

from layerkit.costs.image_files import ImageFiles
from layerkit.costs.layer_files import FILE, LayerFiles
from layerkit.costs.reading import Layers, PlatformFiles, read_platform
from layerkit.errors import LayerkitError
from layerkit.explore.index import Found, Index, State
from layerkit.image.digest import Digest
from layerkit.image.image import Image, PlatformImage
from layerkit.image.manifest import Descriptor
from layerkit.progress import SilentTask, Task


class _StoppedError(Exception):
    """Nobody looks any more."""


class _Counting(SilentTask):
    def __init__(self, reading: "Reading") -> None:
        self._reading = reading

    def advance(self, count: int) -> None:
        self._reading.advance(count)


class Reading:
    """A `Progress`. `start` it; then look at it now and then. Other threads only read what it says."""

    def __init__(self, choose: Callable[[], tuple[Image, PlatformImage]]) -> None:
        """`choose` opens the image."""
        self.platform: PlatformImage | None = None
        self.total = 0
        """Bytes of distinct layers."""
        self.done = 0
        """Of these, bytes that were read."""
        self.began: dict[Digest, LayerFiles] = {}
        """Layers that are read or have been, in their order."""
        self.read: PlatformFiles | None = None
        """All of it."""
        self.error = ""
        self.warnings: list[str] = []
        self._choose = choose
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="explore", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    @property
    def is_over(self) -> bool:
        return self.read is not None or bool(self.error)

    def advance(self, count: int) -> None:
        self.done += count
        if self._stop.is_set():
            raise _StoppedError

    def task(self, name: str, total: int) -> Task:
        return _Counting(self)

    def note(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def _begin(self, layer: Descriptor, files: LayerFiles) -> None:
        self.began[layer.digest] = files

    def _run(self) -> None:
        with suppress(_StoppedError):
            try:
                image, platform = self._choose()
                self.total = sum({layer.digest: layer.size for layer in platform.manifest.layers}.values())
                self.platform = platform
                self.read = read_platform(image, platform, Layers(self, self._begin))
            except LayerkitError as error:
                self.error = str(error)


def so_far(layer: LayerFiles) -> Iterator[Found]:
    """The files of a layer that is still being read, as far as their costs are known."""
    for number in range(layer.costed):
        if layer.kinds[number] == FILE:
            yield Found(layer, number, State.SAME)


def of_layer(files: ImageFiles, number: int) -> Iterator[Found]:
    """What the layer with a number, from 1, adds and changes, and what it takes away of those below."""
    place = next((one for one in files.placed if one.number == number), None)
    if place is None:
        return
    below: set[int] = set()
    for other in files.placed:
        if other.number >= number:
            break
        below.update(other.files.place_of(member) for member in range(len(other.files)) if other.files.kinds[member] == FILE)
    layer = place.files
    own: set[int] = set()
    for member in range(len(layer)):
        if layer.kinds[member] == FILE:
            where = layer.place_of(member)
            own.add(where)
            yield Found(layer, member, State.CHANGED if where in below else State.ADDED)
    for lost in files.lost():
        if lost.by == number and lost.layer != number and lost.files.place_of(lost.number) not in own:
            yield Found(lost.files, lost.number, State.REMOVED)


def of_all(files: ImageFiles) -> Iterator[Found]:
    """Every file that can be seen."""
    return (Found(layer, number, State.SAME) for layer, number in files.seen())


def matching(members: Iterator[Found], text: str) -> Index:
    """Those whose path has a text in it, in whatever case; all for none."""
    if not text:
        return Index(members)
    wanted = text.casefold()
    return Index(
        found for found in members if wanted in found.layer.path_of(found.number).decode("utf-8", "backslashreplace").casefold()
    )
