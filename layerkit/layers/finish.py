"""Recipes become parts: put together, held against the limit, digested, read back.

In: what a pass tells of its parts while the layer still streams by, then the recipes that count at its end. Out: parts. Digests
and read-backs follow a part while it is being filled, in the background; its blob is told of as soon as its digest is known: it
can be on its way while later parts are still being made. A part that got something late is made once more; whoever was told
of the first one learns at the end that it doesn't count.
"""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Self

from isal import isal_zlib

from layerkit.errors import DamagedError, ProofError
from layerkit.image.blob import Blob, Joined, Sliceable
from layerkit.image.digest import Digest
from layerkit.layers.decode import decoded_chunks
from layerkit.layers.growing import Beginning, GivenUpError, Growing
from layerkit.layers.handover import ahead
from layerkit.layers.one_pass import Complete, Filling
from layerkit.layers.part import Part, Witness
from layerkit.layers.placement import Again
from layerkit.layers.planner import too_large
from layerkit.layers.splice import assemble
from layerkit.layers.spool import Spool
from layerkit.layers.track import Track
from layerkit.priority import give_way
from layerkit.progress import SILENT, Progress, Task

_AHEAD = 32
"""Pieces that may be decoded ahead of those who see them."""


_NOT_AS_MADE = (
    "Nothing was published. The input may have changed meanwhile; otherwise it is a bug in layerkit, or faulty memory: please "
    "try again, and report it if it happens twice"
)


@dataclass(frozen=True)
class Limit:
    size: int
    """Bytes of a part's blob."""
    allow_oversized: bool


class Audience:
    """Who is told of a layer's parts, with their numbers from 1, and sees them read back. This one doesn't care."""

    @property
    def reads_back(self) -> bool:
        """Are parts read back? Otherwise their diff_ids come from what went into them."""
        return False

    def witness(self, number: int) -> Witness:
        """What is to see a part that is being read back."""
        raise NotImplementedError

    def ready(self, blob: Blob, number: int) -> None:
        """A part's blob. From any thread, in the order of the parts."""

    def made(self, part: Part, number: int) -> None:
        """A part of which everything is known. From any thread, in any order."""


class Workers:
    """Threads for all parts of a layer, closed when done."""

    def __init__(self, jobs: int | None) -> None:
        cores = jobs or os.cpu_count() or 1
        # More than cores: those that follow a part which is being filled wait most of the time.
        self.digests = ThreadPoolExecutor(cores + 1, thread_name_prefix="digest", initializer=give_way)
        self.readers = ThreadPoolExecutor(cores + 2, thread_name_prefix="read-back", initializer=give_way)

    def close(self) -> None:
        """What hasn't begun never does."""
        self.digests.shutdown(cancel_futures=True)
        self.readers.shutdown(cancel_futures=True)


class _Making:
    """A part on its way."""

    def __init__(self, number: int, track: Track) -> None:
        self.number = number
        self.growing = Growing()
        self.beginning = Beginning(track)
        self.complete: Complete | None = None
        self.content: Sliceable = Joined([])
        """All of it, once it is complete."""
        self.blob: Future[Blob]
        self.read: Future[Part] | None = None


