"""Recipes become parts: put together, held against the limit, digested.

In: the recipes that a pass offers while the layer still streams by, then those that count at its end. Out: parts. Digests are
computed in the background, and each part is told of as soon as its own is known: it can be on its way, and be read back for the
proof, while later parts are still being made. A part that got something late is made once more; whoever was told of the
first one learns at the end that it doesn't count.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from typing import Self

from layerkit.image.blob import Sliceable, digest_content
from layerkit.layers.one_pass import Complete
from layerkit.layers.part import Part
from layerkit.layers.placement import Again
from layerkit.layers.planner import too_large
from layerkit.layers.splice import assemble
from layerkit.layers.spool import Spool
from layerkit.layers.track import Track

Ready = Callable[[Part, int], None]
"""Is told of a part as soon as its digest is known, with its number from 1. From any thread, in the order of the parts."""


@dataclass(frozen=True)
class Limit:
    size: int
    """Bytes of a part's blob."""
    allow_oversized: bool


class _DroppedError(Exception):
    """Ends a digest that nobody waits for."""


class Finisher:
    """For one pass, as a context manager: what is still being made when it ends isn't wanted any more. Its methods are called by
    the pass's own thread."""

    def __init__(self, track: Track, where: str, limit: Limit, spool: Spool, pool: Executor, ready: Ready) -> None:
        self._track = track
        self._where = where
        self._limit = limit
        self._spool = spool
        self._pool = pool
        self._ready = ready
        self._early: dict[int, tuple[Complete, Future[Part]]] = {}
        self._latest: Future[Part] | None = None
        self._dropped = False

    def offer(self, complete: Complete) -> None:
        """Begins with a part. Raises Again and UnsplittableError when it is too large, NeedsIndex."""
        self._early[complete.number] = (complete, self._begin(complete))

    def finish(self, parts: Sequence[Complete]) -> list[Part]:
        """All parts, as the pass left them: those that changed since they were offered, or weren't, are made now. Raises like
        `offer`."""
        futures = []
        for complete in parts:
            offered, future = self._early.get(complete.number, (None, None))
            futures.append(future if future is not None and offered == complete else self._begin(complete))
        return [future.result() for future in futures]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._dropped = True

    def _begin(self, complete: Complete) -> Future[Part]:
        content = assemble(complete.recipe, self._track, self._spool.keep)
        self._check(complete, content.size)
        self._latest = self._pool.submit(self._digest, complete, content, self._latest)
        return self._latest

    def _check(self, complete: Complete, size: int) -> None:
        if size <= self._limit.size or (self._limit.allow_oversized and complete.stuck):
            return
        if complete.stuck:
            raise too_large(self._where, complete.stuck, size, self._limit.size)
        raise Again(shrink=size - self._limit.size)

    def _digest(self, complete: Complete, content: Sliceable, before: Future[Part] | None) -> Part:
        part = Part(digest_content(content, self._go_on), complete.recipe.diff_id, complete.recipe)
        if before is not None:
            wait([before])  # it was begun before: it isn't waiting for a thread
        self._go_on()
        self._ready(part, complete.number + 1)
        return part

    def _go_on(self) -> None:
        if self._dropped:
            raise _DroppedError
