"""One request, its redirects, one answer.

In: method, URL, headers, a body that can be opened again. Out: the answer, or an error that says whether another try makes
sense. urllib3 is used directly, without its retries and redirects: both would send a body that is consumed, and neither knows
what may be told to another host.

Redirects: GET and HEAD follow 301, 302, 303, 307, 308; requests with a body only 307 and 308, which keep the method.
Authorization is dropped when scheme, host or port change, a body that is a secret isn't sent there at all, and https never
becomes http.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3 import exceptions
from urllib3.response import BaseHTTPResponse

from layerkit.errors import (
    BrokenConnectionError,
    CertificateError,
    ImageError,
    InterruptedPushError,
    RefusedError,
    UnknownHostError,
)
from layerkit.image.blob import Buffer
from layerkit.image.foreign import MAX_DOCUMENT, web_address
from layerkit.registry.answers import Answer
from layerkit.registry.connections import LiveSockets, pool_classes
from layerkit.registry.proxies import ProxySettings
from layerkit.registry.tls import Trust

BLOCK = 256 << 10
"""Bytes handed to the socket at a time: an early answer is noticed between two."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 8
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Body:
    """A request's body: `size` bytes that `open` gives from the start, as often as needed."""

    size: int
    open: Callable[[], Iterator[Buffer]]
    secret: bool = False
    """Is it for this origin alone, wherever that redirects to?"""

    @classmethod
    def of(cls, data: bytes, *, secret: bool = False) -> "Body":
        return cls(len(data), lambda: iter((data,)), secret)


@dataclass(frozen=True)
class Timeouts:
    """Seconds. The edge's own limits (100 to 125 s) come before ours, so that its 524 is seen."""

    connect: float = 30
    """Also for each block of a body that the peer doesn't take."""
    read: float = 150
    """For the whole head of an answer, and as long again for its body, plus what that takes at `SLOWEST`."""


@dataclass
class _Sending:
    """A body on its way: in blocks, counted."""

    body: Body
    sent: int = 0

    def __iter__(self) -> Iterator[Buffer]:
        pieces = self.body.open()
        while True:
            try:
                piece = next(pieces, None)
            except OSError as error:  # not the network's fault: urllib3 must not take it for that
                raise ImageError(f"reading the image failed: {error.strerror or error}") from None
            if piece is None:
                break
            view = memoryview(piece)
            for start in range(0, len(view), BLOCK):
                block = view[start : start + BLOCK]
                yield block
                self.sent += len(block)


@dataclass(frozen=True)
class Stream:
    """An answer whose body is still to be read."""

    answer: Answer
    """Its body is empty, unless the status isn't one of success."""
    _response: BaseHTTPResponse = field(repr=False)
    _transport: "Transport" = field(repr=False)

    def pieces(self, size: int) -> Iterator[bytes]:
        """The body in pieces of at most `size` bytes. Raises BrokenConnectionError when it ends early."""
        try:
            yield from self._response.stream(size, decode_content=False)
        except (exceptions.HTTPError, OSError) as error:
            raise self._transport.explain(error, self.answer.url) from None
        finally:
            self.close()

    def close(self) -> None:
        """Nothing more is read of it."""
        self._response.close()


