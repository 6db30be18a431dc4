"""The pool: several images at a time, one number of connections per registry, one layer being split.

In: what is to be done. Out: a result for each, as they end; the largest begin first. An image that fails ends nothing but
itself. Whoever stops listening, or interrupts, ends all: what has arrived is found by the next run, from the record.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from layerkit.batch.list import Line
from layerkit.batch.record import Record, options_key
from layerkit.batch.results import Result, Status
from layerkit.batch.sources import Sources
from layerkit.batch.telling import ImageProgress, Work
from layerkit.deliver import deliver
from layerkit.errors import ImageError, InterruptedPushError, LayerkitError
from layerkit.image.digest import Digest, sha256
from layerkit.image.image import Image
from layerkit.image.reference import Reference
from layerkit.profiles import Profile
from layerkit.progress import Progress
from layerkit.pusher.existing import claimed_layers
from layerkit.pusher.host import remembered_blob_limit
from layerkit.pusher.pool import Pool
from layerkit.pusher.push import PooledDestination
from layerkit.pusher.reuse import Reuse
from layerkit.pusher.whereabouts import Whereabouts
from layerkit.registry.client import RegistryClient
from layerkit.rewrite import Fixed, FixOptions
from layerkit.rewrite.decisions import Action
from layerkit.rewrite.options import MIN_LIMIT, Known
from layerkit.rewrite.plan import plan_layers
from layerkit.rewrite.splits import SharedSplits
from layerkit.state import State

AT_A_TIME = 4
"""Images. What one of them waits for (a commit, a tag) another one fills; a few megabytes each, besides the one that is split."""

_WORTH_ASKING = 64 << 20
"""Bytes of an image before which it is asked whether the user may push there at all: two requests."""

_PATIENCE = 20.0
"""Seconds for which images are waited for that were told to end."""


@dataclass(frozen=True)
class Order:
    """One image, and all that is decided about it beforehand."""

    line: Line
    target: Reference
    profile: Profile
    options: FixOptions
    learns: bool = True
    """May what the registry taught make the layers smaller than `options` say? Not where the user has said how large."""
    reuse_from: tuple[Reference, ...] = ()
    """Other images at the registry, whose layers needn't be sent again."""
    size: int | None = None
    """Bytes; None: not known."""

    @property
    def key(self) -> str:
        """Of the options, as the record has them."""
        options = self.options
        return options_key(
            limit=options.max_layer_size,
            compression=options.compression,
            level=options.level,
            accepted=options.accepted,
            family=options.family,
            platforms=options.platforms,
            attestations=options.keep_attestations,
            collapse=options.collapse_index,
            oversized=options.allow_oversized,
            proven=options.proven,
        )


Saving = Callable[[Order, Image], Callable[[Fixed], None]]
"""What is to be called when an image is proven, and before it has its name."""


def _saves_nothing(order: Order, image: Image) -> Callable[[Fixed], None]:
    return lambda fixed: None


@dataclass(frozen=True)
class Settings:
    """What holds for the whole run."""

    connect: Callable[[str], RegistryClient]
    """Makes a client of a registry."""
    sources: Sources
    record: Record
    state: State
    progress: Progress
    at_a_time: int = AT_A_TIME
    jobs: int | None = None
    """Uploads at a time to one registry; by its profile unless given."""
    chunk_size: int | None = None
    """Bytes."""
    saving: Saving = _saves_nothing


def run(orders: Sequence[Order], failed: Sequence[tuple[Line, LayerkitError]], settings: Settings) -> Iterator[Result]:
    """A result for each, those first that `failed` before they began. Closing it, or an exception where it is waited for, ends
    all that runs."""
    for line, error in failed:
        yield Result(line, line.reference or "", Status.FAILED, error=str(error), exit_code=error.exit_code)
    yield from _Run(orders, settings).results()


