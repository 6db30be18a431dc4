"""Answers that nobody sends by mistake: each ends in an error that says what is wrong, none in a traceback."""

import contextlib
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerkit.errors import LayerkitError, NotARegistryError, RefusedError, UsageError
from layerkit.image.blob import blob_of
from layerkit.image.digest import sha256
from layerkit.pusher.protocol import acknowledged
from layerkit.registry import connect
from layerkit.registry.answers import Answer
from layerkit.registry.client import RegistryClient
from layerkit.registry.credential_keys import canonical
from layerkit.registry.credentials import home_of, parse_auth_file
from layerkit.registry.proxies import proxies_from
from layerkit.sources import open_image
from tests.pusher.images import client_of
from tests.registry.scripted import Request, Serve, scripted

DIGITS = "9" * 5000
BLOB = blob_of(b"content")
NO_ADDRESSES = ["http://[::1", "http://a:99999/x", f"http://a:{DIGITS}/x", "ftp://a/x", "//["]


@contextlib.contextmanager
def spoken_to(serve: Serve) -> Iterator[RegistryClient]:
    with scripted(serve) as server:
        client = client_of(server.address)
        yield client
        client.close()


def answering(status: int, body: bytes = b"", **headers: str) -> Serve:
    def serve(request: Request) -> None:
        if request.path == "/v2/":
            request.reply(200, b"{}")
        else:
            request.reply(status, body, length=None, **headers)

    return serve


@pytest.mark.parametrize("first", [DIGITS, "\xb2", "-1", ""])
def test_a_content_range_that_is_none(first: str) -> None:
    with spoken_to(answering(206, b"content", Content_Range=f"bytes {first}-7/8")) as client:
        content = client.blob_content("a/b", BLOB.digest, 7)
        with pytest.raises(RefusedError, match="asked for bytes from 0, got others"):
            list(content.chunks())


@pytest.mark.parametrize("value", [f"0-{DIGITS}", f"{DIGITS}-{DIGITS}", "0-\u0663", "0-\xb2"])
def test_a_range_that_is_none(value: str) -> None:
    assert acknowledged(value, 10) is None


@pytest.mark.parametrize("location", NO_ADDRESSES)
def test_a_location_that_is_none(location: str) -> None:
    with spoken_to(answering(307, Location=location)) as client, pytest.raises(LayerkitError, match="no place on the web"):
        client.get_manifest("a/b", "1")
    with spoken_to(lambda request: request.reply(200, b"{}")) as client:
        client.contact()
        with pytest.raises(RefusedError, match="names an address that can't be"):
            client.url(location)


@pytest.mark.parametrize("realm", [*NO_ADDRESSES, "not a place"])
def test_a_realm_that_is_no_address(realm: str) -> None:
    def serve(request: Request) -> None:
        request.reply(401, WWW_Authenticate=f'Bearer realm="{realm}"')

    with spoken_to(serve) as client, pytest.raises(NotARegistryError, match="is no web address"):
        client.get_manifest("a/b", "1")


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"token":"a","expires_in":' + DIGITS.encode() + b"}", b'{"token":"a","expires_in":1e999}', b"[]", b"\xff"],
    ids=["nested", "digits", "infinite", "a list", "no text"],
)
def test_a_token_that_is_none(body: bytes) -> None:
    def serve(request: Request) -> None:
        if request.path.startswith("/token"):
            request.reply(200, body)
        else:
            request.reply(401, WWW_Authenticate=f'Bearer realm="http://{request.server.address}/token"')

    with spoken_to(serve) as client, pytest.raises(NotARegistryError, match="expected a token as JSON"):
        client.get_manifest("a/b", "1")


@pytest.mark.parametrize(
    "body",
    [
        b'{"errors":' * 5000,
        b'{"errors":[{"detail":' + b"[" * 5000 + b"]" * 5000 + b"}]}",
        b'{"errors":[{"code":' + DIGITS.encode(),
    ],
    ids=["nested", "nested detail", "digits"],
)
def test_errors_that_are_none(body: bytes) -> None:
    answer = Answer(400, {}, body, "http://a/")
    assert (answer.codes(), answer.digests_named()) == ((), set())
    assert answer.reason().startswith("HTTP 400")


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"schemaVersion":' + DIGITS.encode() + b"}"], ids=["nested", "digits"])
def test_a_manifest_that_is_none(raw: bytes) -> None:
    with (
        spoken_to(answering(200, raw, Content_Type="application/vnd.oci.image.manifest.v1+json")) as client,
        pytest.raises(LayerkitError, match="expected JSON"),
    ):
        open_image(f"docker://{client.registry}/a/b:1", connect=lambda registry: client)


@pytest.mark.parametrize("value", ["http://[", "http://a:99999", f"http://a:{DIGITS}", "[", "ftp://a", "http://"])
def test_a_proxy_that_is_none(value: str) -> None:
    with pytest.raises(UsageError, match="HTTPS_PROXY: expected http://HOST:PORT"):
        proxies_from({"HTTPS_PROXY": value})
    assert proxies_from({"HTTPS_PROXY": "http://a:1", "NO_PROXY": f"b:{DIGITS} [::1]:{DIGITS} c:\xb2"}).proxy_for("https://a/")


def test_credentials_that_are_none() -> None:
    for data in (b"[" * 100_000, b'{"auths":' + DIGITS.encode() + b"}"):
        with pytest.raises(UsageError, match="expected JSON as docker login or podman login write it"):
            parse_auth_file(data, "config.json")
    assert canonical("https://[") == "https:/["
    odd = parse_auth_file(b'{"auths":{"https://[":{},"a":{"username":"\\ud800","password":"\\udfff"}}}', "config.json")
    found = odd.lookup("a", "", {}).credentials
    assert found is not None
    assert found.basic().startswith("Basic ")


def test_a_user_whom_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert home_of({}) == Path("/")
    assert home_of({"HOME": "/home/a"}) == Path("/home/a")
    assert connect("registry.example", environment={}).registry == "registry.example"


def test_lengths_that_are_none() -> None:
    with spoken_to(answering(200, b"", Content_Length=DIGITS, Docker_Content_Digest=sha256(b"x"))) as client:
        assert client.has_blob("a/b", BLOB.digest, 7) is None
