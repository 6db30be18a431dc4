"""Where layers' parts are made: for one image, or once for several that share layers.

In: which layer, split how, and the work itself. Out: its parts. What several images share is split and proven once, one layer at
a time: splitting one takes all cores, and its memory is most of what a run may have. The parts are kept as long as an image uses
them, and the latest for those that come; what was compressed for them is on disk.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from layerkit.image.digest import Digest
from layerkit.layers.making import Part
from layerkit.layers.split import SplitOptions
from layerkit.spool import Room, Spool

KEPT_BYTES = 4 << 30
"""Of temporary files for parts that nobody may need any more."""

KEPT_SPLITS = 256
"""Layers whose parts are kept for images to come: a few kilobytes each, and what was made for them."""


class Key(NamedTuple):
    """What decides the parts, to the byte."""

    layer: Digest
    options: SplitOptions


Make = Callable[[Spool], Sequence[Part]]
"""Splits the layer, offering its parts as they are made; what has to be kept goes into the spool."""


class Splits(Protocol):
    def parts(self, key: Key, make: Make) -> tuple[Sequence[Part], bool]:
        """The layer's parts, and whether `make` was called for them now. Raises what it raises."""


class OwnSplits:
    """Of one image."""

    def __init__(self, spool: Spool | None = None) -> None:
        self._spool = spool or Spool()

    def parts(self, key: Key, make: Make) -> tuple[Sequence[Part], bool]:
        return make(self._spool), True


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while its parts are made."""
    parts: Sequence[Part] | None = None
    spool: Spool | None = None


class SharedSplits:
    """Of all images of a run. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._one = threading.Lock()
        """One layer at a time."""
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._room = Room()

    def parts(self, key: Key, make: Make) -> tuple[Sequence[Part], bool]:
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
        with entry.lock:
            if entry.parts is not None:
                return entry.parts, False
            with self._one:
                spool = Spool(room=self._room)
                parts = make(spool)
            entry.parts, entry.spool = parts, spool
        with self._lock:
            self._drop_the_oldest()
        return parts, True

    def _drop_the_oldest(self) -> None:
        """Parts that an image still uses keep their bytes."""
        done = [key for key, entry in self._entries.items() if entry.spool is not None]
        sizes = {key: spool.size for key in done if (spool := self._entries[key].spool) is not None}
        stored = sum(sizes.values())
        for number, key in enumerate(done[:-1]):
            if len(done) - number <= KEPT_SPLITS and stored <= KEPT_BYTES:
                break
            stored -= sizes[key]
            del self._entries[key]
