"""One request: bodies, redirects, early answers, broken connections, TLS, proxies."""

import base64
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerkit.errors import (
    BrokenConnectionError,
    CertificateError,
    ImageError,
    InterruptedPushError,
    RefusedError,
    UnknownHostError,
    UsageError,
)
from layerkit.image.blob import Buffer
from layerkit.registry.proxies import Proxy, ProxySettings, proxies_from
from layerkit.registry.tls import Trust, trust_from
from layerkit.registry.transport import Body, Timeouts, Transport
from tests.registry.docker_registry import KeyPair, new_key_pair
from tests.registry.scripted import Request, scripted

MiB = 1 << 20


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return new_key_pair(tmp_path_factory.mktemp("tls"))


def transport(read: float = 2.0, trust: Trust | None = None, proxies: ProxySettings | None = None) -> Transport:
    return Transport(proxies or ProxySettings(), trust or Trust(), Timeouts(read, read), "test/1")


def endless(size: int, log: list[int]) -> Body:
    """A body of zeros that writes down how much of it was taken."""

    def pieces() -> Iterator[Buffer]:
        block = bytes(MiB)
        for _ in range(size // MiB):
            yield block
            log.append(MiB)

    return Body(size, pieces)


def test_a_body_is_sent_with_its_length() -> None:
    def serve(request: Request) -> None:
        request.reply(200, request.headers["content-length"].encode() + b" " + request.body())

    with scripted(serve) as server:
        answer = transport().send("PATCH", f"http://{server.address}/x", {"A": "b"}, Body(6, lambda: iter((b"abc", b"", b"def"))))
        assert answer.body == b"6 abcdef"
        assert "transfer-encoding" not in server.log[0].headers
        assert (server.log[0].headers["user-agent"], server.log[0].headers["a"]) == ("test/1", "b")


def test_connections_are_kept() -> None:
    ports = set()

    def serve(request: Request) -> None:
        ports.add(request.handler.client_address[1])
        request.body()
        request.reply(202)

    with scripted(serve) as server:
        way = transport()
        for _ in range(5):
            assert way.send("PATCH", f"http://{server.address}/x", body=Body.of(b"abc")).status == 202
            assert way.send("HEAD", f"http://{server.address}/x").status == 202
    assert len(ports) == 1


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("closes", [False, True], ids=["stays", "closes"])
def test_an_early_answer_is_seen_while_the_body_is_sent(pair: KeyPair, secure: bool, closes: bool) -> None:
    """The peer reads a little, answers, and reads no more: sending ends within what fits in the line, and the connection isn't
    used again, on which the next request would be read as the body's rest."""

    def serve(request: Request) -> None:
        if request.method == "PATCH":
            request.handler.rfile.read(100_000)
            request.reply(413, b"too large")
            request.handler.close_connection = True
            if not closes:
                request.server.released.wait(8)
        else:
            request.reply(200)

    taken: list[int] = []
    with scripted(serve, pair.context() if secure else None) as server:
        url = f"{'https' if secure else 'http'}://{server.address}/x"
        way = transport(read=6, trust=Trust(pair.certificate))
        assert way.send("GET", url).status == 200
        began = time.monotonic()
        answer = way.send("PATCH", url, body=endless(256 * MiB, taken))
        assert (answer.status, answer.body_sent) == (413, False)
        assert time.monotonic() - began < 3
        assert sum(taken) < 64 * MiB
        assert way.send("GET", url).status == 200


def waits(request: Request) -> None:
    request.server.released.wait(10)


def test_a_peer_that_stops_reading_times_out() -> None:
    with scripted(waits) as server:
        with pytest.raises(BrokenConnectionError, match="timed out") as caught:
            transport(read=0.3).send("PATCH", f"http://{server.address}/x", body=endless(64 * MiB, []))
        assert caught.value.timed_out
        assert caught.value.connected


def test_a_peer_that_never_answers_times_out() -> None:
    with scripted(waits) as server:
        with pytest.raises(BrokenConnectionError, match="timed out waiting") as caught:
            transport(read=0.3).send("GET", f"http://{server.address}/x")
        assert caught.value.timed_out


def test_an_answer_that_ends_early() -> None:
    def serve(request: Request) -> None:
        request.reply(200, b"half", length=100)
        request.handler.close_connection = True

    with scripted(serve) as server, pytest.raises(BrokenConnectionError, match="ended early"):
        transport().send("GET", f"http://{server.address}/x")


def test_nobody_there() -> None:
    with pytest.raises(BrokenConnectionError, match="refused") as caught:
        transport().send("GET", "http://127.0.0.1:1/")
    assert not caught.value.connected
    with pytest.raises(UnknownHostError, match="no such host"):
        transport().send("GET", "http://nowhere.invalid/")


def test_an_error_of_the_input_is_not_the_network_s() -> None:
    def broken() -> Iterator[Buffer]:
        yield b"x"
        raise OSError(5, "Input/output error")

    with scripted(waits) as server, pytest.raises(ImageError, match="Input/output error"):
        transport().send("PUT", f"http://{server.address}/x", body=Body(10, broken))


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("size", [0, 64 * MiB], ids=["waiting", "sending"])
def test_interruption_ends_what_waits(pair: KeyPair, secure: bool, size: int) -> None:
    with scripted(waits, pair.context() if secure else None) as server:
        url = f"{'https' if secure else 'http'}://{server.address}/x"
        way = transport(read=10, trust=Trust(pair.certificate))
        timer = threading.Timer(0.3, way.interrupt)
        timer.start()
        began = time.monotonic()
        with pytest.raises(InterruptedPushError):
            way.send("PATCH", url, body=endless(size, []) if size else None)
        assert time.monotonic() - began < 3
        with pytest.raises(InterruptedPushError):
            way.send("GET", url)
        timer.join()


# Redirects


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 301), ("GET", 302), ("GET", 303), ("GET", 307), ("HEAD", 308), ("PUT", 307), ("PATCH", 308)]
)
def test_redirects_that_are_followed(method: str, status: int) -> None:
    def serve(request: Request) -> None:
        body = request.body()
        if request.path == "/from":
            request.reply(status, b"moved", Location="/to?x=1")
        else:
            request.reply(200, body or b"there", Seen=str(len(body)))

    with scripted(serve) as server:
        body = Body.of(b"abc") if method in ("PUT", "PATCH") else None
        answer = transport().send(method, f"http://{server.address}/from", {"Authorization": "x"}, body)
        assert answer.status == 200
        assert answer.url == f"http://{server.address}/to?x=1"
        assert answer.headers["seen"] == ("3" if body else "0")
        assert [request.headers.get("authorization") for request in server.log] == ["x", "x"]


