"""The sandbox itself: a registry on loopback, to rehearse a push against a target's limits.

In: a folder, limits. Out: an address. Use as a context manager: the port is open inside the block and closed after it.
"""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from layerkit.sandbox.exchange import (
    Answer,
    BrokenBody,
    EdgeRefusal,
    EdgeTimeout,
    Exchange,
    Refusal,
    ResetConnection,
    error_body,
    json_answer,
    refused,
)
from layerkit.sandbox.limits import RESET, FaultInjector, Limits
from layerkit.sandbox.routes import Routes, needed_scope
from layerkit.sandbox.store import Store
from layerkit.sandbox.tokens import Tokens, challenge

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Request:
    """One request that was answered, or not."""

    method: str
    path: str
    status: int
    """0: the connection was reset or broke."""
    received: int
    """Bytes of the body that arrived."""


class Sandbox:
    """`with Sandbox(folder, Limits(max_blob=1_000_000)) as sandbox: push(image, f"{sandbox.address}/app:1")`"""

    def __init__(
        self, folder: Path, limits: Limits | None = None, *, port: int = 0, on_request: Callable[[Request], None] | None = None
    ) -> None:
        """`port` 0: any free one. `on_request` is called from many threads. Raises OSError when the port is taken."""
        self.limits = limits or Limits()
        self.requests: list[Request] = []
        """Everything that was asked so far."""
        self._on_request = on_request
        self._store = Store(folder)
        self._routes = Routes(self._store, self.limits, self._may_read)
        self._faults = FaultInjector(self.limits.faults, self.limits.seed)
        self._tokens = Tokens(*self.limits.login, self.limits.token_seconds) if self.limits.login else None
        try:
            self._server = _Server((HOST, port), partial(_Handler, self))
        except OSError:
            self._store.close()
            raise
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="layerkit-sandbox", daemon=True)

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._routes.close()
        self._store.close()

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        """Answers one request."""
        exchange = Exchange(handler, self.limits)
        status = 0
        try:
            answer = self._answer(exchange)
            if answer is None:
                exchange.reset()
            else:
                status = answer.status
        except Refusal as refusal:
            headers = {"Content-Type": "application/json", **refusal.headers}
            answer, status = Answer(refusal.status, headers, error_body(refusal.code, refusal.message)), refusal.status
        except EdgeRefusal as refusal:
            answer, status = _edge_answer(refusal.status), refusal.status
        except EdgeTimeout:
            answer, status = _edge_answer(524), 524
        except ResetConnection:
            exchange.reset()
            answer = None
        except BrokenBody:
            handler.close_connection = True
            answer = None
        self._log(Request(exchange.method, exchange.path, status, exchange.received))
        if answer is not None:
            exchange.answer(answer)

    def _answer(self, exchange: Exchange) -> Answer | None:
        """None: the connection is to be reset."""
        time.sleep(self.limits.latency)
        if exchange.path == "/token":
            return self._token(exchange)
        self._check_login(exchange)
        if exchange.path not in ("/v2", "/v2/"):
            fault = self._faults.for_request(exchange.method)
            if fault is not None:
                if fault.status == RESET:
                    return None
                return _edge_answer(fault.status, **({"Retry-After": fault.retry_after} if fault.retry_after else {}))
        if self.limits.max_body is not None and (exchange.length or 0) > self.limits.max_body:
            raise refused(self.limits.large_body)
        return self._routes.answer(exchange)

    def _token(self, exchange: Exchange) -> Answer:
        if self._tokens is None:
            raise Refusal(404, "UNSUPPORTED", "there is no login here")
        token = self._tokens.issue(exchange.headers.get("Authorization"), exchange.queries.get("scope", []))
        if token is None:
            raise Refusal(401, "UNAUTHORIZED", "wrong user name or password", {"WWW-Authenticate": 'Basic realm="sandbox"'})
        return json_answer({"token": token, "expires_in": int(self._tokens.lifetime)})

    def _check_login(self, exchange: Exchange) -> None:
        if self._tokens is None:
            return
        scope = needed_scope(exchange.method, exchange.path)
        error = self._tokens.refusal(exchange.headers.get("Authorization"), scope)
        if error is not None:
            asked = scope.replace(":push", ":pull,push") if scope else None
            header = challenge(f"http://{self.address}/token", asked, error)
            raise Refusal(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": header})

    def _may_read(self, exchange: Exchange, repository: str) -> bool:
        if self._tokens is None:
            return True
        return self._tokens.refusal(exchange.headers.get("Authorization"), f"repository:{repository}:pull") is None

    def _log(self, request: Request) -> None:
        self.requests.append(request)
        if self._on_request is not None:
            self._on_request(request)


def _edge_answer(status: int, **headers: str) -> Answer:
    """What an edge says for itself: no JSON."""
    return Answer(status, {"Content-Type": "text/plain; charset=UTF-8", **headers}, f"error code: {status}".encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, *arguments: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Ends the connections that clients keep open."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def __init__(self, sandbox: Sandbox, *arguments: Any) -> None:
        self._sandbox = sandbox
        super().__init__(*arguments)

    def _handle(self) -> None:
        self._sandbox.handle(self)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = _handle  # noqa: N815  # http.server's names

    def log_message(self, format: str, *args: Any) -> None:
        """`on_request` tells."""
