"""What answers to the upload protocol mean, as registries really write them (distribution-spec, "Pushing blobs"). No I/O.

In: statuses, error codes, texts, Range headers. Out: what to make of them. Registries differ most in how they refuse a chunk that
is too large (413, 416 or 400 with a size in its text), and in what a Range says: `docs/pushing.md` has the table.
"""

import re
from collections.abc import Collection
from enum import Enum
from typing import NamedTuple

from layerkit.image.digest import Digest, algorithm, is_digest
from layerkit.image.foreign import natural
from layerkit.profiles import Way
from layerkit.registry.retry import RETRIED, SLOW

_RANGE = re.compile(r"(?:bytes[ =])?\s*([0-9]+)-([0-9]+)")

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*(?:(bytes?)|([kmg])(i?)b)\b|\b([0-9]{5,15})\b", re.IGNORECASE)
_POWERS = {"k": 1, "m": 2, "g": 3}
_SMALLEST_LIMIT = 64 << 10
"""Bytes; a smaller number in a text isn't the size that a body may have."""

_LIMITING = re.compile(r"limit|maximum|\bmax|exceed|too (?:large|big|long)|at most|allowed|permi", re.IGNORECASE)
"""What a text says that is about how large a body may be."""

_GARBLED = frozenset({"DIGEST_INVALID"})
_FORGOTTEN = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "RANGE_INVALID"})
_FINAL = frozenset({"DENIED", "UNAUTHORIZED", "NAME_INVALID", "NAME_UNKNOWN", "TOOMANYREQUESTS"})
"""Codes that are about the user or the repository: no other way to upload changes them."""

_NO_SUCH_WAY = frozenset({400, 405, 411, 415, 501})


class Meaning(Enum):
    """Of an answer that isn't the one hoped for."""

    LATER = "it may pass"
    SLOW = "the edge gave up waiting"
    TOO_LARGE = "the request's body is too large"
    BLOB_TOO_LARGE = "the blob is too large"
    NO_SUCH_WAY = "not sent like this"
    LOST = "the upload is unknown, or stands elsewhere"
    GARBLED = "other bytes arrived"
    REFUSED = "no"


class Verdict(NamedTuple):
    meaning: Meaning
    limit: int | None = None
    """Bytes that would be taken, where the answer says so."""


def verdict(status: int, codes: Collection[str], text: str, *, sent: int, way: Way | None, size: int) -> Verdict:
    """What an answer that isn't one of success says. `sent`: bytes of the request's body; `way`: how the blob goes, of a request
    that carries it or commits it; None: the request begins an upload, or asks about one; `size`: bytes of the blob."""
    if status in RETRIED:
        return Verdict(Meaning.SLOW if status in SLOW else Meaning.LATER)
    if status == 413 and way is not None:
        limit = limit_in(text, sent or size)
        return Verdict(Meaning.TOO_LARGE, limit) if sent else Verdict(Meaning.BLOB_TOO_LARGE, limit)
    if set(codes) & _FINAL or status in (401, 403):
        return Verdict(Meaning.REFUSED)
    if way is not None and sent and status in (400, 416):
        limit = limit_in(text, sent) if _LIMITING.search(text) else None  # offsets are numbers too
        if limit is not None or ("SIZE_INVALID" in codes and way is Way.CHUNKED):
            return Verdict(Meaning.TOO_LARGE, limit)
    if set(codes) & _GARBLED or "SIZE_INVALID" in codes:
        return Verdict(Meaning.GARBLED)
    is_new = way in (Way.WHOLE, Way.STREAMED) and status == 400  # what has just begun can't be lost
    if way is not None and not is_new and (status in (404, 416) or set(codes) & _FORGOTTEN):
        return Verdict(Meaning.LOST)
    if way is not None and (status in _NO_SUCH_WAY or "UNSUPPORTED" in codes):
        return Verdict(Meaning.NO_SUCH_WAY)
    return Verdict(Meaning.REFUSED)


def limit_in(text: str, below: int) -> int | None:
    """The size in bytes that a text says a body may have: the smallest it names (`4.00MiB`, `10485760`) that is less than what
    was sent. None when it names none."""
    found = []
    for match in _SIZE.finditer(text):
        number, _, unit, binary, plain = match.groups()
        size = int(plain) if plain else int(float(number) * (1024 if binary else 1000) ** _POWERS.get((unit or "").lower(), 0))
        if _SMALLEST_LIMIT <= size < below:
            found.append(size)
    return min(found, default=None)


def acknowledged(value: str | None, expected: int) -> int | None:
    """How many bytes the registry holds, from its Range header: `0-N`, `bytes=0-N`; None when it doesn't say. `0-0` is how
    registries write "nothing", and also "one byte": it is read as one byte only if that is what is `expected`."""
    match = _RANGE.fullmatch(value.strip()) if value else None
    if match is None or natural(match[1]) != 0:
        return None
    last = natural(match[2])
    if last is None:
        return None
    if last == 0:
        return 1 if expected == 1 else 0
    return last + 1


class Stand(NamedTuple):
    """Where an upload stands after a chunk that was taken."""

    offset: int
    is_said: bool
    """By the registry; otherwise it is what was sent, and the digest will tell."""


def stands_at(value: str | None, start: int, end: int) -> Stand | None:
    """Where an upload stands after bytes [start, end) were answered with success and the Range `value`. None: it says what can't
    be, so that it has to be asked. As specified the Range ends where the chunk did. Seen as well: only the chunk's own bytes
    (zot), the first chunk's for ever (ECR), one more or less, none at all; and a part of the chunk that was kept."""
    offset = acknowledged(value, end)
    if offset is None:
        return Stand(end, False)
    if offset == end:
        return Stand(end, True)
    if offset == end - start or (abs(offset - end) == 1 and end - start > 1) or 0 < offset <= start:
        return Stand(end, False)
    return Stand(offset, True) if start < offset < end else None


def is_stored_as(digest: Digest, stored: str) -> bool:
    """Is what the registry says it stored (Docker-Content-Digest) the blob? It may know it by another algorithm."""
    return stored == digest or (is_digest(stored) and algorithm(Digest(stored)) != algorithm(digest))