def test_authorization_stays_with_its_host() -> None:
    with scripted(lambda request: request.reply(200)) as other:

        def serve(request: Request) -> None:
            request.reply(307, Location=f"http://{other.address}/blob")

        with scripted(serve) as server:
            answer = transport().send("GET", f"http://{server.address}/x", {"Authorization": "secret", "Range": "bytes=0-1"})
        assert answer.status == 200
        assert "authorization" not in other.log[0].headers
        assert other.log[0].headers["range"] == "bytes=0-1"


@pytest.mark.parametrize(
    ("method", "status", "location", "words"),
    [
        ("PUT", 302, "/to", "would change the request's method"),
        ("POST", 301, "/to", "would change the request's method"),
        ("GET", 302, "/from", "more than 8 redirects"),
        ("GET", 302, "file:///etc/passwd", "no place on the web"),
    ],
)
def test_redirects_that_are_not(method: str, status: int, location: str, words: str) -> None:
    def serve(request: Request) -> None:
        request.body()
        request.reply(status, Location=location)

    with scripted(serve) as server, pytest.raises(RefusedError, match=words):
        transport().send(method, f"http://{server.address}/from?signed=secret", body=Body.of(b"x") if method != "GET" else None)


def test_https_never_becomes_http(pair: KeyPair) -> None:
    with scripted(lambda request: request.reply(200)) as plain:

        def serve(request: Request) -> None:
            request.reply(307, Location=f"http://{plain.address}/x")

        with scripted(serve, pair.context()) as server, pytest.raises(RefusedError, match="from https to http"):
            transport(trust=Trust(pair.certificate)).send("GET", f"https://{server.address}/x")
        assert not plain.log


# Trust


def test_certificates_are_verified(pair: KeyPair, tmp_path: Path) -> None:
    with scripted(lambda request: request.reply(200), pair.context()) as server:
        url = f"https://{server.address}/"
        with pytest.raises(CertificateError, match=r"not trusted .*--ca-file") as caught:
            transport().send("GET", url)
        assert caught.value.untrusted
        assert transport(trust=Trust(pair.certificate)).send("GET", url).status == 200
        folder = tmp_path / "certs.d" / server.address
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(pair.certificate.read_bytes())
        assert transport(trust=Trust(None, (tmp_path / "absent", tmp_path / "certs.d"))).send("GET", url).status == 200


