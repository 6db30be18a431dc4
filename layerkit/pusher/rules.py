"""How a host takes uploads, as a value, and what follows from it: pure, no I/O.

In: what a profile says, what answers taught. Out: the next request of an upload. Every lesson is a function from rules to rules
that leaves less to try: fewer bytes, or one way less that is tried first. So whatever a host answers, learning ends.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from layerkit.profiles import UploadRules, Way
from layerkit.report.sizes import format_size

CUT_OFF = 20.0
"""Seconds after which a request that fails was given up by somebody who waited too long. Write timeouts of edges are 30 s."""

OF_TIME = 0.7
"""Share of a time limit that is planned for: rates vary."""

_FIRST_CHUNK = 8 << 20
"""Bytes of the first chunk that a host gets: no smaller than S3-backed registries buffer (5 MiB)."""

_TELLING_COMMIT = 1 << 20
"""Bytes of the smallest blob whose commit says how fast a registry copies."""


@dataclass(frozen=True)
class Rules:
    """Sizes in bytes; None: no limit is known."""

    order: tuple[Way, ...]
    """The ways to upload, the first first."""
    chunk_size: int
    """Of a chunk, where nothing says otherwise."""
    refused: frozenset[Way] = frozenset()
    """Ways that were refused: they are the last to be tried."""
    max_body: int | None = None
    """Larger bodies are refused, whatever they belong to."""
    max_chunk: int | None = None
    """Larger chunks are refused."""
    min_chunk: int = 0
    """Smaller ones are, if they aren't the last."""
    max_blob: int | None = None
    """Larger blobs aren't committed, or not in time."""
    max_seconds: float | None = None
    """A request that takes longer is given up by the edge."""
    taken_body: int | None = None
    """The largest that was taken so far. Chunks approach their size by doubling, so that little is sent in vain to a host that
    refuses it; None: that isn't needed, the user has named the size."""
    safe_body: int | None = None
    """Larger bodies got into trouble lately, or would take too long: none are sent where there is another way."""

    @property
    def chunk(self) -> int:
        """Bytes of the next chunk."""
        approach = None if self.taken_body is None else max(_FIRST_CHUNK, 2 * self.taken_body)
        most = least(self.chunk_size, self.max_chunk, self.max_body, self.safe_body, approach)
        return max(most, least(self.min_chunk, self.max_body), 1)

    @property
    def ways(self) -> list[Way]:
        """In the order in which they are tried."""
        return sorted(self.order, key=lambda way: way in self.refused)


class Step(NamedTuple):
    """The next request of an upload: bytes up to `end`, in one way."""

    way: Way
    end: int


def next_step(rules: Rules, size: int, offset: int, refused: Collection[Way] = ()) -> Step | None:
    """What to send of a blob of `size` bytes of which the registry holds `offset`. `refused`: ways that this upload was refused.
    A step that isn't CHUNKED begins at 0, whatever the offset. None: there is no way left."""
    for largest in (least(size, rules.max_body, rules.safe_body), least(size, rules.max_body)):
        fits = size <= largest
        for way in rules.ways:
            if way in refused:
                continue
            if way is Way.CHUNKED:
                in_one = offset == 0 and fits and size <= rules.chunk
                if in_one and Way.WHOLE not in refused and Way.WHOLE not in rules.refused:
                    return Step(Way.WHOLE, size)  # a request less
                return Step(way, min(size, offset + rules.chunk))
            may_go_on = offset > 0 and Way.CHUNKED not in refused and Way.CHUNKED not in rules.refused
            if fits and not may_go_on:
                return Step(way, size)
    return None


def first_rules(upload: UploadRules, chunk_size: int | None = None) -> Rules:
    """What a profile says. `chunk_size`: the user's, who wants chunks then."""
    way = upload.way if chunk_size is None else Way.CHUNKED
    others = [other for other in (Way.WHOLE, Way.CHUNKED, Way.STREAMED) if other is not way]
    taken = 0 if chunk_size is None else None
    size = chunk_size or upload.chunk_size
    return Rules((way, *others), size, max_body=upload.max_body, max_seconds=upload.max_seconds, taken_body=taken)


def least(size: int, *limits: int | None) -> int:
    return min((size, *(limit for limit in limits if limit is not None)))


# Lessons. Each gives the rules from now on, or None when nothing is left to be learned.


def body_refused(rules: Rules, sent: int, limit: int | None, smallest: int, by: int = 2) -> Rules | None:
    """A body of `sent` bytes was too large for the host; `limit`: bytes that it says it takes."""
    if rules.max_body is not None and rules.max_body < sent:
        return rules  # another upload has learned that meanwhile
    ceiling = _smaller(sent, limit, smallest, by)
    return None if ceiling is None else replace(rules, max_body=ceiling)


def chunk_refused(rules: Rules, sent: int, limit: int | None, smallest: int) -> Rules | None:
    """A chunk of `sent` bytes was. All at once may be taken all the same (GHCR), and is a request instead of hundreds."""
    if rules.max_chunk is not None and rules.max_chunk < sent:
        return rules
    ceiling = _smaller(sent, limit, smallest, 2)
    if ceiling is None:
        return None
    order = rules.order if rules.max_body is not None else (Way.WHOLE, Way.CHUNKED, Way.STREAMED)
    return replace(rules, max_chunk=ceiling, order=order)


