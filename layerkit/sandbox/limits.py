"""What a sandbox refuses, and how it fails: data, and the decisions that follow from it.

In: what a request is. Out: whether it fails, and how. Nothing here speaks HTTP.
"""

import random
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

_FAULT = re.compile(
    r"(GET|HEAD|POST|PATCH|PUT|DELETE):(reset|[1-5][0-9]{2})@([1-9][0-9]*|[0-9]+(?:\.[0-9]+)?%)(?:;retry-after=([^;]+))?"
)

RESET = 0
"""Stands for a status: the connection is reset in the middle of the request."""


class Shown(Enum):
    """What the `Range` of an upload says. The specification wants the first (distribution-spec, "Pushing a blob in chunks")."""

    END = "end"
    """`0-N`: to the end of what is there."""
    CHUNK = "chunk"
    """`M-N`: the chunk that was just sent."""
    FIRST = "first"
    """`0-N` of the first chunk, however many followed."""
    PAST = "past"
    """`0-N` with N one too large: the number of bytes, not the last one's."""
    NONE = "none"
    """There is no such header."""


@dataclass(frozen=True)
class Said:
    """An answer that says no."""

    status: int
    """HTTP status, or RESET."""
    code: str = ""
    """The registry's own (distribution-spec, "Error Codes"); empty: it is an edge that answers, with a page of its own."""
    message: str = ""


EDGE_TIMEOUT = Said(524)
BODY_TOO_LARGE = Said(413)
CHUNK_TOO_LARGE = Said(413, "SIZE_INVALID", "the chunk is too large")


@dataclass(frozen=True)
class Fault:
    """Some requests fail before they do anything."""

    method: str
    status: int
    """HTTP status, or RESET."""
    every: int = 0
    """Each so-manieth request of the method fails; 0: by chance."""
    chance: float = 0.0
    """Of 1."""
    retry_after: str = ""
    """The header's value: seconds, or a date."""

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """`METHOD:STATUS@N` (every Nth request), `METHOD:STATUS@N%` (by chance), STATUS or `reset`, and `;retry-after=VALUE`.
        Raises ValueError, for people."""
        match = _FAULT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a fault; expected for example PATCH:503@3, PUT:524@10%, HEAD:reset@2")
        method, status, rate, retry_after = match.groups()
        number = RESET if status == "reset" else int(status)
        if rate.endswith("%"):
            return cls(method, number, chance=float(rate[:-1]) / 100, retry_after=retry_after or "")
        return cls(method, number, every=int(rate), retry_after=retry_after or "")


@dataclass(frozen=True)
class Limits:
    """None or 0 stands for no limit. Sizes are in bytes, times in seconds."""

    max_blob: int | None = None
    """Larger blobs are never committed."""
    large_blob: Said = EDGE_TIMEOUT
    """What they get for an answer."""
    max_body: int | None = None
    """Larger request bodies are refused, by Content-Length before they are read."""
    large_body: Said = BODY_TOO_LARGE
    max_chunk: int | None = None
    """Larger PATCHes with a Content-Range are refused; without one they may be of any size."""
    large_chunk: Said = CHUNK_TOO_LARGE
    announce_max: bool = False
    """Is `max_chunk` announced as OCI-Chunk-Max-Length?"""
    ranged: Said | None = None
    """What every PATCH with a Content-Range gets for an answer; None: they are taken."""
    second_patch: Said | None = None
    """What every PATCH but an upload's first gets."""
    patched: int = 202
    """The status of a PATCH that was taken."""
    shown: Shown = Shown.END
    """What `Range` says."""
    asked: int = 204
    """The status when an upload is asked where it stands (GET); 404 or 405: it can't be."""
    deadline: float | None = None
    """Requests that take longer: 524 and the connection closed, as an edge's read timeout does."""
    commit_rate: int | None = None
    """Bytes a second at which the registry copies a blob when it is committed. What takes longer than `deadline` is answered
    with 524, and is there when the time is over."""
    lose_answers: bool = False
    """Commits succeed and are answered with 524."""
    forget_broken: bool = False
    """An upload whose connection broke in the middle of a chunk is forgotten (docker-registry 2.8), not resumable (3.0)."""
    attestations: bool = True
    """Are they taken? 400 otherwise."""
    artifacts: bool = True
    """Are manifests taken that aren't images: with a `subject`, an `artifactType`, an empty config? 400 otherwise."""
    max_layers: int | None = None
    """Manifests with more: 405, as Amazon's registry answers."""
    max_manifest: int = 4 << 20
    """Bytes of a manifest or index; distribution-spec: registries should take at least 4 MiB."""
    makes_repositories: bool = True
    """Does a push make them? Otherwise 404 for those that aren't among `repositories`."""
    repositories: Sequence[str] = ()
    """Names, with `*` for any characters, of repositories that were made beforehand."""
    deletion: bool = True
    """405 otherwise."""
    min_chunk: int | None = None
    """Smaller chunks that aren't the last: 416."""
    announce_min: bool = True
    """Is `min_chunk` announced as OCI-Chunk-Min-Length?"""
    login: tuple[str, str] | None = None
    """User name and password of a token login (Bearer); None: anybody may do anything."""
    token_seconds: float = 60.0
    """How long a token lives."""
    latency: float = 0.0
    """Before each answer."""
    rate: int | None = None
    """Bytes a second of each upload request."""
    faults: Sequence[Fault] = ()
    seed: int = 0
    """Of the faults by chance."""

    def has_repository(self, name: str) -> bool:
        """May it be pushed to, as far as its existence goes?"""
        return self.makes_repositories or any(fnmatchcase(name, pattern) for pattern in self.repositories)


class FaultInjector:
    """Counts requests and says which of them fail. Safe to call from any thread."""

    def __init__(self, faults: Sequence[Fault], seed: int) -> None:
        self._faults = faults
        self._random = random.Random(seed)  # noqa: S311  # not for secrets: a rehearsal that can be repeated
        self._counts = [0] * len(faults)
        self._lock = threading.Lock()

    def for_request(self, method: str) -> Fault | None:
        """The first fault that hits this request, if any."""
        with self._lock:
            hits = [fault for number, fault in enumerate(self._faults) if fault.method == method and self._hits(number, fault)]
        return hits[0] if hits else None

    def _hits(self, number: int, fault: Fault) -> bool:
        self._counts[number] += 1
        if fault.every:
            return self._counts[number] % fault.every == 0
        return self._random.random() < fault.chance