def test_a_certificate_for_another_host_is_not_trusted(tmp_path: Path) -> None:
    pair = new_key_pair(tmp_path, address="127.0.0.2")
    with (
        scripted(lambda request: request.reply(200), pair.context()) as server,
        pytest.raises(CertificateError, match=r"not trusted \(IP address mismatch"),
    ):
        transport(trust=Trust(pair.certificate)).send("GET", f"https://{server.address}/")


def test_client_certificates(pair: KeyPair, tmp_path: Path) -> None:
    client = new_key_pair(tmp_path, "client")
    context = pair.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(client.certificate)
    with scripted(lambda request: request.reply(200), context) as server:
        folder = tmp_path / server.address
        folder.mkdir()
        (folder / "ca.crt").write_bytes(pair.certificate.read_bytes())
        (folder / "client.cert").write_bytes(client.certificate.read_bytes())
        with pytest.raises(UsageError, match=r"key client\.key is not beside it"):
            transport(trust=Trust(None, (tmp_path,))).send("GET", f"https://{server.address}/")
        (folder / "client.key").write_bytes(client.key.read_bytes())
        assert transport(trust=Trust(None, (tmp_path,))).send("GET", f"https://{server.address}/").status == 200


def test_files_that_hold_no_certificates(tmp_path: Path) -> None:
    bad = tmp_path / "ca.pem"
    bad.write_text("nothing")
    for file in (bad, tmp_path / "absent.pem"):
        with pytest.raises(UsageError, match=r"--ca-file .*expected certificates in PEM form"):
            Trust(file).context("reg.example")


def test_where_certificates_are_looked_for(tmp_path: Path) -> None:
    folders = trust_from({"XDG_CONFIG_HOME": "/x"}, tmp_path).certs_d
    assert folders == (Path("/x/containers/certs.d"), Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))
    assert trust_from({}, tmp_path).certs_d[0] == tmp_path / ".config/containers/certs.d"


# Proxies


def test_plain_requests_go_through_the_proxy() -> None:
    def serve(request: Request) -> None:
        request.reply(200, request.path.encode())

    with scripted(serve) as proxy:
        settings = proxies_from({"HTTP_PROXY": f"http://user:pass-5ecret@{proxy.address}"})
        answer = transport(proxies=settings).send("GET", "http://registry.example/v2/?a=b", {"Authorization": "x"})
        assert answer.body == b"http://registry.example/v2/?a=b"
        expected = "Basic " + base64.b64encode(b"user:pass-5ecret").decode()
        assert proxy.log[0].headers["proxy-authorization"] == expected


def test_secure_requests_are_tunnelled_without_telling_the_proxy() -> None:
    def serve(request: Request) -> None:
        request.reply(407)
        request.handler.close_connection = True

    with scripted(serve) as proxy:
        settings = ProxySettings(https=Proxy(f"http://{proxy.address}", "Basic cHJveHk6cGFzcy01ZWNyZXQ="))
        with pytest.raises(BrokenConnectionError, match=f"through the proxy http://{proxy.address}") as caught:
            transport(proxies=settings).send("GET", "https://registry.example/v2/", {"Authorization": "x"})
        assert "cHJveHk" not in str(caught.value)
        assert (proxy.log[0].method, proxy.log[0].path) == ("CONNECT", "registry.example:443")
        assert "authorization" not in proxy.log[0].headers
        assert proxy.log[0].headers["proxy-authorization"].startswith("Basic ")


def test_a_registry_behind_a_tunnel(pair: KeyPair) -> None:
    """TLS is spoken with the registry itself; the proxy sees nothing of it."""
    with scripted(lambda request: request.reply(200, request.body()), pair.context()) as server:

        def tunnel(request: Request) -> None:
            request.handler.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            host, _, port = server.address.partition(":")
            with socket.create_connection((host, int(port))) as onward:
                back = threading.Thread(target=_pump, args=(onward, request.handler.connection), daemon=True)
                back.start()
                _pump(request.handler.connection, onward)
                back.join(5)
            request.handler.close_connection = True

        with scripted(tunnel) as proxy:
            settings = proxies_from({"HTTPS_PROXY": f"http://{proxy.address}"})
            way = transport(proxies=settings, trust=Trust(pair.certificate))
            answer = way.send("PUT", "https://registry.example/x", {"Authorization": "x"}, endless(3 * MiB, []))
            assert (answer.status, len(answer.body)) == (200, 3 * MiB)
            way.close()
        assert server.log[0].headers["authorization"] == "x"


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
