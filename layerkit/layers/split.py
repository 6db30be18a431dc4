"""One layer becomes several, in one pass over its raw tar.

In: a layer's blob and what its parts may be. Out: the parts, or one part that only changed its compression. While the raw
tar streams by, members are framed, the planner decides, and checksums run along; as soon as a part is complete it is put together
from verbatim stretches and re-encoded edges, and must be within the limit. What the image says of the layer is checked meanwhile.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from layerkit.errors import CannotFixError, DamagedError, ProofError
from layerkit.image.blob import Blob, Buffer, Bytes, FileRange, Joined, Sliceable
from layerkit.image.digest import Digest
from layerkit.image.media_types import Compression
from layerkit.layers.finish import Audience, Finisher, Limit, Workers
from layerkit.layers.gzip_track import SeveralMembers
from layerkit.layers.handover import Aside
from layerkit.layers.inflate_track import NeedsIndex
from layerkit.layers.one_pass import STEPS, Complete, Filling, PassOptions, run_pass
from layerkit.layers.open_track import GzipWay, compression_of, open_track
from layerkit.layers.part import Part, PartBuilder
from layerkit.layers.placement import Again
from layerkit.layers.planner import Constraints
from layerkit.layers.spool import Spool
from layerkit.layers.track import Chunk, Track
from layerkit.progress import SILENT, Progress, Task

_WAITING = 32
"""Chunks that may wait for those who watch."""

MAX_TRIES = 16
"""Times a layer is planned before giving up; each try has learned something from the one before."""


Observer = Callable[[Buffer], None]


@dataclass(frozen=True)
class SplitOptions:
    limit: int
    """Bytes of a part's compressed blob."""
    compression: Compression
    """What the parts are to be compressed with."""
    level: int | None = None
    """Of the encoder; given, nothing is copied that could be encoded."""
    allow_oversized: bool = False
    jobs: int | None = None
    """Threads; the number of cores by default."""
    dropped: frozenset[bytes] = frozenset()
    """Paths left out: indexes of bytes that the parts don't have (eStargz)."""
    diff_id: Digest | None = None
    """What the source's raw tar should hash to; None: that isn't checked, but the blob's own digest is."""
    observer: Observer | None = None
    """Sees the source's raw tar as it streams by."""

    @property
    def is_compared(self) -> bool:
        return self.diff_id is not None and self.diff_id.startswith("sha256:")


def split_layer(
    blob: Blob,
    where: str,
    options: SplitOptions,
    spool: Spool,
    progress: Progress = SILENT,
    audience: Audience | None = None,
) -> list[Part]:
    """The parts of `blob`, each within the limit. One part means that it wasn't cut: it has the source's diff_id.

    `where` names the layer in messages. Raises DamagedError for a damaged layer, UnsplittableError and CannotFixError for one
    that can't be split, OutputError when the temporary file can't grow, ProofError for a part that isn't what it should be."""
    with _Source(blob, where, options, spool, progress, audience or Audience()) as source:
        return source.parts(_split)


def recode_layer(
    blob: Blob,
    where: str,
    options: SplitOptions,
    spool: Spool,
    progress: Progress = SILENT,
    audience: Audience | None = None,
) -> Part | None:
    """The same tar in another compression: nothing is framed or cut, the diff_id stays. None if it is larger than the limit.
    Raises like `split_layer`."""
    with _Source(blob, where, options, spool, progress, audience or Audience()) as source:
        try:
            return source.parts(_recode)[0]
        except Again:
            return None


class _Source:
    """A layer whose bytes are compared with what the image says of them while parts are made of it. A context manager."""

    def __init__(
        self, blob: Blob, where: str, options: SplitOptions, spool: Spool, progress: Progress, audience: Audience
    ) -> None:
        self.where = where
        self.options = options
        self.content = _local(blob, spool)
        self.spool = spool
        self.progress = progress
        self.audience = audience
        self._blob = blob
        self._is_plain = compression_of(self.content) is Compression.NONE
        self._position = _Position(progress.task(where, self.content.size))
        self._watch = _Watch(options)
        self._workers = Workers(options.jobs)
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._workers.close()
        self._watch.close()
        self._position.close()

    def parts(self, make: "Callable[[_Source], list[Part]]") -> list[Part]:
        """What `make` makes of it, if it is sound."""
        # What the layer inflates to is compared with the diff_id, if that is asked for: then its blob's bytes don't matter.
        verified = None if self.options.is_compared else self._workers.digests.submit(self._verify)
        try:
            parts = make(self)
        except DamagedError:
            # A wrong digest explains more than what it led to.
            (verified or self._workers.digests.submit(self._verify)).result()
            raise
        if verified is not None:
            verified.result()
        self._position.reach(self.content.size)
        if len(parts) == 1 and self.options.is_compared and parts[0].diff_id != self.options.diff_id:
            raise ProofError(
                f"{self.where}: the new layer has the diff_id {parts[0].diff_id}, expected that of the old one, "
                f"{self.options.diff_id}. Nothing was published. This is a bug in layerkit: please report it"
            )
        return parts

    def open(self, gzip: GzipWay) -> tuple[Track, int]:
        return open_track(
            self.content,
            self.where,
            compression=self.options.compression,
            level=self.options.level,
            limit=self.options.limit,
            jobs=self.options.jobs,
            spool=self.spool,
            gzip=gzip,
        )

    def finisher(self, track: Track, limit: Limit) -> Finisher:
        self._position.reach(0)
        return Finisher(track, self.where, limit, self.spool, self._workers, self.audience, self.progress)

    def see(self, chunk: Chunk) -> None:
        """The raw tar streams by."""
        self._watch.see(chunk.data, chunk.start)
        # How far into a compressed blob a chunk is, is what it costs: exactly if the blob is copied, about if it is encoded anew.
        at = chunk.start + len(chunk.data) if self._is_plain else min(chunk.cost_after, self.content.size)
        self._position.reach(at)

    def check(self) -> None:
        """It has streamed by. Raises DamagedError if it isn't what the config says."""
        self._watch.check(self.where)

    def _verify(self) -> None:
        """Raises DamagedError; gives up when nobody waits for it any more."""
        for _ in Blob(self._blob.digest, self.content).verified(self.where):
            if self._ended.is_set():
                return


