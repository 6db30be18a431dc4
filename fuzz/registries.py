"""A registry on loopback that answers anything: what it should, and then bytes that are no answer at all.

`push` sends an image there, `open_image` reads one from there. Each ends within its time, with a LayerkitError, or with what was
asked for: a push that succeeds has left the image's blobs and manifest, a pull that succeeds gives the image.
"""

import contextlib
import hashlib
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from fuzz.choices import Choices, chance, length
from fuzz.judging import WrongError
from fuzz.mutation import damaged, damaged_json
from layerkit.errors import LayerkitError
from layerkit.image.image import Image
from layerkit.image.media_types import OCI_MANIFEST
from layerkit.image.reference import parse_reference
from layerkit.profiles import GENERIC
from layerkit.pusher.push import RegistryDestination
from layerkit.registry.client import RegistryClient
from layerkit.registry.contact import ConnectionOptions
from layerkit.registry.credentials import Credentials, Given
from layerkit.registry.retry import Clock
from layerkit.registry.transport import Timeouts
from layerkit.sources import open_image
from tests import tar_building as tar
from tests.layered import image_of

_HEADERS = (
    *(
        "Content-Length: -1",
        "Content-Length: 99999999999999999999",
        "Content-Length: x",
        "Content-Length: 5\r\nContent-Length: 7",
    ),
    *(
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip",
        "Content-Encoding: gzip",
        "Content-Encoding: br",
        "Connection: close",
    ),
    *(
        "Location: /",
        "Location: http://[",
        "Location: //x/y",
        "Location: \xff",
        "Location:",
        "Range: 0-" + "9" * 400,
        "Range: bytes",
    ),
    *("Retry-After: 99999999999", "Retry-After: x", 'WWW-Authenticate: Bearer realm="', "WWW-Authenticate: " + "Basic, " * 3000),
    *('WWW-Authenticate: Bearer realm="http://127.0.0.1:1/t",scope="' + "s" * 9000 + '"', "Docker-Content-Digest: sha256:x"),
    *("Content-Type: text/html", "Content-Type: application/json; charset=utf-7", "X: " + "y" * 70_000, "\0: \0", "no colon"),
    *("Set-Cookie: a=b", "OCI-Chunk-Min-Length: -1", "OCI-Chunk-Min-Length: " + "9" * 5000, "Link: <x>; rel=next"),
)
_STATUS = (
    "200 OK",
    "201",
    "202 Accepted",
    "204 x",
    "206 x",
    "301 x",
    "307 x",
    "308 x",
    "400 x",
    "401 x",
    "403 x",
    "404 x",
    "409 x",
)
_MORE = (
    "413 x",
    "416 x",
    "429 x",
    "500 x",
    "502 x",
    "503 x",
    "504 x",
    "100 Continue",
    "103 Early",
    "999 x",
    "0 x",
    "-1",
    "x",
    "",
)


def answered(choices: Choices, folder: Path) -> str:
    image = image_of(*(tar.layer(tar.file(str(number), choices.randbytes(5000))) for number in range(2)))
    with _Registry(choices, image).serving() as registry:
        return _pushed(choices, image, registry) if chance(choices, 2) else _pulled(choices, image, registry)


def _client(choices: Choices, registry: "_Registry") -> RegistryClient:
    passing = _Time()
    clock = Clock(monotonic=passing.monotonic, wait=passing.wait, random=random.Random(choices.random()).random)
    options = ConnectionOptions(clock=clock, plain_http=True, timeouts=Timeouts(connect=2.0, read=2.0))
    return RegistryClient(registry.host, credentials=Given(Credentials.of("user", "secret-5")), options=options)


def _pushed(choices: Choices, image: Image, registry: "_Registry") -> str:
    try:
        target = parse_reference(f"{registry.host}/a/b:1")
        with RegistryDestination(_client(choices, registry), target, profile=GENERIC, jobs=2) as destination:
            digest = destination.finish(image)
    except LayerkitError as error:
        return f"push: {type(error).__name__}"
    if registry.manifests.get("1") is None and not registry.lied:
        raise WrongError("the push succeeded, and there is no tag")
    assert digest == image.root.digest
    return "push: done"


def _pulled(choices: Choices, image: Image, registry: "_Registry") -> str:
    registry.fill()
    try:
        found = open_image(f"docker://{registry.host}/a/b:1", connect=lambda _: _client(choices, registry))
        for digest, blob in found.blobs.items():
            for _ in blob.verified(digest):
                pass
    except LayerkitError as error:
        return f"pull: {type(error).__name__}"
    return "pull: done" if found.root.digest == image.root.digest else "pull: another image"


