"""One pass over a layer: its bytes stream by, members are framed, the planner says what becomes of them, parts are woven.

In: a stream and constraints. Out: the parts, proven. Raises what the planner raises, and `Replan` is the caller's to handle.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from layerkit.compression.decode import decoded
from layerkit.errors import DamagedError
from layerkit.filesystem.proof import Proof
from layerkit.image.blob import Buffer, Writing
from layerkit.image.digest import Digest, algorithm, encoded, hasher_for
from layerkit.layers.making import Part
from layerkit.layers.weave import Edit, Weaver
from layerkit.plan.placement import Replan, Step
from layerkit.plan.planner import Constraints, Planner, too_large
from layerkit.plan.tree import show
from layerkit.spool import Spool
from layerkit.streams.stream import Output, Stream
from layerkit.tar.framing import Framer
from layerkit.tar.header import END_OF_ARCHIVE
from layerkit.threads import Aside

_log = logging.getLogger(__name__)

_WAITING = 32
"""Outputs that may wait for the layer's digest."""
_NEVER = 1 << 62


class Parts(Protocol):
    """Is told of a layer's parts, with their numbers from 1, while later ones are still being made. By another thread."""

    def begin(self, number: int) -> Writing | None:
        """A part is about to be made; its bytes go there, if anywhere."""

    def made(self, part: Part, number: int) -> None:
        """A part is made. Now and then something comes late for one: then another takes its place."""


@dataclass(frozen=True)
class PassOptions:
    limit: int
    """Bytes of a part's blob."""
    allow_oversized: bool
    diff_id: Digest | None
    """What the layer's raw tar should hash to; None: that isn't compared."""
    proven: bool
    """Are the parts' trees compared with the layer's?"""
    warn: Callable[[str], None]
    reach: Callable[[Output], None]
    """Is told how far the layer has streamed by."""


def run_pass(
    stream: Stream, where: str, constraints: Constraints | None, options: PassOptions, spool: Spool, told: Parts
) -> list[Part]:
    """One pass. Without constraints nothing is framed: the layer stays one part, whatever it holds. Raises DamagedError,
    CannotFixError, ProofError, Replan, SeveralMembers, NoBoundary."""
    plan = _Plan(where, constraints, options) if constraints is not None else _Whole(options.limit)
    hasher = hasher_for(options.diff_id or Digest("sha256:"))
    with Aside(hasher.update, _WAITING) as hashed, Weaver(stream, where, spool, _Told(plan, told), plan.head) as weaver:
        pending: deque[Output] = deque()
        edits: deque[Edit] = deque()
        for output in weaver.outputs():
            hashed.put(output.data)
            edits.extend(plan.see(output))
            pending.append(output)
            while pending and pending[0].after <= plan.settled:
                taken = pending.popleft()
                weaver.take(taken, _until(edits, taken.after))
            options.reach(output)
        for rest in pending:  # of a tar that ends too early; why it does, the stream knows better
            weaver.take(rest, _until(edits, rest.after))
        stream.check(weaver.crc, plan.length)
        plan.close()
        hashed.drain()
        _compare(where, options.diff_id, hasher.hexdigest())
        parts = weaver.finish(plan.tail, plan.last_words())
    plan.prove(_raw(stream), [decoded(part.blob.content, where) for part in parts])
    return parts


def _raw(stream: Stream) -> Iterator[Buffer]:
    for output in stream.start():
        yield output.data


def _until(edits: deque[Edit], at: int) -> list[Edit]:
    """Takes the edits before an offset."""
    found = []
    while edits and edits[0].at < at:
        found.append(edits.popleft())
    return found


def _compare(where: str, diff_id: Digest | None, found: str) -> None:
    if diff_id is not None and encoded(diff_id) != found:
        raise DamagedError.mismatch(
            f"{where}: uncompressed layer",
            expected=f"diff_id {diff_id} (config)",
            found=f"{algorithm(diff_id)}:{found}",
            why="build the image again",
        )


class _Whole:
    """Nothing happens to the layer."""

    head = b""
    tail = b""

    def __init__(self, limit: int) -> None:
        self.length = 0
        """Bytes of the raw tar so far."""
        self._limit = limit

    @property
    def settled(self) -> int:
        """Offset up to which it is known what happens."""
        return self.length

    def see(self, output: Output) -> list[Edit]:
        """What happens in the next output."""
        self.length = output.after
        return []

    def consists(self, number: int, data: Buffer) -> None:
        """The next bytes of a part's raw tar."""

    def check(self, number: int, size: int) -> None:
        """Raises when a part of `size` bytes is too large."""
        if size > self._limit:
            raise Replan(shrink=size - self._limit)

    def close(self) -> None:
        """There are no more outputs."""

    def last_words(self) -> bytes:
        """What one more part consists of."""
        return b""

    def prove(self, source: Iterable[Buffer], parts: Sequence[Iterable[Buffer]]) -> None:
        """All parts are known. The raw tars are there to be read if they say something else."""


