"""One layer becomes several, in one pass over its raw tar.

In: a layer's blob and what its parts may be. Out: the parts, or one part that only changed its compression. While the raw
tar streams by, members are framed, the planner decides, and every part's SHA-256 and CRC run along; as soon as a part is complete
it is put together from verbatim stretches and re-encoded edges, and must be within the limit.
"""

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

from layerkit.errors import CannotFixError, DamagedError
from layerkit.image.blob import Blob, Buffer, Bytes, FileRange, Joined, Sliceable, digest_content
from layerkit.image.digest import Digest
from layerkit.image.media_types import Compression
from layerkit.layers.finish import Finisher, Limit, Ready
from layerkit.layers.gzip_track import SeveralMembers
from layerkit.layers.handover import Aside
from layerkit.layers.inflate_track import NeedsIndex
from layerkit.layers.one_pass import PassOptions, run_pass
from layerkit.layers.open_track import GzipWay, compression_of, open_track
from layerkit.layers.part import Part, PartBuilder
from layerkit.layers.placement import Again
from layerkit.layers.planner import Constraints
from layerkit.layers.splice import assemble
from layerkit.layers.spool import Spool
from layerkit.layers.track import Track
from layerkit.priority import give_way
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


def _unheard(part: Part, number: int) -> None:
    pass


def split_layer(
    blob: Blob,
    where: str,
    options: SplitOptions,
    spool: Spool,
    progress: Progress = SILENT,
    ready: Ready = _unheard,
) -> list[Part]:
    """The parts of `blob`, each within the limit. One part means that it wasn't cut: it has the source's diff_id.

    `where` names the layer in messages. Raises DamagedError for a damaged layer, UnsplittableError and CannotFixError for one
    that can't be split, OutputError when the temporary file can't grow."""
    source = _local(blob, spool)
    ended = threading.Event()
    workers = (options.jobs or os.cpu_count() or 1) + 1
    threads = ThreadPoolExecutor(workers, thread_name_prefix="digest", initializer=give_way)
    with closing(_Retractable(progress.task(where, source.size))) as task:
        try:
            # What the layer inflates to is compared with the diff_id, if that is asked for: then its blob's bytes don't matter.
            verified = None if _is_compared(options) else threads.submit(_verify, blob, source, where, ended)
            try:
                parts = _split(source, where, options, _Means(spool, progress.warn, task, threads, ready))
            except DamagedError:
                # A wrong digest explains more than what it led to.
                (verified or threads.submit(_verify, blob, source, where, ended)).result()
                raise
            if verified is not None:
                verified.result()
        finally:
            ended.set()
            threads.shutdown(cancel_futures=True)
    return parts


def recode_layer(blob: Blob, where: str, options: SplitOptions, spool: Spool, progress: Progress = SILENT) -> Part:
    """The same tar in another compression: nothing is framed or cut, the diff_id stays. Raises like `split_layer`."""
    source = _local(blob, spool)
    track, _ = _open(source, where, options, spool, gzip=GzipWay.ENCODE)
    builder = PartBuilder(0)
    ended = threading.Event()
    with progress.task(where, source.size) as task, ThreadPoolExecutor(1, thread_name_prefix="verify") as pool:
        # An uncompressed blob's digest is its diff_id, which is computed here anyway.
        verified = None if compression_of(source) is Compression.NONE else pool.submit(_verify, blob, source, where, ended)
        try:
            for chunk in track.chunks():
                if options.observer is not None:
                    options.observer(chunk.data)
                view = memoryview(chunk.data)
                builder.advance(view, chunk.start, chunk.start + len(view))
                task.advance(len(view) if verified is None else 0)
            if verified is None:
                if builder.finish().diff_id != blob.digest:
                    _verify(blob, source, where, ended)
            else:
                verified.result()
                task.advance(source.size)
        finally:
            ended.set()
    recipe = builder.finish()
    _check_diff_id(recipe.diff_id, options.diff_id, where)
    return Part(digest_content(assemble(recipe, track, spool.keep)), recipe.diff_id, recipe)


@dataclass(frozen=True)
class _Means:
    """What it takes to split a layer."""

    spool: Spool
    warn: Callable[[str], None]
    task: "_Retractable"
    threads: ThreadPoolExecutor
    ready: Ready


