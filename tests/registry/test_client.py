"""A registry spoken to: the first contact, reading, trying again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from layerkit.errors import (
    CertificateError,
    DamagedError,
    NotARegistryError,
    NotFoundError,
    RefusedError,
    UnauthorisedError,
    UnreachableError,
)
from layerkit.image.blob import blob_of, read_at
from layerkit.image.digest import Digest
from layerkit.registry import connect
from layerkit.registry.answers import Answer
from layerkit.registry.authorisation import Scope
from layerkit.registry.client import RegistryClient, with_digest
from tests.pusher.images import KNOWN, Waits, client_of, noise
from tests.registry.docker_registry import KeyPair, new_key_pair
from tests.registry.scripted import Request, Serve, scripted

BLOB = blob_of(noise(3_000_000, 42))
DATA = b"".join(bytes(piece) for piece in BLOB.chunks())


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return new_key_pair(tmp_path_factory.mktemp("tls"))


def ping(request: Request) -> bool:
    """Answers `/v2/`; False for anything else."""
    if request.path == "/v2/":
        request.reply(200, b"{}", Content_Type="application/json")
        return True
    return False


def serving(serve: Serve) -> Serve:
    def both(request: Request) -> None:
        if not ping(request):
            serve(request)

    return both


# First contact


def test_http_is_spoken_on_loopback_where_https_is_not() -> None:
    with scripted(lambda request: request.reply(200, b"{}")) as server:
        client = client_of(server.address)
        client.contact()
        assert client.url("/v2/") == f"http://{server.address}/v2/"


def test_https_is_spoken_on_loopback_where_it_can_be(pair: KeyPair) -> None:
    with scripted(lambda request: request.reply(200, b"{}"), pair.context()) as server:
        client = client_of(server.address, ca_file=pair.certificate)
        client.contact()
        assert client.url("/v2/") == f"https://{server.address}/v2/"


def test_a_certificate_that_is_not_trusted_is_no_reason_for_http(pair: KeyPair) -> None:
    with scripted(lambda request: request.reply(200, b"{}"), pair.context()) as server:
        with pytest.raises(CertificateError, match="not trusted"):
            client_of(server.address).contact()
        assert not server.log


def test_elsewhere_http_needs_the_flag() -> None:
    """A host that isn't loopback by its name, though the proxy on the way to it is."""
    with scripted(lambda request: request.reply(200, b"{}")) as proxy:
        environment = {"HTTP_PROXY": f"http://{proxy.address}", "HTTPS_PROXY": f"http://{proxy.address}", "HOME": "/nonexistent"}
        client = connect("registry.example", environment=environment, plain_http=True)
        client.contact()
        assert proxy.log[0].path == "http://registry.example/v2/"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(200, b"<!DOCTYPE html><title>Log in</title>", "text/html"), (200, b"<html>", "text/plain"), (404, b"", ""), (302, b"", "")],
)
def test_what_is_no_registry(status: int, body: bytes, kind: str) -> None:
    with (
        scripted(lambda request: request.reply(status, body, Content_Type=kind)) as server,
        pytest.raises(NotARegistryError, match=f"not a registry: http://{server.address}/v2/ answered HTTP {status}"),
    ):
        client_of(server.address, plain_http=True).contact()


def test_401_without_a_challenge() -> None:
    with scripted(lambda request: request.reply(401)) as server, pytest.raises(NotARegistryError):
        client_of(server.address, plain_http=True).contact()


def test_a_registry_that_never_answers_is_given_up_soon() -> None:
    waits = Waits()
    with pytest.raises(UnreachableError, match=r"connecting to 127.0.0.1:1: failed 3 times in a row.*refused"):
        client_of("127.0.0.1:1", waits=waits).contact()
    assert len(waits) == 2


def test_a_registry_that_is_starting_is_waited_for() -> None:
    answers = iter([503, 200])
    with scripted(lambda request: request.reply(next(answers), b"{}")) as server:
        client_of(server.address, plain_http=True).contact()


def test_docker_hub_is_at_another_host() -> None:
    with scripted(lambda request: request.reply(200, b"{}")) as proxy:
        environment = {"HTTP_PROXY": f"http://{proxy.address}", "HOME": "/nonexistent"}
        connect("docker.io", environment=environment, plain_http=True).contact()
        assert proxy.log[0].path == "http://registry-1.docker.io/v2/"


# Locations


@pytest.fixture
def secure(pair: KeyPair) -> Iterator[tuple[RegistryClient, str]]:
    with scripted(lambda request: request.reply(200, b"{}"), pair.context()) as server:
        client = client_of(server.address, ca_file=pair.certificate)
        client.contact()
        yield client, server.address


