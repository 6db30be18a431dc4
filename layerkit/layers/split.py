"""One layer becomes several, in one pass over its compressed bytes.

In: a layer's blob and what its parts may be. Out: the parts, or one part that only changed its compression. A pass that finds out
that its plan can't hold is given up, and the layer is read again with what was learned.
"""

import logging
from dataclasses import dataclass, replace

from layerkit.errors import CannotFixError, DamagedError, ProofError
from layerkit.image.blob import Blob, Content, Writing
from layerkit.image.digest import Digest
from layerkit.image.media_types import Compression
from layerkit.layers.making import Part
from layerkit.layers.one_pass import Parts, PassOptions, run_pass
from layerkit.plan.placement import Replan
from layerkit.plan.planner import Constraints
from layerkit.progress import SILENT, Progress, Task
from layerkit.spool import Spool
from layerkit.streams.opening import open_stream
from layerkit.streams.stream import NoBoundary, Output, SeveralMembers

_log = logging.getLogger(__name__)

MAX_TRIES = 16
"""Times a layer is planned before giving up; each try has learned something from the one before."""


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
    """Threads that encode; the number of cores by default."""
    dropped: frozenset[bytes] = frozenset()
    """Paths left out: indexes of bytes that the parts don't have (eStargz)."""
    diff_id: Digest | None = None
    """What the source's raw tar should hash to; None: the blob's own digest is checked instead."""
    keeps_times: bool = False
    """The layer is a part itself: no part above the others has the directories' times."""
    proven: bool = True
    """Are the parts' filesystems compared with the layer's?"""
    whole: bool = False
    """May the layer stay one part, in another compression? Then that is tried first, and nothing of it is looked at."""
    splittable: bool = True
    """May it be several?"""


class _Nobody:
    """Doesn't care."""

    def begin(self, number: int) -> Writing | None:
        return None

    def made(self, part: Part, number: int) -> None:
        pass


_NOBODY = _Nobody()


def split_layer(
    blob: Blob,
    where: str,
    options: SplitOptions,
    spool: Spool,
    progress: Progress = SILENT,
    told: Parts = _NOBODY,
) -> list[Part]:
    """The parts of `blob`, each within the limit, each decoded from the very bytes it consists of. One part means that it wasn't
    cut; none that it would have to be, and may not.

    `where` names the layer in messages. Raises DamagedError for a damaged layer, UnsplittableError and CannotFixError for one
    that can't be split, OutputError when the temporary file can't grow, ProofError for a part that isn't what it should be."""
    content = _local(blob, spool)
    source = Blob(blob.digest, content)
    with _Position(progress.task(where, content.size)) as position:
        try:
            parts = _tries(content, where, options, spool, progress, told, position)
        except (DamagedError, ProofError):
            _check(source, where)  # a wrong digest explains more than what it led to
            raise
        if options.diff_id is None:
            _check(source, where)
        position.reach(content.size)
    return parts


def _tries(
    content: Content,
    where: str,
    options: SplitOptions,
    spool: Spool,
    progress: Progress,
    told: Parts,
    position: "_Position",
) -> list[Part]:
    def reach(output: Output) -> None:
        # How far into a compressed blob an output is, is what it costs: exactly if the blob is copied, about if it is encoded.
        position.reach(min(output.end, content.size))

    pass_options = PassOptions(options.limit, options.allow_oversized, options.diff_id, options.proven, progress.warn, reach)
    whole, encode = options.whole, False
    constraints = Constraints(
        0, options.limit, allow_oversized=options.allow_oversized, dropped=options.dropped, keeps_times=options.keeps_times
    )
    stream = None
    margin = 0
    try:
        for _ in range(MAX_TRIES):
            if stream is None:
                stream = open_stream(
                    content,
                    where,
                    compression=options.compression,
                    level=options.level,
                    limit=options.limit,
                    jobs=options.jobs,
                    spool=spool,
                    encode=encode,
                )
                margin = stream.margin
                constraints = replace(constraints, limit=options.limit - margin, total=stream.size)
            position.reach(0)
            try:
                return run_pass(stream, where, None if whole else constraints, pass_options, spool, told)
            except (SeveralMembers, NoBoundary) as found:
                _log.info("%s: %s; it is encoded", where, type(found).__doc__)
                stream.close()
                stream, encode = None, True
            except Replan as replan:
                _log.info("%s: planned again: %s", where, replan)
                if not options.splittable:
                    return []
                if whole:
                    whole = False
                else:
                    constraints = constraints.learned(replan)
    finally:
        if stream is not None:
            stream.close()
    raise CannotFixError(
        f"{where}: no way to split it at {options.limit:,} bytes was found in {MAX_TRIES} tries; try another --max-layer-size"
    )


def _check(blob: Blob, where: str) -> None:
    """Raises DamagedError for a blob that isn't what its digest says."""
    for _ in blob.verified(where):
        pass


def _local(blob: Blob, spool: Spool) -> Content:
    """The blob's content, on this machine: it is, unless it comes from a registry."""
    return blob.content if blob.content.is_local else spool.append_all(blob.content)


class _Position:
    """A task told of where it is, which may be where it was before."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._at = 0

    def reach(self, at: int) -> None:
        self._task.advance(at - self._at)
        self._at = at

    def __enter__(self) -> "_Position":
        return self

    def __exit__(self, *_: object) -> None:
        self._task.close()
