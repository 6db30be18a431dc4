"""A server on loopback whose answers are a function."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Serve = Callable[["Request"], None]


@dataclass
class Scripted:
    address: str
    log: list["Request"] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    """Set when the test is over: for answers that wait."""


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    """Lower-case names."""
    handler: BaseHTTPRequestHandler = field(repr=False)
    server: Scripted = field(repr=False)

    def body(self) -> bytes:
        return self.handler.rfile.read(int(self.headers.get("content-length", "0")))

    def reply(self, status: int, body: bytes = b"", *, length: int | None = None, **headers: str) -> None:
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.send_header("Content-Length", str(len(body) if length is None else length))
        self.handler.end_headers()
        if self.method != "HEAD":
            self.handler.wfile.write(body)
            self.handler.wfile.flush()


@contextlib.contextmanager
def scripted(serve: Serve, context: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """Serves until the context ends; with TLS when there is an SSL context."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):  # every method is served alike
                return self._serve
            raise AttributeError(name)

        def _serve(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, self, here)
            here.log.append(request)
            try:
                serve(request)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def finish_request(self, request: object, client_address: object) -> None:
            assert isinstance(request, socket.socket)
            request.settimeout(10)
            if context is None:
                super().finish_request(request, client_address)
                return
            with contextlib.suppress(OSError), context.wrap_socket(request, server_side=True) as secure:
                super().finish_request(secure, client_address)

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # broken connections are what some tests are about

    server = Server(("127.0.0.1", 0), Handler)
    here = Scripted(f"127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        here.released.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