class Transport:
    """Requests to any host, over kept connections. Thread-safe."""

    def __init__(self, proxies: ProxySettings, trust: Trust, timeouts: Timeouts, user_agent: str) -> None:
        self._proxies = proxies
        self._trust = trust
        self._timeout = urllib3.Timeout(connect=timeouts.connect, read=timeouts.read)
        self._user_agent = user_agent
        self._live = LiveSockets()
        self._pools = pool_classes(self._live)
        self._managers: dict[str, urllib3.PoolManager] = {}
        self._lock = threading.Lock()
        self.interrupted = threading.Event()

    def send(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: Body | None = None, limit: int = MAX_DOCUMENT
    ) -> Answer:
        """The answer, at most `limit` bytes of it. Raises BrokenConnectionError, CertificateError, UnknownHostError,
        RefusedError for a redirect that can't be followed, InterruptedPushError."""
        response, answer = self._follow(method, url, headers or {}, body)
        return self._read(response, answer, limit)

    def stream(self, url: str, headers: Mapping[str, str] | None = None) -> Stream:
        """GET, the body of a successful answer left to be read."""
        response, answer = self._follow("GET", url, headers or {}, None)
        if answer.status not in (200, 206):
            answer = self._read(response, answer, 1 << 16)
        return Stream(answer, response, self)

    def interrupt(self) -> None:
        """Ends all requests, now and later, with InterruptedPushError."""
        self.interrupted.set()
        self._live.shut_down()

    def close(self) -> None:
        with self._lock:
            for manager in self._managers.values():
                manager.clear()

    def _follow(self, method: str, url: str, headers: Mapping[str, str], body: Body | None) -> tuple[BaseHTTPResponse, Answer]:
        for _ in range(_MAX_REDIRECTS):
            sending = _Sending(body) if body is not None else None
            response = self._once(method, url, headers, sending)
            complete = sending is None or sending.sent == sending.body.size
            challenges = tuple(response.headers.getlist("www-authenticate"))
            answer = Answer(response.status, response.headers, b"", url, challenges, complete)
            location = response.headers.get("location")
            if response.status not in _REDIRECTS or not location:
                return response, answer
            self._read(response, answer, 1 << 16)
            if method not in ("GET", "HEAD") and response.status not in (307, 308):
                raise RefusedError(f"{method} {without_query(url)}: HTTP {response.status} would change the request's method")
            target = _redirected(url, location)
            if origin(target) != origin(url):
                if body is not None and body.secret:
                    raise RefusedError(
                        f"{without_query(url)}: redirects to {origin(target)}; a token that is meant for the one isn't sent to "
                        "the other"
                    )
                headers = {name: value for name, value in headers.items() if name.lower() not in ("authorization", "cookie")}
            url = target
        raise RefusedError(f"{without_query(url)}: more than {_MAX_REDIRECTS} redirects")

    def _once(self, method: str, url: str, headers: Mapping[str, str], sending: _Sending | None) -> BaseHTTPResponse:
        if self.interrupted.is_set():
            raise InterruptedPushError("interrupted")
        headers = {"User-Agent": self._user_agent, **headers}
        if sending is not None:
            headers["Content-Length"] = str(sending.body.size)  # without it urllib3 would use the chunked encoding
        try:
            return self._manager(url).urlopen(
                method,
                url,
                body=sending,
                headers=headers,
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (exceptions.HTTPError, OSError, ValueError) as error:
            raise self.explain(error, url) from None

    def _read(self, response: BaseHTTPResponse, answer: Answer, limit: int) -> Answer:
        try:
            data = response.read(limit + 1, decode_content=True)
            if len(data) > limit:
                response.close()
                data = data[:limit]
        except (exceptions.HTTPError, OSError) as error:
            response.close()
            if not answer.body_sent:  # an early answer: the reset that follows it may swallow its text, its status stands
                return answer
            raise self.explain(error, answer.url) from None
        with contextlib.suppress(exceptions.HTTPError, OSError):
            response.release_conn()
        return Answer(answer.status, answer.headers, data, answer.url, answer.challenges, answer.body_sent)

    def _manager(self, url: str) -> urllib3.PoolManager:
        """One per origin: proxies and trust differ by host."""
        key = origin(url)
        with self._lock:
            manager = self._managers.get(key)
            if manager is None:
                manager = self._managers[key] = self._new_manager(url)
            return manager

    def _new_manager(self, url: str) -> urllib3.PoolManager:
        proxy = self._proxies.proxy_for(url)
        settings: dict[str, Any] = {"maxsize": 32, "block": False, "blocksize": BLOCK}
        if url.startswith("https:"):
            settings["ssl_context"] = self._trust.context(urlsplit(url).netloc)
        manager: urllib3.PoolManager
        if proxy is None:
            manager = urllib3.PoolManager(**settings)
        else:
            proxy_headers = {"Proxy-Authorization": proxy.authorisation} if proxy.authorisation else None
            manager = urllib3.ProxyManager(proxy.url, proxy_headers=proxy_headers, **settings)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def explain(self, error: Exception, url: str) -> Exception:
        """The error for people, from urllib3's; it never quotes a header, a query or a proxy's password."""
        if self.interrupted.is_set():
            return InterruptedPushError("interrupted")
        where = urlsplit(url).netloc
        causes = _causes(error)
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
            reason = next(cause.verify_message for cause in causes if isinstance(cause, ssl.SSLCertVerificationError))
            return CertificateError(
                f"{where}: its TLS certificate is not trusted ({reason}); if it is your own authority's, give it with --ca-file",
                untrusted=True,
            )
        if any(isinstance(cause, ssl.SSLError) for cause in causes) and not any(isinstance(c, TimeoutError) for c in causes):
            reason = next(str(c.reason or c.strerror or "") for c in causes if isinstance(c, ssl.SSLError))
            if "EOF" not in reason:
                return CertificateError(f"{where}: no TLS connection ({reason}); for a registry without TLS, use --plain-http")
        unknown = next((cause for cause in causes if isinstance(cause, socket.gaierror)), None)
        if unknown is not None and unknown.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
            return UnknownHostError(f"{where}: no such host ({unknown.strerror}); check the name and your network")
        proxy = self._proxies.proxy_for(url)
        via = f" through the proxy {proxy.url}" if proxy else ""
        if any(isinstance(cause, exceptions.NewConnectionError) for cause in causes):  # urllib3 counts it among timeouts
            return BrokenConnectionError(f"{where}{via}: {_reason(causes)}", connected=False)
        if any(isinstance(cause, exceptions.ConnectTimeoutError) for cause in causes):
            return BrokenConnectionError(f"{where}{via}: connecting timed out", timed_out=True, connected=False)
        if any(isinstance(cause, TimeoutError | exceptions.TimeoutError) for cause in causes):
            return BrokenConnectionError(f"{where}{via}: timed out waiting for it", timed_out=True)
        return BrokenConnectionError(f"{where}{via}: {_reason(causes)}")


def origin(url: str) -> str:
    """`scheme://host:port`, with the port spelled out: what an Authorization header is meant for."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)}"


def without_query(url: str) -> str:
    """For messages: queries may hold signatures."""
    return url.partition("?")[0]


def _redirected(url: str, location: str) -> str:
    """Where it goes on. Raises RefusedError for a place that can't be, and for one without TLS after one with."""
    try:
        target = urljoin(url, location)
    except ValueError:
        target = ""
    if web_address(target) is None:
        raise RefusedError(f"{without_query(url)}: redirects to {without_query(location)[:100]!r}, which is no place on the web")
    if url.startswith("https:") and target.startswith("http:"):
        raise RefusedError(f"{without_query(url)}: redirects from https to http ({without_query(target)}), which is not followed")
    return target


def _causes(error: BaseException) -> list[BaseException]:
    """The error and everything behind it, urllib3's wrapping included."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop(0)
        if isinstance(current, BaseException) and current not in found and len(found) < 16:
            found.append(current)
            waiting += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
    return found


def _reason(causes: list[BaseException]) -> str:
    """The system's words for it, or the innermost error's kind."""
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno is not None and cause.strerror:
            return cause.strerror
    if any(isinstance(cause, exceptions.IncompleteRead) for cause in causes):
        return "the answer ended early"
    if any(isinstance(cause, exceptions.ProxyError) for cause in causes):
        return "the proxy refused the connection"
    return "the connection was closed without an answer"
