"""What the sandbox refuses, and how it fails."""

import base64
import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layerkit.image.digest import sha256
from layerkit.image.media_types import OCI_INDEX, OCI_MANIFEST
from layerkit.sandbox import Fault, Limits, Sandbox
from layerkit.sandbox.limits import RESET, FaultInjector
from layerkit.sandbox.tokens import Tokens
from tests.sandbox.test_protocol import Client
from tests.sources.builders import ATTESTED, simple_layout, write_tar

Start = Callable[[Limits], Client]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """A client of a sandbox with these limits."""
    running: list[tuple[Sandbox, Client]] = []

    def begin(limits: Limits) -> Client:
        sandbox = Sandbox(tmp_path / "store", limits)
        sandbox.__enter__()
        client = Client(sandbox.address)
        running.append((sandbox, client))
        return client

    yield begin
    for sandbox, client in running:
        client.close()
        sandbox.__exit__(None, None, None)


def test_a_blob_above_the_size_is_never_committed(start: Start) -> None:
    client = start(Limits(max_blob=100))
    for data, status in [(b"x" * 100, 201), (b"x" * 101, 524)]:
        location = client.begin()
        reply = client("PATCH", location, data[:60])
        reply = client("PUT", f"{reply.headers['location']}&digest={sha256(data)}", data[60:])
        assert reply.status == status
    assert reply.body == b"error code: 524"
    assert client("HEAD", f"/v2/app/blobs/{sha256(b'x' * 101)}").status == 404
    assert client("PATCH", client.begin(), b"x" * 101).status == 524


def test_large_bodies_are_refused_before_they_are_read(start: Start) -> None:
    client = start(Limits(max_body=1000))
    assert client("PATCH", client.begin(), b"x" * 1000).status == 202
    reply = client("PATCH", client.begin(), b"x" * 5_000_000)
    assert (reply.status, reply.headers["connection"]) == (413, "close")
    chunked = client("PATCH", client.begin(), iter([b"x" * 600, b"x" * 600]), chunked=True, Transfer_Encoding="chunked")
    assert chunked.status == 413


def test_attestations(start: Start) -> None:
    refusing = start(Limits(attestations=False))
    raw = refusing.manifest(b"layer")
    assert refusing.put(raw, sha256(raw)).status == 201
    entry = {"mediaType": OCI_MANIFEST, "digest": sha256(raw), "size": len(raw)}
    for annotations, status in [({}, 201), (ATTESTED, 400)]:
        index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{**entry, "annotations": annotations}]})
        assert refusing.put(index.encode(), "1.0", OCI_INDEX).status == status
    assert start(Limits()).put(raw, "2.0").status == 201


def test_nothing_can_be_deleted(start: Start) -> None:
    client = start(Limits(deletion=False))
    raw = client.manifest(b"layer")
    client.put(raw, "1.0")
    assert client("DELETE", f"/v2/app/manifests/{sha256(raw)}").codes == ["UNSUPPORTED"]
    assert client("DELETE", f"/v2/app/blobs/{sha256(b'layer')}").status == 405
    assert client("GET", "/v2/app/manifests/1.0").status == 200


def test_short_chunks(start: Start) -> None:
    client = start(Limits(min_chunk=10))
    assert client("POST", "/v2/app/blobs/uploads/").headers["oci-chunk-min-length"] == "10"
    reply = client("PATCH", client.begin(), b"x" * 9)
    assert reply.status == 202
    assert client("PATCH", reply.headers["location"], b"x" * 10).status == 416
    assert client("PUT", f"{reply.headers['location']}&digest={sha256(b'x' * 9)}").status == 201


def test_a_lost_answer(start: Start) -> None:
    client = start(Limits(lose_answers=True))
    assert client("PUT", f"{client.begin()}&digest={sha256(b'abc')}", b"abc").status == 524
    assert client("HEAD", f"/v2/app/blobs/{sha256(b'abc')}").status == 200


def test_a_slow_commit_outlives_the_edge_s_patience(start: Start) -> None:
    client = start(Limits(deadline=0.2, commit_rate=10_000))
    quick, slow = b"x" * 100, b"y" * 5000
    assert client("PUT", f"{client.begin()}&digest={sha256(quick)}", quick).status == 201
    began = time.monotonic()
    assert client("PUT", f"{client.begin()}&digest={sha256(slow)}", slow).status == 524
    assert 0.15 < time.monotonic() - began < 0.45
    assert client("HEAD", f"/v2/app/blobs/{sha256(slow)}").status == 404
    while client("HEAD", f"/v2/app/blobs/{sha256(slow)}").status != 200:
        assert time.monotonic() - began < 10
        time.sleep(0.02)
    assert time.monotonic() - began >= 0.45


def test_a_request_that_takes_too_long(start: Start) -> None:
    client = start(Limits(deadline=0.3, rate=100_000))
    location = client.begin()
    assert client("PATCH", location, b"x" * 10_000).status == 202
    assert client("PATCH", client.begin(), b"x" * 400_000).status == 524


