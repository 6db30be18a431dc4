"""urllib3's connections with two habits more.

**Early answers.** A registry or an edge may answer (401, 413, ...) while a body is still being sent, and stop reading. Before
each piece of a body the socket is asked whether an answer is there already; if so, sending ends and the answer is read.
urllib3 itself only notices when the peer closes. A connection whose body was cut short is closed after its answer: the next
request on it would be read as the rest of the body.

**Interruption.** Sockets are remembered while they are open, so that another thread can shut them down and a thread that
waits for an answer wakes at once.
"""

import contextlib
import socket
import ssl
import threading
import weakref
from collections.abc import Mapping
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse
from urllib3.util.wait import wait_for_read


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


class _Watchful(HTTPConnection):
    """Mixed into urllib3's two connection classes."""

    live: LiveSockets
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
