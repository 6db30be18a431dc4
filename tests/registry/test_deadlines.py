"""Every exchange ends, whatever the other side does to keep it going."""

import time
from collections.abc import Callable

import pytest

from layerkit.errors import BrokenConnectionError, RefusedError
from layerkit.registry import connections
from layerkit.registry.proxies import Proxy, ProxySettings
from layerkit.registry.tls import Trust
from layerkit.registry.transport import Body
from tests.registry.docker_registry import KeyPair
from tests.registry.scripted import Request, scripted
from tests.registry.test_transport import pair, transport

__all__ = ["pair"]  # the fixture

TIMEOUT = 0.6
"""Seconds; what a server drips comes in a tenth of them."""


def drip(request: Request, data: bytes, *, for_ever: bool = False) -> None:
    """A byte (or all of `data`, again and again) every tenth of the timeout."""
    ends = time.monotonic() + 20 * TIMEOUT
    while time.monotonic() < ends and not request.server.released.is_set():
        for piece in [data] if for_ever else [bytes([byte]) for byte in data]:
            request.handler.wfile.write(piece)
            request.handler.wfile.flush()
            time.sleep(TIMEOUT / 10)


def continues(request: Request) -> None:
    drip(request, b"HTTP/1.1 100 Continue\r\n\r\n", for_ever=True)


def floods(request: Request) -> None:
    """As fast as they can be written."""
    while not request.server.released.is_set():
        request.handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


def drips_its_head(request: Request) -> None:
    drip(request, b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 300)


def drips_its_body(request: Request) -> None:
    request.handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
    drip(request, b"x" * 1000)


def drips_chunks(request: Request) -> None:
    request.handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    drip(request, b"1\r\nx\r\n", for_ever=True)


ENDLESS: list[Callable[[Request], None]] = [continues, floods, drips_its_head, drips_its_body, drips_chunks]


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("serve", ENDLESS)
def test_answers_without_an_end(serve: Callable[[Request], None], secure: bool, pair: KeyPair) -> None:
    with scripted(serve, pair.context() if secure else None) as server:
        began = time.monotonic()
        with pytest.raises(BrokenConnectionError) as caught:
            transport(TIMEOUT, Trust(pair.certificate)).send("GET", f"{'https' if secure else 'http'}://{server.address}/")
        assert TIMEOUT * 0.9 < time.monotonic() - began < 5 * TIMEOUT
    assert caught.value.timed_out


def test_a_stream_that_trickles() -> None:
    with scripted(drips_its_body) as server:
        stream = transport(TIMEOUT).stream(f"http://{server.address}/")
        began = time.monotonic()
        with pytest.raises(BrokenConnectionError) as caught:
            for _ in stream.pieces(1 << 20):
                pass
        assert time.monotonic() - began < 5 * TIMEOUT
    assert caught.value.timed_out


def test_a_slow_line_is_none_of_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three timeouts long, at a speed that counts."""
    monkeypatch.setattr(connections, "SLOWEST", 1000)
    size = 30_000

    def serve(request: Request) -> None:
        request.handler.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(30):
            request.handler.wfile.write(bytes(size // 30))
            request.handler.wfile.flush()
            time.sleep(TIMEOUT / 10)

    with scripted(serve) as server:
        began = time.monotonic()
        assert len(transport(TIMEOUT).send("GET", f"http://{server.address}/").body) == size
        assert time.monotonic() - began > 2 * TIMEOUT


def test_a_kept_connection_has_all_of_its_time_again() -> None:
    def serve(request: Request) -> None:
        time.sleep(TIMEOUT * 0.7)
        request.reply(200, b"late")

    with scripted(serve) as server:
        client = transport(TIMEOUT)
        for _ in range(3):
            assert client.send("GET", f"http://{server.address}/").body == b"late"
        assert len({request.handler.client_address for request in server.log}) == 1


def test_a_proxy_that_drips() -> None:
    with scripted(drips_its_head) as proxy:
        settings = ProxySettings(https=Proxy(f"http://{proxy.address}"))
        began = time.monotonic()
        with pytest.raises(BrokenConnectionError):
            transport(TIMEOUT, proxies=settings).send("GET", "https://registry.example/v2/")
        assert time.monotonic() - began < 5 * TIMEOUT


@pytest.mark.parametrize("status", [307, 308])
def test_a_secret_body_goes_to_no_other_origin(status: int) -> None:
    """A token service that sends a refresh token on would give it away."""
    stolen: list[bytes] = []

    def steals(request: Request) -> None:
        stolen.append(request.body())
        request.reply(200, b"{}")

    with scripted(steals) as thief:

        def redirects(request: Request) -> None:
            request.body()
            if request.path == "/there":
                request.reply(200, b"fine")
                return
            request.reply(status, Location=f"http://{thief.address}/x" if request.path == "/away" else "/there")

        with scripted(redirects) as server:
            body = Body.of(b"refresh_token=secret-2c26b46b", secret=True)
            with pytest.raises(RefusedError, match="a token that is meant for the one isn't sent to the other") as caught:
                transport().send("POST", f"http://{server.address}/away", {}, body)
            assert "secret" not in str(caught.value)
            assert transport().send("POST", f"http://{server.address}/at-home", {}, body).body == b"fine"
            assert transport().send("POST", f"http://{server.address}/away", {}, Body.of(b"public")).body == b"{}"
    assert stolen == [b"public"]