def _split(source: _Source) -> list[Part]:
    options = source.options
    track, margin = source.open(GzipWay.INFLATE)
    constraints = Constraints(
        limit=options.limit - margin,
        hard_limit=options.limit,
        allow_oversized=options.allow_oversized,
        dropped=options.dropped,
    )
    limit = Limit(options.limit, options.allow_oversized)
    try:
        for _ in range(MAX_TRIES):
            try:
                with source.finisher(track, limit) as finisher:
                    told = PassOptions(
                        source.progress.warn, source.see, finisher.offer, finisher.grow, hashed=not source.audience.reads_back
                    )
                    parts = run_pass(track, source.where, constraints, told)
                    source.check()
                    return finisher.finish(parts)
            except (SeveralMembers, NeedsIndex) as found:
                track.close()
                track, margin = source.open(GzipWay.ENCODE if isinstance(found, SeveralMembers) else GzipWay.INDEX)
                constraints = replace(constraints, limit=options.limit - margin)
            except Again as again:
                constraints = constraints.learned(again)
    finally:
        track.close()
    raise CannotFixError(
        f"{source.where}: no way to split it at {options.limit:,} bytes was found in {MAX_TRIES} tries; try another "
        "--max-layer-size"
    )


def _recode(source: _Source) -> list[Part]:
    """Raises Again when the part is larger than the limit."""
    track, _ = source.open(GzipWay.ENCODE)
    limit = Limit(source.options.limit, allow_oversized=False)
    builder = PartBuilder(0, hashed=not source.audience.reads_back)
    told = 0
    try:
        with source.finisher(track, limit) as finisher:
            for chunk in track.chunks():
                source.see(chunk)
                view = memoryview(chunk.data)
                builder.advance(view, chunk.start, chunk.start + len(view))
                if builder.at >= told + source.options.limit // STEPS:
                    told = builder.at
                    finisher.grow(Filling(0, builder.pieces))
            source.check()
            return finisher.finish([Complete(0, builder.finish(), None)])
    finally:
        track.close()


def _local(blob: Blob, spool: Spool) -> Sliceable:
    """The blob's content, on this machine: it is, unless it comes from a registry."""
    if isinstance(blob.content, FileRange | Bytes | Joined):
        return blob.content
    return spool.append_all(blob.content)


class _Watch:
    """Shows the raw tar to the observer and to the diff_id's hasher, on a thread of its own: the first time that it streams by to
    its end. Closed when done."""

    def __init__(self, options: SplitOptions) -> None:
        self._observers = [options.observer] if options.observer is not None else []
        self._expected = options.diff_id if options.is_compared else None
        self._hasher = hashlib.sha256()
        if self._expected is not None:
            self._observers.append(self._hasher.update)
        self._seen = 0
        self._aside = Aside(self._show, _WAITING)

    def close(self) -> None:
        self._aside.close()

    def see(self, data: Buffer, start: int) -> None:
        """`data` is the raw tar from offset `start`. A try that is given up in the middle is followed by one from the beginning:
        what was seen already isn't shown twice."""
        fresh = memoryview(data)[max(self._seen - start, 0) :]
        if fresh and self._observers:
            self._seen += len(fresh)
            self._aside.put(fresh if fresh.readonly else memoryview(bytes(fresh)))

    def check(self, where: str) -> None:
        """The raw tar has been seen to its end. Raises DamagedError if it isn't what it should be."""
        self._aside.drain()
        found = f"sha256:{self._hasher.hexdigest()}"
        if self._expected not in (None, found):
            raise DamagedError.mismatch(
                f"{where}: uncompressed layer",
                expected=f"diff_id {self._expected} (config)",
                found=found,
                why="build the image again",
            )

    def _show(self, data: memoryview) -> None:
        for observer in self._observers:
            observer(data)


class _Position:
    """A task told of where it is, which may be where it was before."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._at = 0

    def reach(self, at: int) -> None:
        self._task.advance(at - self._at)
        self._at = at

    def close(self) -> None:
        self._task.close()
