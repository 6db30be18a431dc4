"""The distribution protocol as the sandbox speaks it, request by request."""

import hashlib
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layerkit.image.digest import Digest, sha256
from layerkit.image.media_types import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from layerkit.report.validation import validate
from layerkit.sandbox import Limits, Sandbox
from layerkit.sources import open_image
from tests.sources.builders import tar


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def codes(self) -> list[str]:
        return [error["code"] for error in json.loads(self.body)["errors"]]


class Client:
    """One connection, kept open."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=20)

    def __call__(self, method: str, path: str, body: Any = None, *, chunked: bool = False, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, body, named, encode_chunked=chunked)
        answer = self._connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def close(self) -> None:
        self._connection.close()

    def begin(self, repository: str = "app") -> str:
        reply = self("POST", f"/v2/{repository}/blobs/uploads/")
        assert reply.status == 202
        return reply.headers["location"]

    def push_blob(self, data: bytes, repository: str = "app") -> Digest:
        reply = self("PUT", f"{self.begin(repository)}&digest={sha256(data)}", data)
        assert reply.status == 201, reply
        return sha256(data)

    def manifest(self, *layers: bytes, **more: Any) -> bytes:
        """Blobs pushed; the bytes of a manifest over them."""
        config = b'{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[' + b",".join(
            b'"' + sha256(layer).encode() + b'"' for layer in layers
        )
        config += b"]}}"
        fields = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": self.push_blob(config), "size": len(config)},
            "layers": [{"mediaType": OCI_LAYER, "digest": self.push_blob(layer), "size": len(layer)} for layer in layers],
            **more,
        }
        return json.dumps(fields).encode()

    def put(self, raw: bytes, reference: str, media_type: str = OCI_MANIFEST) -> Reply:
        return self("PUT", f"/v2/app/manifests/{reference}", raw, Content_Type=media_type)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "store") as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    client = Client(sandbox.address)
    yield client
    client.close()


def test_it_is_a_registry(client: Client) -> None:
    reply = client("GET", "/v2/")
    assert (reply.status, reply.body) == (200, b"{}")
    assert reply.headers["docker-distribution-api-version"] == "registry/2.0"
    assert client("GET", "/elsewhere").status == 404


def test_a_blob_in_one_request(client: Client) -> None:
    data = b"hello" * 1000
    reply = client("POST", f"/v2/app/blobs/uploads/?digest={sha256(data)}", data)
    assert (reply.status, reply.headers["docker-content-digest"]) == (201, sha256(data))
    assert client("GET", reply.headers["location"]).body == data


def test_a_blob_in_chunks(client: Client) -> None:
    location = client.begin()
    for start, data in [(0, b"a" * 100), (100, b"b" * 50)]:
        reply = client("PATCH", location, data, Content_Range=f"{start}-{start + len(data) - 1}")
        assert reply.status == 202
        assert reply.headers["range"] == f"0-{start + len(data) - 1}"
        location = reply.headers["location"]
    status = client("GET", location)
    assert (status.status, status.headers["range"]) == (204, "0-149")
    whole = b"a" * 100 + b"b" * 50 + b"c"
    reply = client("PUT", f"{location}&digest={sha256(whole)}", b"c")
    assert reply.status == 201
    head = client("HEAD", f"/v2/app/blobs/{sha256(whole)}")
    assert (head.status, head.headers["content-length"], head.body) == (200, "151", b"")


def test_a_streamed_body_of_unknown_length(client: Client) -> None:
    reply = client("PATCH", client.begin(), iter([b"abc", b"", b"def"][::2]), chunked=True, Transfer_Encoding="chunked")
    assert (reply.status, reply.headers["range"]) == (202, "0-5")
    assert client("PUT", f"{reply.headers['location']}&digest={sha256(b'abcdef')}").status == 201


def test_an_empty_upload_says_so(client: Client) -> None:
    location = client.begin()
    assert client("GET", location).headers["range"] == "0-0"
    assert client("PUT", f"{location}&digest={sha256(b'')}").status == 201


@pytest.mark.parametrize("content_range", ["1-3", "5-7", "0-5", "x", "3-1"])
def test_chunks_out_of_order_are_refused(client: Client, content_range: str) -> None:
    location = client.begin()
    reply = client("PATCH", location, b"abc", Content_Range=content_range)
    assert reply.status == 416
    assert reply.headers["range"] == "0-0"
    again = client("PATCH", reply.headers["location"], b"abc", Content_Range="0-2")
    assert (again.status, again.headers["range"]) == (202, "0-2")


def test_an_old_location_is_no_location(client: Client) -> None:
    location = client.begin()
    assert client("PATCH", location, b"abc").status == 202
    assert client("PATCH", location, b"def").codes == ["BLOB_UPLOAD_UNKNOWN"]
    assert client("GET", location).status == 204
    assert client("PATCH", location.partition("?")[0], b"def").status == 404


def test_a_wrong_digest_is_refused_and_the_upload_gone(client: Client) -> None:
    location = client.begin()
    reply = client("PUT", f"{location}&digest={sha256(b'other')}", b"abc")
    assert (reply.status, reply.codes) == (400, ["DIGEST_INVALID"])
    assert client("GET", location).status == 404
    assert client("PUT", f"{client.begin()}&digest=sha256:xyz", b"abc").codes == ["DIGEST_INVALID"]


def test_a_replayed_commit_finds_no_upload(client: Client) -> None:
    location = f"{client.begin()}&digest={sha256(b'abc')}"
    assert client("PUT", location, b"abc").status == 201
    assert client("PUT", location, b"abc").codes == ["BLOB_UPLOAD_UNKNOWN"]


def test_sha512_blobs(client: Client) -> None:
    digest = f"sha512:{hashlib.sha512(b'abc').hexdigest()}"
    assert client("PUT", f"{client.begin()}&digest={digest}", b"abc").status == 201
    assert client("GET", f"/v2/app/blobs/{digest}").body == b"abc"


def test_uploads_can_be_cancelled(client: Client, sandbox: Sandbox, tmp_path: Path) -> None:
    location = client.begin()
    assert client("DELETE", location).status == 204
    assert client("GET", location).status == 404
    assert [path for folder in (tmp_path / "store").glob(".incoming-*") for path in folder.iterdir()] == []


@pytest.mark.parametrize(
    ("asked", "status", "data", "content_range"),
    [
        ("bytes=0-2", 206, b"012", "bytes 0-2/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=5-99", 206, b"56789", "bytes 5-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_ranges_of_blobs(client: Client, asked: str, status: int, data: bytes | None, content_range: str | None) -> None:
    digest = client.push_blob(b"0123456789")
    reply = client("GET", f"/v2/app/blobs/{digest}", Range=asked)
    assert reply.status == status
    assert reply.headers.get("content-range") == content_range
    if data is not None:
        assert reply.body == data


def test_blobs_belong_to_repositories_and_can_be_mounted(client: Client) -> None:
    digest = client.push_blob(b"abc", "first")
    assert client("HEAD", f"/v2/second/blobs/{digest}").status == 404
    assert client("POST", f"/v2/second/blobs/uploads/?mount={digest}&from=third").status == 202
    assert client("POST", f"/v2/second/blobs/uploads/?mount={digest}&from=first").status == 201
    assert client("HEAD", f"/v2/second/blobs/{digest}").status == 200
    assert client("POST", f"/v2/fourth/blobs/uploads/?mount={digest}").status == 201


def test_manifests(client: Client) -> None:
    raw = client.manifest(b"layer")
    reply = client.put(raw, "1.0")
    assert (reply.status, reply.headers["docker-content-digest"]) == (201, sha256(raw))
    for reference in ("1.0", sha256(raw)):
        found = client("GET", f"/v2/app/manifests/{reference}")
        assert (found.body, found.headers["content-type"]) == (raw, OCI_MANIFEST)
        head = client("HEAD", f"/v2/app/manifests/{reference}")
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(raw)))
    assert client("GET", "/v2/app/manifests/2.0").codes == ["MANIFEST_UNKNOWN"]
    assert client("GET", "/v2/other/manifests/1.0").status == 404


def test_manifests_over_what_is_not_there_are_refused(client: Client) -> None:
    raw = client.manifest(b"layer").replace(sha256(b"layer").encode(), sha256(b"other").encode())
    reply = client.put(raw, "1.0")
    assert (reply.status, reply.codes) == (400, ["MANIFEST_BLOB_UNKNOWN"])
    assert client("GET", "/v2/app/manifests/1.0").status == 404
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": OCI_MANIFEST, "digest": sha256(b""), "size": 0}],
    }
    assert client.put(json.dumps(index).encode(), "1.0", OCI_INDEX).codes == ["MANIFEST_BLOB_UNKNOWN"]


@pytest.mark.parametrize(
    ("raw", "reference", "media_type", "code"),
    [
        (b"{", "1.0", OCI_MANIFEST, "MANIFEST_INVALID"),
        (b"{}", "1.0", "text/plain", "MANIFEST_INVALID"),
        (b'{"mediaType":"' + OCI_INDEX.encode() + b'","manifests":[]}', "1.0", OCI_MANIFEST, "MANIFEST_INVALID"),
        (b'{"manifests":[]}', "sha256:" + "0" * 64, OCI_INDEX, "DIGEST_INVALID"),
        (b'{"manifests":[]}', ".bad", OCI_INDEX, "TAG_INVALID"),
        (b" " * (5 << 20), "1.0", OCI_MANIFEST, "SIZE_INVALID"),
    ],
)
def test_bad_manifests(client: Client, raw: bytes, reference: str, media_type: str, code: str) -> None:
    assert client.put(raw, reference, media_type).codes == [code]


def test_bad_names(client: Client) -> None:
    assert client("POST", "/v2/App/blobs/uploads/").codes == ["NAME_INVALID"]
    assert client("GET", "/v2/app/blobs/nonsense").codes == ["DIGEST_INVALID"]
    assert client("GET", "/v2/app/blobs/uploads/").status == 405


def test_tags_page_by_page(client: Client) -> None:
    assert client("GET", "/v2/app/tags/list").codes == ["NAME_UNKNOWN"]
    raw = client.manifest(b"layer")
    for tag in ("c", "a", "b"):
        client.put(raw, tag)
    assert json.loads(client("GET", "/v2/app/tags/list").body) == {"name": "app", "tags": ["a", "b", "c"]}
    page = client("GET", "/v2/app/tags/list?n=2")
    assert json.loads(page.body)["tags"] == ["a", "b"]
    assert page.headers["link"] == '</v2/app/tags/list?n=2&last=b>; rel="next"'
    last = client("GET", "/v2/app/tags/list?n=2&last=b")
    assert (json.loads(last.body)["tags"], "link" in last.headers) == (["c"], False)


def test_referrers(client: Client) -> None:
    raw = client.manifest(b"layer")
    client.put(raw, "1.0")
    subject = {"mediaType": OCI_MANIFEST, "digest": sha256(raw), "size": len(raw)}
    signature = client.manifest(b"signature", subject=subject, artifactType="application/x.sig")
    assert client.put(signature, sha256(signature)).headers["oci-subject"] == sha256(raw)
    found = json.loads(client("GET", f"/v2/app/referrers/{sha256(raw)}").body)
    assert [entry["digest"] for entry in found["manifests"]] == [sha256(signature)]
    filtered = client("GET", f"/v2/app/referrers/{sha256(raw)}?artifactType=other")
    assert (json.loads(filtered.body)["manifests"], filtered.headers["oci-filters-applied"]) == ([], "artifactType")


def test_deletion(client: Client) -> None:
    raw = client.manifest(b"layer")
    client.put(raw, "1.0")
    assert client("DELETE", f"/v2/app/manifests/{sha256(raw)}").status == 202
    assert client("GET", "/v2/app/manifests/1.0").status == 404
    assert client("DELETE", f"/v2/app/blobs/{sha256(b'layer')}").status == 202
    assert client("HEAD", f"/v2/app/blobs/{sha256(b'layer')}").status == 404


def test_what_is_pushed_is_an_oci_layout(client: Client, tmp_path: Path) -> None:
    client.put(client.manifest(tar({"one": b"1"})), "1.0")
    client.put(client.manifest(tar({"two": b"2"})), "2.0")
    image = open_image(f"oci:{tmp_path}/store:app:2.0")
    assert validate(image) == []


def test_a_layout_is_served_again(client: Client, sandbox: Sandbox, tmp_path: Path) -> None:
    raw = client.manifest(b"layer")
    client.put(raw, sha256(raw))
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [{"mediaType": OCI_MANIFEST, "digest": sha256(raw), "size": len(raw)}],
        }
    ).encode()
    client.put(index, "1.0", OCI_INDEX)
    client.close()
    with Sandbox(tmp_path / "store", Limits()) as again:
        other = Client(again.address)
        assert other("GET", "/v2/app/manifests/1.0").body == index
        assert other("GET", f"/v2/app/manifests/{sha256(raw)}").body == raw
        assert other("GET", f"/v2/app/blobs/{sha256(b'layer')}").body == b"layer"
        other.close()


def test_requests_are_told(client: Client, sandbox: Sandbox) -> None:
    client.push_blob(b"abc")
    assert [(request.method, request.status, request.received) for request in sandbox.requests] == [
        ("POST", 202, 0),
        ("PUT", 201, 3),
    ]