class _Time:
    """Passes as it does, and at once where layerkit waits for something better."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped

    def wait(self, interrupted: threading.Event, seconds: float) -> None:
        self._skipped += max(seconds, 0)


class _Registry:
    """Each connection gets a thread; what is answered follows from the choices, in the order in which requests come."""

    def __init__(self, choices: Choices, image: Image) -> None:
        self._choices = choices
        self._image = image
        self._lock = threading.Lock()
        self._wrong_in = choices.choice((2, 4, 10, 30))
        self._connections: list[socket.socket] = []
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.lied = False
        """Was anything answered that isn't so?"""
        self.host = ""

    def fill(self) -> None:
        """It has the image."""
        for digest, blob in self._image.blobs.items():
            self.blobs[digest] = self.manifests[digest] = b"".join(map(bytes, blob.chunks()))
        self.manifests["1"] = self.blobs[self._image.root.digest]

    @contextlib.contextmanager
    def serving(self) -> Iterator["_Registry"]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.host = f"127.0.0.1:{server.getsockname()[1]}"
            threading.Thread(target=self._accept, args=(server,), daemon=True).start()
            try:
                yield self
            finally:
                server.shutdown(socket.SHUT_RDWR)
                with self._lock:
                    for connection in self._connections:
                        with contextlib.suppress(OSError):
                            connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with self._lock:
                    self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection, connection.makefile("rwb") as stream:
            while line := stream.readline():
                method, path, _ = line.decode("latin-1").split(" ", 2)
                length_of = 0
                while (header := stream.readline()) not in (b"\r\n", b""):
                    name, _, value = header.partition(b":")
                    length_of = int(value) if name.lower() == b"content-length" else length_of
                body = stream.read(length_of)
                with self._lock:
                    answer, goes_on = self._answer(method, path, body)
                stream.write(answer)
                stream.flush()
                if not goes_on:
                    return

    def _answer(self, method: str, path: str, body: bytes) -> tuple[bytes, bool]:
        """The bytes, and whether the connection stays."""
        choices = self._choices
        right = self._right(method, path, body)
        if not chance(choices, self._wrong_in):
            return right, True
        self.lied = True
        way = choices.randrange(6)
        if way == 0:
            return damaged(choices, right), chance(choices, 2)
        if way == 1:
            return right[: choices.randrange(len(right))], False
        if way == 2:
            head, _, rest = right.partition(b"\r\n\r\n")
            return head + b"\r\n" + choices.choice(_HEADERS).encode("latin-1") + b"\r\n\r\n" + rest, True
        if way == 3 and b"{" in right:
            head, _, document = right.partition(b"\r\n\r\n")
            with contextlib.suppress(ValueError):
                document = damaged_json(choices, document)
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
            return b"\r\n".join([*lines, b"Content-Length: %d" % len(document)]) + b"\r\n\r\n" + document, True
        if way == 4:
            return choices.randbytes(length(choices, 3000)), False
        status = choices.choice((*_STATUS, *_MORE))
        text = choices.choice(
            (b"", b"{}", b"[" * 99, b"<html>", b'{"errors":[{"code":1}]}', b'{"errors":[null]}', b'{"token":5}')
        )
        extra = [choices.choice(_HEADERS) for _ in range(choices.randint(0, 2))]
        return _written(status, text, *extra), chance(choices, 2)

    def _right(self, method: str, path: str, body: bytes) -> bytes:
        path, _, query = path.partition("?")
        kind, _, name = path.partition("/v2/a/b/")[2].partition("/")
        if kind == "manifests" and method == "PUT":
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            self.manifests[name] = self.manifests[digest] = body
            return _written("201 Created", b"", f"Docker-Content-Digest: {digest}")
        if kind == "blobs" and name.startswith("uploads"):
            digest = query.rpartition("digest=")[2].replace("%3A", ":")
            if method == "PUT" or (method == "POST" and digest.startswith("sha256:")):
                self.blobs[digest] = body
                return _written("201 Created", b"", "Location: /v2/a/b/blobs/x")
            return _written(
                "202 Accepted", b"", "Location: /v2/a/b/blobs/uploads/1?_state=2", f"Range: 0-{max(len(body) - 1, 0)}"
            )
        if kind in ("manifests", "blobs"):
            found = (self.manifests if kind == "manifests" else self.blobs).get(name)
            if found is None:
                return _written("404 Not Found", b'{"errors":[{"code":"BLOB_UNKNOWN"}]}' if method == "GET" else b"")
            told = json.loads(found).get("mediaType", OCI_MANIFEST) if kind == "manifests" else "application/octet-stream"
            return _written("200 OK", found, f"Content-Type: {told}", is_head=method == "HEAD")
        return _written("200 OK", b"{}")


def _written(status: str, body: bytes, *headers: str, is_head: bool = False) -> bytes:
    head = "".join(f"{header}\r\n" for header in (f"Content-Length: {len(body)}", *headers))
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + (b"" if is_head else body)