class _Plan:
    """What the planner says, and the proof that it is right. See `_Whole` for what the methods do."""

    def __init__(self, where: str, constraints: Constraints, options: PassOptions) -> None:
        self.length = 0
        self._where = where
        self._constraints = constraints
        self._options = options
        self._framer = Framer(where)
        self._planner = Planner(where, constraints, options.warn)
        self._proof = Proof(where) if options.proven else None
        self.head = self._planner.head
        self._is_touched = bool(self.head)
        self._end: int | None = None
        """Compressed bytes up to the archive's end, once it was seen."""
        self._costs = _Costs()

    @property
    def settled(self) -> int:
        settled = self._framer.settled
        return self.length if settled is None else settled

    @property
    def tail(self) -> bytes:
        return END_OF_ARCHIVE if self._is_touched or self._constraints.trimmed else b""

    def see(self, output: Output) -> list[Edit]:
        members = self._framer.feed(output.data)
        self.length = output.after
        if self._proof is not None:
            self._proof.see(output.data, members)
        self._costs.see(output)
        edits = []
        for member in members:
            step = self._planner.add(member, self._costs.at(member.start))
            if step is not None:
                edits.append(Edit(member.start, member.end, step))
                if step.head is not None:
                    _log.info("%s: cut before %s, at offset %s", self._where, show(member.path), f"{member.start:,}")
        self._is_touched = self._is_touched or bool(edits)
        if self._framer.end is not None and self._end is None:
            self._end = self._costs.at(self._framer.end)
            if (
                self._is_touched or self._constraints.trimmed
            ):  # what follows the archive's end belongs to the layer only if it stays what it was
                edits.append(Edit(self._framer.end, _NEVER, Step(keep=False)))
        return edits

    def consists(self, number: int, data: Buffer) -> None:
        if self._proof is not None:
            self._proof.consists(number, data)

    def check(self, number: int, size: int) -> None:
        stuck = self._planner.stuck.get(number)
        if size <= self._options.limit:
            return
        if stuck is not None and self._options.allow_oversized:
            self._options.warn(f"{too_large(self._where, stuck, size, self._options.limit, advice=False)}; it stays so")
            return
        if stuck is not None:
            raise too_large(self._where, stuck, size, self._options.limit)
        raise Replan(shrink=size - self._options.limit)

    def close(self) -> None:
        self._framer.close()
        is_trimmed = self._is_touched or self._constraints.trimmed
        if not is_trimmed and self._end is not None and self._end <= self._constraints.limit < self._costs.after:
            raise Replan(trimmed=True)
        self._planner.finish(self._end if is_trimmed and self._end is not None else self._costs.after)

    def last_words(self) -> bytes:
        return self._planner.last_words()

    def prove(self, source: Iterable[Buffer], parts: Sequence[Iterable[Buffer]]) -> None:
        if self._proof is not None:
            self._proof.close(self._constraints.dropped, source, parts)


class _Costs:
    """How many compressed bytes are before a raw offset: known where pieces end, interpolated in between."""

    def __init__(self) -> None:
        self._raw = 0
        self._size = 0
        self._before = 0
        self.after = 0
        """Compressed bytes up to here."""
        self._ratio = 0.5
        """Compressed to raw bytes, in the piece before."""
        self._piece_at = 0

    def see(self, output: Output) -> None:
        self._raw, self._size = output.raw, len(output.data)
        self._before = self.after
        estimate = output.end if output.whole else min(self.after + int(self._size * self._ratio), output.end)
        self.after = max(estimate, self.after)  # the last piece turns out shorter than it was when it was read
        if output.whole:
            self._ratio = (output.end - output.begin) / max(output.after - self._piece_at, 1)
            self._piece_at = output.after

    def at(self, raw: int) -> int:
        """A member whose headers began in the output before counts from this one's beginning."""
        into = max(raw - self._raw, 0)
        return self._before + (self.after - self._before) * into // max(self._size, 1)


class _Told:
    """Tells the plan of parts, and who is to be told besides."""

    def __init__(self, plan: _Plan | _Whole, told: Parts) -> None:
        self._parts = told
        self.consists = plan.consists
        self.check = plan.check

    def begin(self, number: int) -> Writing | None:
        return self._parts.begin(number + 1)

    def made(self, number: int, part: Part) -> None:
        self._parts.made(part, number + 1)