class Finisher:
    """For one pass, as a context manager: what is still being made when it ends isn't wanted any more. Its methods are called by
    the pass's own thread."""

    def __init__(
        self,
        track: Track,
        where: str,
        limit: Limit,
        spool: Spool,
        workers: Workers,
        audience: Audience,
        progress: Progress = SILENT,
    ) -> None:
        self._track = track
        self._where = where
        self._limit = limit
        self._spool = spool
        self._workers = workers
        self._audience = audience
        self._progress = progress
        self._makings: dict[int, _Making] = {}
        """By number, the latest."""
        self._latest: Future[Blob] | None = None
        self._ended = False

    def grow(self, filling: Filling) -> None:
        """Begins with a part that is being filled, or goes on."""
        making = self._makings.get(filling.number) or self._begin(filling.number)
        making.growing.grow(making.beginning.of(filling.pieces))

    def offer(self, complete: Complete) -> None:
        """All there is of a part, probably. Raises Again and UnsplittableError when it is too large, NeedsIndex."""
        content = assemble(complete.recipe, self._track, self._spool.keep)
        self._check(complete, content.size)
        making = self._makings.get(complete.number)
        if making is None or making.complete is not None:
            making = self._begin(complete.number)
        making.complete, making.content = complete, content
        if not making.growing.close(content):
            making.growing.give_up()
            making = self._begin(complete.number)
            making.complete, making.content = complete, content
            making.growing.close(content)

    def finish(self, parts: Sequence[Complete]) -> list[Part]:
        """All parts, as the pass left them: those that changed since they were offered, or weren't, are made now. Raises like
        `offer`; ProofError for a part that can't be read back."""
        for complete in parts:
            making = self._makings.get(complete.number)
            if making is None or making.complete != complete:
                self.offer(complete)
        makings = [self._makings[complete.number] for complete in parts]
        blobs = [making.blob.result() for making in makings]
        return [
            making.read.result() if making.read is not None else _part(making, blob)
            for making, blob in zip(makings, blobs, strict=True)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        for making in self._makings.values():
            making.growing.give_up()

    def _begin(self, number: int) -> _Making:
        making = self._makings[number] = _Making(number, self._track)
        making.blob = self._latest = self._workers.digests.submit(self._digest, making, self._latest)
        if self._audience.reads_back:
            making.read = self._workers.readers.submit(self._read_back, making, self._audience.witness(number + 1))
        return making

    def _check(self, complete: Complete, size: int) -> None:
        if size <= self._limit.size or (self._limit.allow_oversized and complete.stuck):
            return
        if complete.stuck:
            raise too_large(self._where, complete.stuck, size, self._limit.size)
        raise Again(shrink=size - self._limit.size)

    def _digest(self, making: _Making, before: Future[Blob] | None) -> Blob:
        hasher = hashlib.sha256()
        for chunk in making.growing.chunks():
            hasher.update(chunk)
        blob = Blob(Digest(f"sha256:{hasher.hexdigest()}"), making.content, is_computed=True)
        if before is not None:
            wait([before])  # it was begun before: it isn't waiting for a thread
        if self._ended:
            raise GivenUpError
        self._audience.ready(blob, making.number + 1)
        if not self._audience.reads_back:
            self._audience.made(_part(making, blob), making.number + 1)
        return blob

    def _read_back(self, making: _Making, witness: Witness) -> Part:
        where = f"{self._where}: new layer {making.number + 1}"
        hasher = hashlib.sha256()
        crc = length = 0
        shown = _Shown(self._progress, making)
        try:
            for data in ahead(decoded_chunks(making.growing.chunks(), where), _AHEAD, begin=give_way):
                hasher.update(data)
                crc = isal_zlib.crc32(data, crc)
                length += len(data)
                witness.feed(data)
                shown.advance(len(data))
                if self._ended:
                    raise GivenUpError
        except DamagedError as error:
            raise ProofError(f"{where} can't be read back: {error}. {_NOT_AS_MADE}") from None
        finally:
            shown.close()
        assert making.complete is not None
        recipe = making.complete.recipe
        if (crc, length) != (recipe.crc, recipe.length):
            raise ProofError(
                f"{where}, read back: expected {recipe.length:,} bytes of CRC-32 {recipe.crc:08x}, which went into it, found "
                f"{length:,} of {crc:08x}. {_NOT_AS_MADE}"
            )
        blob = making.blob.result()  # its digest was begun before: it isn't waiting for a thread
        part = _part(making, blob, Digest(f"sha256:{hasher.hexdigest()}"), witness)
        self._audience.made(part, making.number + 1)
        return part


def _part(making: _Making, blob: Blob, diff_id: Digest | None = None, witness: Witness | None = None) -> Part:
    assert making.complete is not None
    found = diff_id or making.complete.recipe.diff_id
    assert found is not None, "it is hashed as it is made or as it is read back"
    return Part(blob, found, making.complete.recipe, witness)


class _Shown:
    """Tells of a read-back from when it is known how long it takes."""

    def __init__(self, progress: Progress, making: _Making) -> None:
        self._progress = progress
        self._making = making
        self._done = 0
        self._task: Task | None = None

    def advance(self, count: int) -> None:
        self._done += count
        if self._task is not None:
            self._task.advance(count)
        elif self._making.complete is not None:
            self._task = self._progress.task(f"prove part {self._making.number + 1}", self._making.complete.recipe.length)
            self._task.advance(self._done)

    def close(self) -> None:
        if self._task is not None:
            self._task.close()