class _Run:
    def __init__(self, orders: Sequence[Order], settings: Settings) -> None:
        self._settings = settings
        self._waiting: queue.SimpleQueue[Order] = queue.SimpleQueue()
        known = sorted(order.size for order in orders if order.size is not None)
        usual = known[len(known) // 2] if known else 0
        for order in sorted(orders, key=lambda order: -(usual if order.size is None else order.size)):
            self._waiting.put(order)
        self._count = len(orders)
        self._ended: queue.SimpleQueue[Result | BaseException] = queue.SimpleQueue()
        self._splits = SharedSplits()
        self._lock = threading.Lock()
        self._pools: dict[str, Pool] = {}
        self._asked: dict[tuple[str, str], threading.Lock] = {}
        self._may_push: set[tuple[str, str]] = set()
        self._stopped = False

    def results(self) -> Iterator[Result]:
        threads = [
            threading.Thread(target=self._work, name=f"layerkit-image-{number}", daemon=True)
            for number in range(min(self._settings.at_a_time, self._count))
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in range(self._count):
                yield self._next()
        finally:
            self._stop()
            ends = time.monotonic() + _PATIENCE
            for thread in threads:
                thread.join(max(0.0, ends - time.monotonic()))
            for pool in self._pools.values():
                pool.close()

    def _next(self) -> Result:
        while True:
            with contextlib.suppress(queue.Empty):
                ended = self._ended.get(timeout=0.5)  # in steps: a signal's handler runs between them
                if isinstance(ended, BaseException):
                    raise ended
                return ended

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
            pools = list(self._pools.values())
        for pool in pools:
            pool.interrupt()

    def _work(self) -> None:
        """One image after the other."""
        while not self._stopped:
            try:
                order = self._waiting.get_nowait()
            except queue.Empty:
                return
            began = time.monotonic()
            sent = [0]
            try:
                result = self._done(order, sent)
            except (LayerkitError, OSError) as error:
                known = (
                    error if isinstance(error, LayerkitError) else ImageError(f"{order.line.image}: {error.strerror or error}")
                )
                result = Result(
                    order.line, str(order.target), Status.FAILED, error=str(known), exit_code=known.exit_code, bytes_sent=sent[0]
                )
            except BaseException as error:  # a bug: it ends the run, as it would end a single push
                self._ended.put(error)
                return
            finally:
                self._settings.sources.done(order.line)
            self._ended.put(replace(result, seconds=time.monotonic() - began))

    # One image

    def _done(self, order: Order, sent: list[int]) -> Result:
        """`sent` is told the bytes, also when it fails."""
        settings, target, record = self._settings, order.target, self._settings.record
        image = settings.sources.image(order.line, order.options.platforms)
        for warning in image.warnings:
            settings.progress.warn(warning)
        pool, source, tag = self._pool(order), _identity(image), str(target)
        held = pool.tag_digest(target) if target.tag else None
        before = record.done(source, order.key, tag)
        if before is not None and held == before:
            return Result(order.line, tag, Status.UNCHANGED, before)
        replaced = held if record.last(tag) is not None and held is not None and held != record.last(tag) else None
        if replaced is not None:
            settings.progress.warn(f"{tag}: since the last run somebody else put {replaced} there; it is replaced")
        total = sum({layer.digest: layer.size for found in image.platforms() for layer in found.manifest.layers}.values())
        with settings.progress.task(tag, total) as task:
            progress = ImageProgress(settings.progress, tag, task)
            destination = PooledDestination(pool, target, mount_from=_others(order), may_split=True, progress=progress)
            try:
                with destination:
                    if total >= _WORTH_ASKING:
                        self._ask_to_push(destination, target)
                    options = self._options(order, image, pool, held, destination, progress)
                    done = deliver(
                        image,
                        options,
                        destination,
                        splits=self._splits,
                        progress=Work(progress),
                        before_name=settings.saving(order, image),
                    )
            finally:
                sent[0] = destination.stats.bytes_sent
        # Every part was decoded from the very bytes that were published.
        settings.state.prove({part.blob.digest: part.diff_id for change in done.fixed.changes for part in change.parts})
        record.did(source, order.key, tag, done.digest)
        return Result(order.line, tag, Status.DONE, done.digest, bytes_sent=sent[0], replaced=replaced)

    def _pool(self, order: Order) -> Pool:
        """Of the target's registry. The first image that goes there begins it."""
        registry, settings = order.target.registry, self._settings
        with self._lock:
            if self._stopped:
                raise InterruptedPushError("interrupted")
            pool = self._pools.get(registry)
            if pool is None:
                whereabouts = Whereabouts(
                    lambda digest: settings.record.place(registry, digest),
                    lambda repository, digest: settings.record.put(registry, repository, digest),
                )
                pool = self._pools[registry] = Pool(
                    settings.connect(registry),
                    order.profile,
                    jobs=settings.jobs,
                    chunk_size=settings.chunk_size,
                    state=settings.state,
                    whereabouts=whereabouts,
                    progress=settings.progress,
                )
            return pool

    def _ask_to_push(self, destination: PooledDestination, target: Reference) -> None:
        """Once for each repository."""
        where = (target.registry, target.repository)
        with self._lock:
            lock = self._asked.setdefault(where, threading.Lock())
        with lock:
            if where not in self._may_push:
                destination.check()
                self._may_push.add(where)

    def _options(
        self,
        order: Order,
        image: Image,
        pool: Pool,
        held: Digest | None,
        destination: PooledDestination,
        progress: Progress,
    ) -> FixOptions:
        """With what the registry taught and what it has: asked for only where a layer has to be made."""
        options = order.options
        learned = remembered_blob_limit(self._settings.state, order.target.registry) if order.learns else None
        if learned is not None:
            options = replace(options, max_layer_size=max(MIN_LIMIT, min(learned, options.max_layer_size)))
        lenders = [order.target] if held is not None else []
        lenders += order.reuse_from
        if not lenders or all(plan.decision.action is Action.KEEP for plan in plan_layers(image, options)):
            return options
        reuse = Reuse(pool.client, self._settings.state, lambda: destination.sending_rate, progress)
        known: dict[Digest, Known] = {}
        for lender in lenders:
            for diff_id, layer in reuse.known(lender.repository, claimed_layers(pool.client, lender)).items():
                known.setdefault(diff_id, layer)
        return replace(options, known=known)


def _others(order: Order) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reference.repository for reference in order.reuse_from))


def _identity(image: Image) -> Digest:
    """Of all that the image is: what stands beside it is pushed, too."""
    if not image.beside:
        return image.root.digest
    return sha256("\n".join([image.root.digest, *sorted(entry.digest for entry in image.beside)]).encode())