def _send_half(client: Client, location: str) -> None:
    """Announces 100 bytes, sends 50 and hangs up."""
    host, _, port = client._connection.host, None, client._connection.port
    with socket.create_connection((host, port)) as connection:
        connection.sendall(f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n".encode() + b"x" * 50)
        time.sleep(0.1)


def test_what_arrived_of_a_broken_chunk_counts(start: Start) -> None:
    client = start(Limits())
    location = client.begin()
    _send_half(client, location)
    status = client("GET", location)
    assert (status.status, status.headers["range"]) == (204, "0-49")
    assert client("PATCH", status.headers["location"], b"x" * 50, Content_Range="50-99").status == 202


def test_a_broken_chunk_can_be_forgotten(start: Start) -> None:
    client = start(Limits(forget_broken=True))
    location = client.begin()
    _send_half(client, location)
    assert client("GET", location).codes == ["BLOB_UPLOAD_UNKNOWN"]


def test_a_stalled_peer_is_cut_off(start: Start) -> None:
    client = start(Limits(deadline=0.2))
    location = client.begin()
    with socket.create_connection((client._connection.host, client._connection.port)) as connection:
        connection.sendall(f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n".encode() + b"x" * 50)
        connection.settimeout(5)
        assert connection.recv(100).startswith(b"HTTP/1.1 524")


def test_faults_of_every_kind(start: Start) -> None:
    faults = [Fault.parse("PATCH:503@2;retry-after=7"), Fault.parse("HEAD:reset@1")]
    client = start(Limits(faults=faults))
    location = client.begin()
    reply = client("PATCH", location, b"x" * 1_000_000)
    assert reply.status == 202
    failed = client("PATCH", reply.headers["location"], b"x" * 1_000_000)
    assert (failed.status, failed.headers["retry-after"], failed.body) == (503, "7", b"error code: 503")
    assert client("PATCH", reply.headers["location"], b"x" * 1_000_000).headers["range"] == "0-1999999"
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        client("HEAD", "/v2/app/blobs/" + sha256(b""))


def test_a_reset_in_the_middle_of_a_body(start: Start) -> None:
    client = start(Limits(faults=[Fault("PATCH", RESET, every=1)]))
    location = client.begin()
    with pytest.raises(ConnectionError):
        client("PATCH", location, b"x" * 20_000_000)
    client.close()
    assert client("GET", location).headers["range"] == "0-0"


def test_chance_is_repeatable() -> None:
    def hits(seed: int) -> list[bool]:
        injector = FaultInjector([Fault("PUT", 500, chance=0.25)], seed)
        return [injector.for_request("PUT") is not None for _ in range(400)]

    assert hits(1) == hits(1) != hits(2)
    assert 60 < sum(hits(1)) < 140
    assert FaultInjector([Fault("PUT", 500, every=1)], 0).for_request("GET") is None


@pytest.mark.parametrize("text", ["", "PATCH", "PATCH:503", "PATCH:503@0", "PATCH:999@1", "BREW:503@1", "PATCH:503@x%"])
def test_what_is_no_fault(text: str) -> None:
    with pytest.raises(ValueError, match="is not a fault"):
        Fault.parse(text)


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_a_token_login(start: Start) -> None:
    client = start(Limits(login=("me", "pass:word"), token_seconds=60))
    reply = client("GET", "/v2/")
    assert reply.status == 401
    host = f"{client._connection.host}:{client._connection.port}"
    assert reply.headers["www-authenticate"] == f'Bearer realm="http://{host}/token",service="layerkit-sandbox"'
    scoped = client("POST", "/v2/app/blobs/uploads/")
    assert 'scope="repository:app:pull,push"' in scoped.headers["www-authenticate"]
    assert client("GET", "/token?scope=repository:app:pull,push").status == 401
    assert client("GET", "/token", Authorization=_basic("me:wrong")).status == 401
    token = json.loads(client("GET", "/token?scope=repository:app:pull,push", Authorization=_basic("me:pass:word")).body)
    assert token["expires_in"] == 60
    bearer = f"Bearer {token['token']}"
    assert client("GET", "/v2/", Authorization=bearer).status == 200
    assert client("POST", "/v2/app/blobs/uploads/", Authorization=bearer).status == 202
    other = client("POST", "/v2/other/blobs/uploads/", Authorization=bearer)
    assert (other.status, 'error="insufficient_scope"' in other.headers["www-authenticate"]) == (401, True)
    assert client("POST", f"/v2/app/blobs/uploads/?mount={sha256(b'')}&from=other", Authorization=bearer).status == 202
    wrong = client("GET", "/v2/", Authorization="Bearer x")
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]


def test_tokens_end() -> None:
    now = [0.0]
    tokens = Tokens("me", "x", 60, clock=lambda: now[0])
    token = tokens.issue(_basic("me:x"), ["repository:a/b:pull,push"])
    assert tokens.refusal(f"Bearer {token}", "repository:a/b:push") is None
    now[0] = 61
    assert tokens.refusal(f"Bearer {token}", "repository:a/b:push") == "invalid_token"


def test_connections_end_with_the_sandbox(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        client = Client(sandbox.address)
        assert client("GET", "/v2/").status == 200
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        client("GET", "/v2/")
    client.close()


@pytest.mark.real
@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
def test_skopeo_pushes_and_pulls(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "in.tar", simple_layout("a", "b" * 5000))
    limits = Limits(login=("me", "secret"), attestations=False, deletion=False)
    with Sandbox(tmp_path / "store", limits) as sandbox:
        name = f"docker://{sandbox.address}/team/app:1"
        for command in (
            ["copy", "--dest-creds", "me:secret", "--dest-tls-verify=false", f"oci-archive:{source}", name],
            ["copy", "--src-creds", "me:secret", "--src-tls-verify=false", name, f"oci:{tmp_path}/copy:x"],
        ):
            done = subprocess.run(["skopeo", "--insecure-policy", *command], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy/blobs/sha256").is_dir()
