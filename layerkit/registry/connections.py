"""urllib3's connections with three habits more.

**Early answers.** A registry or an edge may answer (401, 413, ...) while a body is still being sent, and stop reading. Before
each piece of a body the socket is asked whether an answer is there already; if so, sending ends and the answer is read.
urllib3 itself only notices when the peer closes. A connection whose body was cut short is closed after its answer: the next
request on it would be read as the rest of the body.

**Deadlines.** A socket's timeout is about one read: who sends a byte now and then, or `100 Continue` for ever, keeps it waiting
without an end. So the whole head of an answer has to come within the timeout, and its body with a little speed.

**Interruption.** Sockets are remembered while they are open, so that another thread can shut them down and a thread that
waits for an answer wakes at once.
"""

import contextlib
import http.client
import io
import math
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Mapping
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse
from urllib3.util.wait import wait_for_read

SLOWEST = 4 << 10
"""Bytes a second with which a body has to come on average, after as long as the timeout for free. The slowest lines that images
are pulled over have 20 times as much."""


class LiveSockets:
    """The open sockets of one transport."""

    def __init__(self) -> None:
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._shut = False

    def add(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.add(sock)
            shut = self._shut
        if shut:
            _shut_down(sock)

    def shut_down(self) -> None:
        """Ends whatever waits on any of them, now and later."""
        with self._lock:
            self._shut = True
            sockets = list(self._sockets)
        for sock in sockets:
            _shut_down(sock)


def _shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # On an SSLSocket, shutdown() would drop the TLS layer under a thread that is using it: go to the file descriptor.
        descriptor = sock.fileno()
        if descriptor < 0:
            return  # closed already
        twin = socket.socket(fileno=descriptor)
        try:
            twin.shutdown(socket.SHUT_RDWR)
        finally:
            twin.detach()


class _Timed(io.RawIOBase):
    """What comes in on a socket, against a deadline: the socket's timeout, counted from the start instead of from the last byte.
    Bytes that count put it off."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        timeout = sock.gettimeout()
        self._timeout = math.inf if timeout is None else timeout
        self._waits = self._timeout
        self._ends = time.monotonic() + self._timeout
        self._counts = False

    def body_begins(self) -> None:
        """From here on bytes count; the time for the first begins anew."""
        self._ends = time.monotonic() + self._timeout
        self._counts = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        wait = min(left, self._timeout)
        if wait != self._waits:  # it costs a system call
            self._sock.settimeout(wait)
            self._waits = wait
        count = self._raw.readinto(buffer) or 0
        if self._counts:
            self._ends += count / SLOWEST
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *more: Any, **options: Any) -> None:
        super().__init__(sock, *more, **options)
        self.fp.close()  # as it comes from http.client; the socket stays open
        self._timed = _Timed(sock)
        self.fp = io.BufferedReader(self._timed)

    def begin(self) -> None:
        super().begin()
        self._timed.body_begins()


class _Watchful(HTTPConnection):
    """Mixed into urllib3's two connection classes."""

    live: LiveSockets
    response_class = _TimedResponse
    _sending_body = False
    _cut_short = False
    _answers = 0

    def connect(self) -> None:
        super().connect()
        self._answers = 0
        if self.sock is not None:
            self.live.add(self.sock)

    # urllib3's connections take other arguments and give another response than http.client's, from which they descend.
    def request(  # type: ignore[override]
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        self._sending_body = False
        self._cut_short = False
        super().request(method, url, body=body, headers=headers, **more)

    def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
        super().endheaders(message_body, encode_chunked=encode_chunked)
        self._sending_body = True

    def send(self, data: Any) -> None:
        if self._sending_body and self._answered():
            self._cut_short = True
            raise BrokenPipeError("the answer came before the body's end")  # urllib3 takes it as "read the answer now"
        try:
            super().send(data)
        except TimeoutError:
            self._cut_short = True
            if self._answered():
                raise BrokenPipeError("the peer answered and stopped reading") from None
            raise
        except OSError as error:
            self._cut_short = True
            if isinstance(error, ssl.SSLEOFError):  # the TLS form of EPIPE: there may be an answer from before
                raise BrokenPipeError(str(error)) from None
            raise

    def _answered(self) -> bool:
        if self.sock is None:
            return False
        # A TLS 1.3 server sends session tickets right after the handshake, which make the socket readable without an answer;
        # they are consumed with the first answer that is read.
        if isinstance(self, HTTPSConnection) and not self._answers:
            return False
        return wait_for_read(self.sock, timeout=0)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as above
        response = super().getresponse()
        self._answers += 1
        if self._cut_short:
            self.close()  # the answer keeps its own hold on the socket until it is read
        return response


def pool_classes(live: LiveSockets) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's pools by scheme, for connections that report their sockets to `live`."""
    sockets = live

    class Plain(_Watchful):
        live = sockets

    class Secure(_Watchful, HTTPSConnection):
        live = sockets

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
