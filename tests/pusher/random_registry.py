"""A registry that answers anything, in no time: a transport for a client, with a clock of its own.

In between it behaves, as registries do: it keeps what it is sent, says where uploads stand, commits. Then again it answers
something else, whatever the grammar of answers has: any status, Location, Range, Retry-After, announcement, error, page; before,
during or after the body; having done what was asked, or not. Or the connection breaks. All of it follows from a seed.
"""

import hashlib
import random
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from urllib3._collections import HTTPHeaderDict

from layerkit.errors import BrokenConnectionError, InterruptedPushError
from layerkit.progress import SILENT, Progress
from layerkit.registry.answers import Answer
from layerkit.registry.client import RegistryClient
from layerkit.registry.contact import ConnectionOptions
from layerkit.registry.credentials import Credentials, Given
from layerkit.registry.retry import Clock
from layerkit.registry.transport import Body, Stream

HOST = "registry.example"

STATUSES = (
    *(200, 201, 202, 204, 206, 301, 400, 401, 403, 404, 405, 408, 409, 411, 413, 415, 416, 422, 425, 429),
    *(500, 501, 502, 503, 504, 507, 520, 521, 522, 523, 524, 530, 599),
)
CODES = (
    *("BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UNKNOWN", "DIGEST_INVALID", "SIZE_INVALID", "RANGE_INVALID"),
    *("UNSUPPORTED", "DENIED", "TOOMANYREQUESTS", "NAME_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "UNKNOWN", ""),
)
TEXTS = ("", "exceeds the limit of 4.00MiB", "at most 100000 bytes", "limit is 1 KB", "10 GB", "9" * 50, "\x1b[0m")
RANGES = (
    *("", "0-0", "0-{end}", "0-{more}", "0-{less}", "bytes=0-{end}", "{start}-{end}", "0-{length}"),
    *("0-" + "9" * 30, "5", "x-y"),
)
AFTER = (
    *("", "0", "1", "7", "299", "400", "-1", "soon", "9" * 400),
    *("Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"),
)
NUMBERS = ("", "0", "1", "600000", "5000000", "9" * 19, "9" * 5000, "x", "-5")
LOCATIONS = (
    *("", "good", "good", "good", "/", "x", "?q", "\x00"),
    *("http://other.example/u?_s=1", "//[bad", "http://[bad", "ftp://x/y"),
)


@dataclass
class Asked:
    at: float
    """Seconds on the registry's clock."""
    method: str
    path: str
    place: str
    """Content-Range, or what stands for it."""
    sent: int
    """Bytes of the body that were taken."""


@dataclass
class _Held:
    """An upload."""

    data: bytearray = field(default_factory=bytearray)


class RandomTransport:
    """Stands in for `Transport`. `chaos`: the share of requests that aren't answered as they should be."""

    def __init__(self, seed: int, chaos: float) -> None:
        self.random = random.Random(seed)
        self.chaos = chaos
        self.interrupted = threading.Event()
        self.time = 0.0
        self.log: list[Asked] = []
        self.blobs: set[str] = set()
        self.manifests: dict[str, bytes] = {}
        self._uploads: dict[str, _Held] = {}
        self._lock = threading.RLock()
        self._mood = 0
        # Each has a character: a few statuses, a few codes, pages or none. Otherwise most pushes would end with the first "no".
        self._statuses = self.random.sample(STATUSES, self.random.randint(1, 8))
        self._codes = self.random.sample(CODES, self.random.randint(1, 4))
        self._pages = self.random.random() < 0.2
        self._is_met = self.random.random() < 0.9
        """Does the first contact succeed?"""

    def clock(self) -> Clock:
        def wait(interrupted: threading.Event, seconds: float) -> None:
            assert 0 <= seconds < 1000, "nobody waits for so long"
            with self._lock:
                self.time += seconds

        return Clock(now=lambda: 1.78e9 + self.time, monotonic=lambda: self.time, wait=wait, random=self.random.random)

    def send(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: Body | None = None, limit: int = 1 << 24
    ) -> Answer:
        with self._lock:
            return self._answer(method, url, headers or {}, body)

    def stream(self, url: str, headers: Mapping[str, str] | None = None) -> Stream:
        raise BrokenConnectionError("nothing is read here")

    def interrupt(self) -> None:
        self.interrupted.set()

    def close(self) -> None:
        pass

    def _answer(self, method: str, url: str, headers: Mapping[str, str], body: Body | None) -> Answer:
        if self.interrupted.is_set():
            raise InterruptedPushError("interrupted")
        path, _, query = url.partition("?")
        asked = Asked(self.time, method, path, headers.get("Content-Range", query if method == "PUT" else ""), 0)
        self.log.append(asked)
        if self.chaos and self._mood == 0 and self.random.random() < 0.05:  # some things go on for a while
            self._mood = self.random.randint(1, 30)
        self._mood = max(0, self._mood - 1)
        behaves = self.random.random() >= (0.95 if self._mood else self.chaos) or (self._is_met and url.endswith("/v2/"))
        taken = bytearray()
        if body is not None:
            most = body.size if behaves or self.random.random() < 0.6 else self.random.randint(0, body.size)
            for piece in _upto(body.open(), most):
                taken += piece
            asked.sent = len(taken)
            self.time += len(taken) / self.random.choice((1e5, 1e6, 1e8))
        self.time += self.random.choice((0.0, 0.01, 0.2, 1.0) if behaves else (0.0, 0.01, 0.5, 25.0, 100.0, 160.0))
        right = self._do(method, path, query, headers, bytes(taken)) if behaves or self.random.random() < 0.4 else None
        if behaves:
            assert right is not None
            return Answer(right[0], HTTPHeaderDict(right[1]), right[2], url, (), True)
        if self.random.random() < 0.25:
            raise BrokenConnectionError("reset", timed_out=self.random.random() < 0.3, connected=self.random.random() < 0.8)
        complete = body is None or len(taken) == body.size
        return self._anything(url, headers, len(taken), complete, right)

    def _do(
        self, method: str, path: str, query: str, headers: Mapping[str, str], taken: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """What a registry does."""
        if path.endswith("/v2/"):
            return 200, {}, b"{}"
        kind, _, name = path.partition("/v2/")[2].partition("a/b/")[2].partition("/")
        if kind == "manifests":
            if method == "PUT":
                digest = f"sha256:{hashlib.sha256(taken).hexdigest()}"
                self.manifests[name] = self.manifests[digest] = taken
                return 201, {"Docker-Content-Digest": digest}, b""
            found = self.manifests.get(name)
            return (404, {}, b"") if found is None else (200, {"Content-Type": "application/json"}, found)
        if kind == "blobs" and not name.startswith("uploads/"):
            return (200 if name in self.blobs else 404), {}, b""
        if method == "POST":
            key = f"{self.random.getrandbits(32):08x}"
            self._uploads[key] = _Held()
            return 202, {"Location": f"/v2/a/b/blobs/uploads/{key}?_state=0"}, b""
        held = self._uploads.get(name.removeprefix("uploads/"))
        if held is None:
            return 404, {}, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}'
        if "Content-Range" in headers and int(headers["Content-Range"].partition("-")[0]) != len(held.data):
            return 416, {}, b'{"errors":[{"code":"RANGE_INVALID"}]}'
        held.data += taken
        told = {"Location": f"{path}?_state={len(held.data)}", "Range": f"0-{max(0, len(held.data) - 1)}"}
        if method != "PUT":
            return (204 if method == "GET" else 202), told, b""
        digest = f"sha256:{hashlib.sha256(held.data).hexdigest()}"
        if f"digest={digest}" not in query:
            return 400, {}, b'{"errors":[{"code":"DIGEST_INVALID"}]}'
        self.blobs.add(digest)
        return 201, {"Docker-Content-Digest": digest}, b""

    def _anything(
        self,
        url: str,
        headers: Mapping[str, str],
        length: int,
        complete: bool,
        right: tuple[int, dict[str, str], bytes] | None,
    ) -> Answer:
        choose = self.random.choice
        start = int(headers.get("Content-Range", "0-0").partition("-")[0])
        end = start + length
        values = {"start": start, "end": end - 1, "more": end + 1, "less": end - 3, "length": length - 1}
        told = HTTPHeaderDict(right[1] if right is not None and self.random.random() < 0.5 else {})
        if self.random.random() < 0.5:
            told["Range"] = choose(RANGES).format(**values)
        if self.random.random() < 0.4:
            place = choose(LOCATIONS)
            told["Location"] = f"/v2/a/b/blobs/uploads/{choose([*self._uploads, 'x'])}" if place == "good" else place
        if self.random.random() < 0.3:
            told["Retry-After"] = choose(AFTER)
        if self.random.random() < 0.2:
            told["OCI-Chunk-Min-Length"] = choose(NUMBERS)
        if self.random.random() < 0.2:
            told["OCI-Chunk-Max-Length"] = choose(NUMBERS)
        if self.random.random() < 0.2:
            told["Docker-Content-Digest"] = choose(("x", f"sha256:{'0' * 64}", f"sha512:{'0' * 128}"))
        if self._pages and self.random.random() < 0.3:
            told["Content-Type"] = "text/html"
        text = f'{{"errors":[{{"code":"{choose(self._codes)}","message":"{choose(TEXTS)}"}}]}}'
        page = b"<html><title>busy</title>" if self._pages else b"busy"
        body = choose((b"", b"", page, b"[" * 50, text.encode(), text.encode(), text.encode()))
        challenges = (choose(("Basic", 'Basic realm="x"', "Bearer", 'Bearer realm="https://x.example/t"', "?")),)
        status = choose(self._statuses)
        return Answer(status, told, body, url, challenges if status == 401 else (), complete)


def _upto(pieces: Iterator[bytes | bytearray | memoryview], most: int) -> Iterator[bytes]:
    left = most
    for piece in pieces:
        yield bytes(piece[:left])
        left -= len(piece)
        if left <= 0:
            if most < 0:
                return
            break
    else:
        return
    if left == 0:
        next(pieces, None)  # whoever sends all of a body asks for more, and learns that there is none


def client_over(transport: RandomTransport, progress: Progress = SILENT) -> RegistryClient:
    options = ConnectionOptions(clock=transport.clock(), progress=progress)
    client = RegistryClient(HOST, credentials=Given(Credentials.of("user", "secret-5")), options=options)
    client.transport = transport  # type: ignore[assignment] # it has what the client uses
    return client