def way_refused(rules: Rules, way: Way) -> Rules:
    return replace(rules, refused=rules.refused | {way})


def way_taken(rules: Rules, way: Way) -> Rules:
    """It went through: whoever was refused it had another reason."""
    return replace(rules, refused=rules.refused - {way})


def body_taken(rules: Rules, size: int) -> Rules:
    if rules.taken_body is None or size <= rules.taken_body:
        return rules
    return replace(rules, taken_body=size)


def announced(rules: Rules, minimum: int | None, maximum: int | None) -> Rules:
    """OCI-Chunk-Min-Length and OCI-Chunk-Max-Length (distribution-spec#485). A maximum below the minimum means nothing."""
    if minimum is not None:
        rules = replace(rules, min_chunk=minimum)
    if maximum is not None and maximum >= max(rules.min_chunk, 1):
        rules = replace(rules, max_body=least(maximum, rules.max_body))
    return rules


def _smaller(sent: int, limit: int | None, smallest: int, by: int) -> int | None:
    """Bytes of the next body, in multiples of `smallest` unless the host said how many. None: it is as small as bodies get."""
    if sent <= smallest:
        return None
    if limit is not None and smallest <= limit < sent:
        return limit
    part = sent // by
    return max(smallest, part - part % smallest)


class Commit(NamedTuple):
    """A blob that was committed."""

    size: int
    seconds: float


def blob_that_fits(size: int, gave_up: float, commits: Collection[Commit]) -> int:
    """Bytes of a blob that would be committed in time, where one of `size` wasn't and the edge gave up after so many seconds.

    From the rate at which others were committed and the time that there is follows a size. Where nothing was measured, or nobody
    waited for long, it is a quarter: one step that helps against limits from a quarter up costs less than two halvings. What was
    committed already is a lower bound."""
    slowest = min(
        (commit.size / commit.seconds for commit in commits if commit.size >= _TELLING_COMMIT and commit.seconds > 0),
        default=None,
    )
    fits = size // 4
    if slowest is not None and gave_up >= CUT_OFF:
        fits = int(min(slowest * gave_up * OF_TIME, size))
    largest = max((commit.size for commit in commits if commit.size < size), default=0)
    return max(1, min(max(fits, largest, size // 16), size // 2))


def describe(rules: Rules, before: Rules) -> str:
    """What is different, for people; empty when nothing is that they would want to know."""
    words = []
    if rules.ways[0] is not before.ways[0]:
        words.append(f"blobs go {rules.ways[0].value}")
    elif rules.refused != before.refused:
        words.append(f"not {', '.join(sorted(way.value for way in rules.refused)) or 'one way less'}")
    for name, what in _SIZES.items():
        size = getattr(rules, name)
        if size != getattr(before, name):
            words.append(f"{what} have at most {format_size(size)}" if size is not None else f"{what} may have any size")
    if rules.max_seconds is not None and rules.max_seconds != before.max_seconds:
        words.append(f"requests take at most {rules.max_seconds:.0f} s")
    return ", ".join(words)


_SMALLEST_KEPT = 16 << 10
"""Bytes; no host was ever learned to have a smaller limit."""

# As JSON. Only what differs from the profile is kept, so that a better profile isn't overruled by what said the same.

_SIZES = {"max_body": "bodies", "max_chunk": "chunks", "max_blob": "blobs"}


def kept(rules: Rules, begin: Rules) -> dict[str, Any]:
    fields: dict[str, Any] = {name: getattr(rules, name) for name in _SIZES if getattr(rules, name) != getattr(begin, name)}
    if rules.order != begin.order:
        fields["order"] = [way.value for way in rules.order]
    if rules.refused:
        fields["refused"] = sorted(way.value for way in rules.refused)
    if rules.max_seconds != begin.max_seconds:
        fields["max_seconds"] = rules.max_seconds
    if rules.taken_body:
        fields["taken_body"] = rules.taken_body
    return {name: value for name, value in fields.items() if value is not None}


def recalled(begin: Rules, fields: Mapping[str, Any]) -> Rules:
    """What doesn't make sense is left out."""
    sizes: dict[str, Any] = {}
    for name in (*_SIZES, *(["taken_body"] if begin.taken_body is not None else [])):
        size = fields.get(name)
        if isinstance(size, int) and not isinstance(size, bool) and _SMALLEST_KEPT <= size < 1 << 60:
            sizes[name] = size
    rules = replace(begin, **sizes)
    seconds = fields.get("max_seconds")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds < 1e6:
        rules = replace(rules, max_seconds=float(seconds))
    known = {way.value for way in Way}
    order, refused = fields.get("order"), fields.get("refused")
    if isinstance(order, list) and len(order) == len(known) and known == set(map(str, order)):
        rules = replace(rules, order=tuple(map(Way, order)))
    if isinstance(refused, list) and set(map(str, refused)) <= known:
        rules = replace(rules, refused=frozenset(map(Way, refused)))
    return rules