def test_locations(secure: tuple[RegistryClient, str]) -> None:
    client, address = secure
    base = f"https://{address}/v2/a/blobs/uploads/"
    assert client.url("/v2/x?_state=a%2Fb+c==", base) == f"https://{address}/v2/x?_state=a%2Fb+c=="
    assert client.url("u1?x", base) == f"{base}u1?x"
    assert client.url("https://other.example/u?_s=1", base) == "https://other.example/u?_s=1"
    assert client.url(f"http://{address}/u?_s=1", base) == f"https://{address}/u?_s=1"
    assert client.url("http://127.0.0.1/u?_s=1", base) == f"https://{address}/u?_s=1"


def test_the_query_is_left_alone() -> None:
    location = "https://r.example/v2/a/blobs/uploads/1?_state=A%2Bb-_c%3d%3d&x=/+"
    assert with_digest(location, BLOB.digest) == f"{location}&digest={BLOB.digest}"
    assert with_digest("https://r.example/u", BLOB.digest) == f"https://r.example/u?digest={BLOB.digest}"


def test_a_location_without_tls_elsewhere_is_refused(secure: tuple[RegistryClient, str]) -> None:
    client, _ = secure
    with pytest.raises(RefusedError, match="without TLS"):
        client.attempt("PATCH", "http://other.example/u?_state=signed", scope=Scope("a"))


# Reading


def test_a_manifest_is_verified_when_asked_by_digest() -> None:
    manifest = blob_of(b'{"schemaVersion":2}')

    def serve(request: Request) -> None:
        request.reply(200, b'{"schemaVersion":2}', Content_Type="application/x; charset=utf-8")

    with scripted(serving(serve)) as server:
        client = client_of(server.address, plain_http=True)
        assert client.get_manifest("a/b", manifest.digest) == (b'{"schemaVersion":2}', "application/x")
        assert client.get_manifest("a/b", "tag")[1] == "application/x"
        with pytest.raises(DamagedError, match="expected content of that digest"):
            client.get_manifest("a/b", BLOB.digest)
        assert "application/vnd.oci.image.index.v1+json" in server.log[-1].headers["accept"]


@pytest.mark.parametrize(
    ("status", "length", "expected"),
    [(200, 3_000_000, True), (200, 5, None), (404, 0, False), (401, 0, None), (403, 0, None), (405, 0, None), (503, 0, None)],
)
def test_is_a_blob_there(status: int, length: int, expected: bool | None) -> None:
    with scripted(serving(lambda request: request.reply(status, length=length))) as server:
        client = client_of(server.address, plain_http=True)
        assert client.has_blob("a/b", BLOB.digest, BLOB.size) is expected


def test_a_registry_that_is_busy_is_asked_again_whether_a_blob_is_there() -> None:
    answers = iter([429, 503, 200])
    waits = Waits()
    with scripted(serving(lambda request: request.reply(next(answers), length=BLOB.size, Retry_After="3"))) as server:
        client = client_of(server.address, plain_http=True, waits=waits)
        assert client.has_blob("a/b", BLOB.digest, BLOB.size)
        assert len(waits) == 2
        assert min(waits) >= 3


@pytest.mark.parametrize("length", ["9" * 5000, "²", "-5", ""])
def test_a_length_that_is_none(length: str) -> None:
    def serve(request: Request) -> None:
        request.handler.send_response(200)
        request.handler.send_header("X-Unrelated", "1")
        request.handler.send_header("Content-Length", length.encode("latin-1", "replace").decode("latin-1"))
        request.handler.end_headers()

    with scripted(serving(serve)) as server:
        assert client_of(server.address, plain_http=True).has_blob("a/b", BLOB.digest, BLOB.size) is not False


def read(client: RegistryClient, offset: int = 0, digest: Digest = BLOB.digest) -> bytes:
    return b"".join(bytes(piece) for piece in client.blob_content("a/b", digest, BLOB.size).chunks(offset))


def ranged(request: Request, upto: int | None = None) -> None:
    """The range asked for; cut off after `upto` bytes."""
    start, _, end = request.headers["range"].removeprefix("bytes=").partition("-")
    data = DATA[int(start) : int(end) + 1]
    request.reply(206, data[:upto], length=len(data), Content_Range=f"bytes {start}-{end}/{len(DATA)}")
    if upto is not None:
        request.handler.close_connection = True


def test_reading_goes_on_where_it_broke() -> None:
    cuts = iter([1_200_000, 0, 700_000, None])
    with scripted(serving(lambda request: ranged(request, next(cuts)))) as server:
        assert read(client_of(server.address, plain_http=True)) == DATA
        starts = [int(request.headers["range"].partition("=")[2].partition("-")[0]) for request in server.log[1:]]
        assert starts[0] == 0
        assert starts[1] == starts[2] > 100_000
        assert starts[3] > starts[2]


