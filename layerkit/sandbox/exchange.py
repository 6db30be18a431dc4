"""One HTTP request and its answer, with the edge's habits: bodies read against a deadline, early answers, resets.

In: a socket's request. Out: chunks of its body, and answers that a client surely gets to see. What is answered is decided in
`routes.py`.
"""

import json
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from layerkit.image.foreign import natural
from layerkit.sandbox.limits import RESET, Limits, Said

CHUNK = 1 << 20
LINGER_SECONDS = 10.0
"""How long the rest of a body is swallowed after an early answer: closing at once could make the client lose it."""


class Refusal(Exception):  # noqa: N818  # it is an answer, not a fault of ours
    """The answer is no. `code` is distribution-spec's ("Error Codes")."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


class EdgeRefusal(Exception):  # noqa: N818  # as above
    """The edge answers for itself, with a page of its own."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class ResetConnection(Exception):  # noqa: N818  # as above
    """There is no answer."""


class EdgeTimeout(Exception):  # noqa: N818  # as above
    """The edge gives up waiting: 524."""


class BrokenBody(Exception):  # noqa: N818  # as above
    """The client went away in the middle of its body."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: tuple[Path, int, int] | None = None
    """Path, start and length in bytes of what is sent instead of `body`."""


def refused(said: Said) -> Exception:
    """What ends the request, so that the answer is what was to be said."""
    if said.status == RESET:
        return ResetConnection()
    return Refusal(said.status, said.code, said.message) if said.code else EdgeRefusal(said.status)


def no_such_page() -> Refusal:
    return Refusal(404, "UNSUPPORTED", "there is nothing here")


class Exchange:
    """The request at hand."""

    def __init__(self, handler: BaseHTTPRequestHandler, limits: Limits) -> None:
        self._handler = handler
        self._limits = limits
        self._began = time.monotonic()
        self._chunked = "chunked" in (handler.headers.get("Transfer-Encoding") or "").lower()
        self._left = 0 if self._chunked else natural(handler.headers.get("Content-Length")) or 0
        self.method = handler.command
        self.headers = handler.headers
        parts = urlsplit(handler.path)
        self.path = parts.path
        self.query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self.queries = parse_qs(parts.query)
        self.length: int | None = None if self._chunked else self._left
        """Bytes announced for the body; None when it is sent in chunks of unknown number."""
        self.received = 0
        """Bytes of the body read so far."""
        self.consumed = not self._chunked and self._left == 0

    @property
    def elapsed(self) -> float:
        """Seconds."""
        return time.monotonic() - self._began

    def time_left(self) -> float | None:
        """Until the edge gives up; None: it never does."""
        return None if self._limits.deadline is None else self._limits.deadline - self.elapsed

    def body(self) -> Iterator[bytes]:
        """Raises BrokenBody, EdgeTimeout."""
        try:
            while not self.consumed:
                left = self.time_left()
                if left is not None and left <= 0:
                    raise EdgeTimeout
                self._handler.connection.settimeout(left)
                data = self._piece()
                self.received += len(data)
                if data:
                    yield data
                if self._limits.rate:
                    time.sleep(max(0.0, self.received / self._limits.rate - self.elapsed))
        except TimeoutError:
            raise EdgeTimeout from None
        except ConnectionError:
            raise BrokenBody from None
        finally:
            self._handler.connection.settimeout(None)

    def read(self, limit: int) -> bytes:
        """The whole body. Raises Refusal when it is larger than `limit` bytes."""
        data = b""
        for piece in self.body():
            data += piece
            if len(data) > limit:
                raise Refusal(413, "SIZE_INVALID", f"more than {limit:,} bytes")
        return data

    def discard(self) -> None:
        for _ in self.body():
            pass

    def _piece(self) -> bytes:
        if self._chunked and not self._left:
            line = self._handler.rfile.readline(1024)
            try:
                self._left = int(line.partition(b";")[0], 16)
            except ValueError:
                raise BrokenBody from None
            if not self._left:
                while self._handler.rfile.readline(1024) not in (b"\r\n", b"\n", b""):
                    pass
                self.consumed = True
                return b""
        # read1 gives what is there: what came before a reset or a timeout counts.
        data = self._handler.rfile.read1(min(self._left, CHUNK))
        if not data:
            raise BrokenBody
        self._left -= len(data)
        if self._chunked and not self._left:
            self._handler.rfile.readline(8)
        elif not self._chunked and not self._left:
            self.consumed = True
        return bytes(data)

    def answer(self, answer: Answer) -> None:
        """Sends it; when the body wasn't read, closes in a way that lets the client see it."""
        handler = self._handler
        length = answer.file[2] if answer.file else len(answer.body)
        headers = {"Docker-Distribution-Api-Version": "registry/2.0", "Content-Length": str(length), **answer.headers}
        if answer.status in (204, 304):
            headers.pop("Content-Length")
        if not self.consumed:
            headers["Connection"] = "close"
            handler.close_connection = True
        try:
            handler.send_response(answer.status)
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            if self.method != "HEAD":
                self._send(answer)
            handler.wfile.flush()
            if not self.consumed:
                self._linger()
        except OSError:
            handler.close_connection = True

    def reset(self) -> None:
        """Half of the body is taken, then the connection is reset."""
        half = (self.length or 0) // 2
        try:
            for _ in self.body():
                if self.received >= half:
                    break
        except (BrokenBody, EdgeTimeout):
            pass
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._handler.close_connection = True
        self._handler.connection.close()

    def _send(self, answer: Answer) -> None:
        if answer.file is None:
            self._handler.wfile.write(answer.body)
            return
        path, start, left = answer.file
        with path.open("rb") as file:
            file.seek(start)
            while left > 0 and (data := file.read(min(left, CHUNK))):
                self._handler.wfile.write(data)
                left -= len(data)

    def _linger(self) -> None:
        self._handler.connection.shutdown(socket.SHUT_WR)
        self._handler.connection.settimeout(1.0)
        ends = time.monotonic() + LINGER_SECONDS
        while time.monotonic() < ends and self._handler.connection.recv(CHUNK):
            pass


def error_body(code: str, message: str) -> bytes:
    """distribution-spec, "Error Codes"."""
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def json_answer(value: Any, media_type: str = "application/json", **headers: str) -> Answer:
    return Answer(200, {"Content-Type": media_type, **headers}, json.dumps(value).encode())
