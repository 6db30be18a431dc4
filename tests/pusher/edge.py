"""An edge that fails on purpose: a reverse proxy on loopback before a registry, with a list of faults.

Each fault has a condition, an action, and how many times it strikes. Everything else is passed on. What was asked is written
down: which requests came, with how many bytes of a body, and with which Authorization.
"""

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "date", "server"}


@dataclass
class Asked:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    """Lower-case names."""
    length: int
    received: int = 0
    """Bytes of the body that were read."""
    at: float = field(default_factory=time.monotonic)

    @property
    def is_chunk(self) -> bool:
        return self.method == "PATCH"

    @property
    def is_commit(self) -> bool:
        return self.method == "PUT" and "/blobs/uploads/" in self.path

    @property
    def is_tag(self) -> bool:
        return self.method == "PUT" and "/manifests/" in self.path


@dataclass
class Reply:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Line:
    """One request in the hands of a fault: read it, pass it on, answer it, or break it."""

    def __init__(self, handler: BaseHTTPRequestHandler, edge: "Edge", asked: Asked) -> None:
        self._handler = handler
        self._edge = edge
        self.asked = asked

    def read_body(self, limit: int | None = None) -> bytes:
        """The body's next bytes, all by default."""
        left = self.asked.length - self.asked.received
        data = self._handler.rfile.read(left if limit is None else min(limit, left))
        self.asked.received += len(data)
        return data

    def forward(self, body: bytes | None = None, **headers: str) -> Reply:
        """What the registry answers to the request; `body` in the place of the client's."""
        data = self.read_body() if body is None else body
        connection = http.client.HTTPConnection(self._edge.backend, timeout=30)
        try:
            sent = {k: v for k, v in self.asked.headers.items() if k not in _HOP} | headers
            if self._edge.strips_authorization:
                sent.pop("authorization", None)
            connection.request(self.asked.method, self.asked.path, body=data if self.asked.length or data else None, headers=sent)
            answer = connection.getresponse()
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP}
            if self.asked.method == "HEAD" and answer.getheader("content-length"):
                kept["Content-Length"] = str(answer.getheader("content-length"))
            return Reply(answer.status, kept, answer.read())
        finally:
            connection.close()

    def reply(self, reply: Reply, *, close: bool = False) -> None:
        handler = self._handler
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if "Content-Length" not in reply.headers:
            handler.send_header("Content-Length", str(len(reply.body)))
        if close:
            handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(reply.body)
        handler.wfile.flush()
        if close or self.asked.received < self.asked.length:
            handler.close_connection = True

    def linger(self) -> None:
        """Reads nothing more, but keeps the connection until the client closes it."""
        self._handler.connection.settimeout(5)
        with contextlib.suppress(OSError):
            self._edge.released.wait(5)

    def reset(self) -> None:
        """The connection breaks with a RST."""
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._handler.wfile.flush()
        self._handler.close_connection = True
        self._handler.connection.close()

    def hang(self) -> None:
        """No answer until the edge ends."""
        self._edge.released.wait(30)
        self._handler.close_connection = True


Condition = Callable[[Asked], bool]
Action = Callable[[Line], None]


@dataclass
class Fault:
    when: Condition
    action: Action
    times: int = 1
    after: int = 0
    """How many such requests are let pass before."""
    struck: int = 0


class Edge:
    """Serves on loopback until the context ends."""

    def __init__(self, backend: str, *faults: Fault, strips_authorization: bool = False) -> None:
        self.backend = backend
        self.faults = list(faults)
        self.strips_authorization = strips_authorization
        self.log: list[Asked] = []
        self.released = threading.Event()
        self.address = ""
        self._lock = threading.Lock()

    def pick(self, asked: Asked) -> Fault | None:
        with self._lock:
            self.log.append(asked)
            for fault in self.faults:
                if fault.times > 0 and fault.when(asked):
                    if fault.after:
                        fault.after -= 1
                        return None
                    fault.times -= 1
                    fault.struck += 1
                    return fault
        return None

    @property
    def body_bytes(self) -> int:
        """Bytes of blobs' bodies that arrived here."""
        return sum(asked.received for asked in self.log if "/blobs/" in asked.path)

    def seen(self, method: str, part: str = "") -> list[Asked]:
        return [asked for asked in self.log if asked.method == method and part in asked.path]

    @contextlib.contextmanager
    def serving(self) -> Iterator["Edge"]:
        server = _server(self)
        self.address = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            server.shutdown()
            server.server_close()
            thread.join(5)


def _server(edge: Edge) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):  # every method is served alike
                return self._serve
            raise AttributeError(name)

        def _serve(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, int(headers.get("content-length", "0")))
            line = Line(self, edge, asked)
            fault = edge.pick(asked)
            try:
                if fault is not None:
                    fault.action(line)
                else:
                    line.reply(line.forward())
            except (ConnectionError, TimeoutError, ValueError):  # the client is gone, which some tests are about
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # broken connections are what this server is for

    return Server(("127.0.0.1", 0), Handler)


# Conditions


def chunk(asked: Asked) -> bool:
    return asked.is_chunk


def commit(asked: Asked) -> bool:
    return asked.is_commit


def tag(asked: Asked) -> bool:
    return asked.is_tag


def larger_than(limit: int) -> Condition:
    return lambda asked: asked.length > limit


# Actions


def answers(status: int, body: bytes = b"", read: bool = True, **headers: str) -> Action:
    """The edge's own answer; the registry hears nothing. `read` False: the body isn't taken off the line."""

    def action(line: Line) -> None:
        if read:
            line.read_body()
        line.reply(Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body), close=not read)
        if not read:
            line.linger()

    return action


def loses_answer(status: int) -> Action:
    """The registry gets the request and finishes it; the client gets this status."""

    def action(line: Line) -> None:
        line.forward()
        line.reply(Reply(status))

    return action


def rewrites(change: Callable[[Reply], Reply]) -> Action:
    """The registry's answer, changed."""
    return lambda line: line.reply(change(line.forward()))


def resets(after: int | None = 0, *, forward: bool = False) -> Action:
    """A broken connection after so many bytes of the body (None: after all of it); `forward`: the registry gets the request."""

    def action(line: Line) -> None:
        data = line.read_body(after)
        if forward:
            line.forward(data)
        line.reset()

    return action


def passes_on_part(size: int) -> Action:
    """The registry gets a part of the chunk, then the client's connection breaks."""

    def action(line: Line) -> None:
        data = line.read_body()[:size]
        start = line.asked.headers["content-range"].partition("-")[0]
        line.forward(data, **{"content-range": f"{start}-{int(start) + len(data) - 1}"})
        line.reset()

    return action


def stalls(read: bool) -> Action:
    def action(line: Line) -> None:
        if read:
            line.read_body()
        line.hang()

    return action