def test_registries_without_ranges() -> None:
    with scripted(serving(lambda request: request.reply(200, DATA))) as server:
        assert read(client_of(server.address, plain_http=True), 1_234_567) == DATA[1_234_567:]


def test_another_range_than_asked_for() -> None:
    def serve(request: Request) -> None:
        request.reply(206, DATA[10:], Content_Range=f"bytes 10-{len(DATA) - 1}/{len(DATA)}")

    with scripted(serving(serve)) as server:
        assert read(client_of(server.address, plain_http=True), 15) == DATA[15:]
        with pytest.raises(RefusedError, match="got others"):
            read(client_of(server.address, plain_http=True), 5)


def test_a_section_is_read_without_the_rest() -> None:
    with scripted(serving(ranged)) as server:
        content = client_of(server.address, plain_http=True).blob_content("a/b", BLOB.digest, BLOB.size)
        part = content.section(1_000_000, 2_000_000).section(10, 600_010)
        assert part.size == 600_000
        assert read_at(part, 0, 6) == DATA[1_000_010:1_000_016]
        assert b"".join(bytes(piece) for piece in part.chunks(599_990)) == DATA[1_600_000:1_600_010]
        assert [request.headers["range"] for request in server.log[1:]] == ["bytes=1000010-1000015", "bytes=1600000-1600009"]


def test_a_section_of_a_registry_without_ranges() -> None:
    with scripted(serving(lambda request: request.reply(200, DATA))) as server:
        content = client_of(server.address, plain_http=True).blob_content("a/b", BLOB.digest, BLOB.size)
        assert read_at(content, 1_234_567, 1000) == DATA[1_234_567:1_235_567]


@pytest.mark.parametrize("value", ["bytes " + "9" * 5000 + "-/1", "bytes ²-5/9", "bytes */5", ""])
def test_a_content_range_that_says_nothing(value: str) -> None:
    with (
        scripted(serving(lambda request: request.reply(206, DATA, Content_Range=value))) as server,
        pytest.raises(RefusedError, match="got others"),
    ):
        read(client_of(server.address, plain_http=True), 5)


def test_a_blob_that_is_not_there() -> None:
    body = b'{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}'
    with (
        scripted(serving(lambda request: request.reply(404, body))) as server,
        pytest.raises(NotFoundError, match=r"reading blob sha256:.*: HTTP 404 \(BLOB_UNKNOWN: blob unknown to registry\)"),
    ):
        read(client_of(server.address, plain_http=True))


def test_a_registry_that_breaks_every_time() -> None:
    with (
        scripted(serving(lambda request: ranged(request, 0))) as server,
        pytest.raises(UnreachableError, match="failed 4 times in a row"),
    ):
        read(client_of(server.address, plain_http=True, attempts=4))


def test_blobs_elsewhere_are_read_without_authorization() -> None:
    with scripted(ranged) as storage:

        def serve(request: Request) -> None:
            if "authorization" not in request.headers:
                request.reply(401, WWW_Authenticate='Basic realm="x"')
            elif not ping(request):
                request.reply(307, Location=f"http://{storage.address}/signed")

        with scripted(serve) as server:
            assert read(client_of(server.address, KNOWN, plain_http=True)) == DATA
        assert "authorization" not in storage.log[0].headers


# What registries say


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b'{"errors":[{"code":"DENIED","message":"no right","detail":"ask Bob"}]}', "", "HTTP 400 (DENIED: no right: ask Bob)"),
        (b"<html><head><title>Bad\n request</title>", "text/html", "HTTP 400 (Bad request)"),
        (b"plain words", "text/plain", "HTTP 400 (plain words)"),
        (b'{"message": "x"}', "", "HTTP 400"),
        (b"\x00\x1b[31mred", "", "HTTP 400"),
        (b"", "", "HTTP 400"),
        (b'{"errors": [5, {"code": 7}]}', "", "HTTP 400 (7)"),
    ],
)
def test_reasons(body: bytes, kind: str, words: str) -> None:
    assert Answer(400, {"content-type": kind}, body, "https://reg.example/").reason() == words


def test_the_edge_s_statuses_are_explained() -> None:
    assert Answer(524, {}, b"error code: 524", "x").reason() == "HTTP 524 (the registry's edge gave up waiting for the registry)"


def test_connect_takes_what_it_is_given(tmp_path: Path) -> None:
    def serve(request: Request) -> None:
        if "authorization" in request.headers:
            request.reply(200, b"{}")
        else:
            request.reply(401, WWW_Authenticate='Basic realm="x"')

    environment = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    with scripted(serve) as server:
        assert connect(server.address, environment=environment, username="u", password="p").check_login()
        with pytest.raises(UnauthorisedError, match="not logged in"):
            connect(server.address, environment=environment).check_login()
    with scripted(lambda request: request.reply(200, b"{}")) as server:
        assert not connect(server.address, environment=environment, username="u", password="p").check_login()