def _split(source: Sliceable, where: str, options: SplitOptions, means: _Means) -> list[Part]:
    gzip = GzipWay.INFLATE
    track, margin = _open(source, where, options, means.spool, gzip=gzip)
    constraints = Constraints(
        limit=options.limit - margin,
        hard_limit=options.limit,
        allow_oversized=options.allow_oversized,
        dropped=options.dropped,
    )
    limit = Limit(options.limit, options.allow_oversized)
    watch = _Watch(options)
    try:
        for _ in range(MAX_TRIES):
            try:
                with Finisher(track, where, limit, means.spool, means.threads, means.ready) as finisher:
                    parts = run_pass(track, where, constraints, PassOptions(means.warn, means.task, watch.see, finisher.offer))
                    watch.check(where)
                    return finisher.finish(parts)
            except (SeveralMembers, NeedsIndex) as found:
                gzip = GzipWay.ENCODE if isinstance(found, SeveralMembers) else GzipWay.INDEX
                track.close()
                track, margin = _open(source, where, options, means.spool, gzip=gzip)
                constraints = replace(constraints, limit=options.limit - margin)
            except Again as again:
                constraints = constraints.learned(again)
            means.task.retract()
    finally:
        watch.close()
        track.close()
    raise CannotFixError(
        f"{where}: no way to split it at {options.limit:,} bytes was found in {MAX_TRIES} tries; try another --max-layer-size"
    )


def _open(source: Sliceable, where: str, options: SplitOptions, spool: Spool, *, gzip: GzipWay) -> tuple[Track, int]:
    return open_track(
        source,
        where,
        compression=options.compression,
        level=options.level,
        limit=options.limit,
        jobs=options.jobs,
        spool=spool,
        gzip=gzip,
    )


def _verify(blob: Blob, source: Sliceable, where: str, ended: threading.Event) -> None:
    """Raises DamagedError; gives up when nobody waits for it any more."""
    for _ in Blob(blob.digest, source).verified(where):
        if ended.is_set():
            return


def _is_compared(options: SplitOptions) -> bool:
    return options.diff_id is not None and options.diff_id.startswith("sha256:")


def _check_diff_id(found: Digest, expected: Digest | None, where: str) -> None:
    if expected is not None and expected.startswith("sha256:") and found != expected:
        raise DamagedError.mismatch(
            f"{where}: uncompressed layer", expected=f"diff_id {expected} (config)", found=found, why="build the image again"
        )


def _local(blob: Blob, spool: Spool) -> Sliceable:
    """The blob's content, on this machine: it is, unless it comes from a registry."""
    if isinstance(blob.content, FileRange | Bytes | Joined):
        return blob.content
    return spool.append_all(blob.content)


class _Watch:
    """Shows the raw tar to the observer and to the diff_id's hasher, on a thread of its own: the first time that it streams by to
    its end. Closed when done."""

    def __init__(self, options: SplitOptions) -> None:
        self._options = options
        self._hasher = hashlib.sha256()
        self._seen = 0
        self._aside = Aside(self._show, _WAITING)

    def close(self) -> None:
        self._aside.close()

    def see(self, data: Buffer, start: int) -> None:
        """`data` is the raw tar from offset `start`. A try that is given up in the middle is followed by one from the beginning:
        what was seen already isn't shown twice."""
        fresh = memoryview(data)[max(self._seen - start, 0) :]
        if fresh and self._is_wanted:
            self._seen += len(fresh)
            self._aside.put(fresh if fresh.readonly else memoryview(bytes(fresh)))

    def check(self, where: str) -> None:
        """The raw tar has been seen to its end."""
        self._aside.drain()
        if self._options.diff_id is not None:
            _check_diff_id(Digest(f"sha256:{self._hasher.hexdigest()}"), self._options.diff_id, where)

    @property
    def _is_wanted(self) -> bool:
        return self._options.diff_id is not None or self._options.observer is not None

    def _show(self, data: memoryview) -> None:
        if self._options.diff_id is not None:
            self._hasher.update(data)
        if self._options.observer is not None:
            self._options.observer(data)


class _Retractable:
    """A task whose work may have to be done again."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._done = 0

    def advance(self, count: int) -> None:
        self._done += count
        self._task.advance(count)

    def retract(self) -> None:
        self.advance(-self._done)

    def close(self) -> None:
        self._task.close()
