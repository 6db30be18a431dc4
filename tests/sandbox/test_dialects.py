"""Each habit of a dialect, request by request; and that others' programs get through where they are known to."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from layerkit.image.digest import sha256
from layerkit.image.media_types import OCI_MANIFEST
from layerkit.profiles import KNOWN
from layerkit.sandbox import Limits, Said, Sandbox, Shown, dialects
from layerkit.sources import open_image
from tests.images import add_image, large, opened
from tests.sandbox.test_protocol import Client, Reply
from tests.sources.builders import Files

MiB = 1 << 20
Start = Callable[[Limits], Client]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """A client of a sandbox with these limits."""
    running: list[tuple[Sandbox, Client]] = []

    def begin(limits: Limits) -> Client:
        sandbox = Sandbox(tmp_path / f"store-{len(running)}", limits)
        sandbox.__enter__()
        client = Client(sandbox.address)
        running.append((sandbox, client))
        return client

    yield begin
    for sandbox, client in running:
        client.close()
        sandbox.__exit__(None, None, None)


def chunks(client: Client, *parts: bytes) -> list[Reply]:
    """PATCHes with Content-Range, one after the other; the last reply of each."""
    location, offset, replies = client.begin(), 0, []
    for part in parts:
        reply = client("PATCH", location, part, Content_Range=f"{offset}-{offset + len(part) - 1}")
        replies.append(reply)
        if reply.status >= 300:
            break
        location, offset = reply.headers["location"], offset + len(part)
    return replies


def commit(client: Client, last: Reply, data: bytes) -> Reply:
    return client("PUT", f"{last.headers['location']}&digest={sha256(data)}")


def test_every_profile_has_its_dialect() -> None:
    assert {profile.name for profile in KNOWN} - {"generic"} <= dialects().keys()
    for dialect in dialects().values():
        assert dialect.title and dialect.sources


def test_a_chunk_above_4_mib_at_github(start: Start) -> None:
    client = start(dialects()["ghcr"].limits)
    (reply,) = chunks(client, bytes(4 * MiB + 1))
    assert reply.status == 416
    assert reply.codes == ["REQUESTED_RANGE_NOT_SATISFIABLE"]
    assert "exceeds the maximum permissible limit of 4.00MiB" in reply.body.decode()
    assert [reply.status for reply in chunks(client, bytes(4 * MiB), bytes(4 * MiB))] == [202, 202]
    data = bytes(9 * MiB)
    assert client("PATCH", client.begin(), data).status == 202, "streamed, without Content-Range"
    assert client("PUT", f"{client.begin()}&digest={sha256(data)}", data).status == 201


def test_amazon_s_range_stays_at_the_first_chunk(start: Start) -> None:
    client = start(replace(dialects()["ecr"].limits, repositories=("app",)))
    parts = [bytes([number]) * (5 * MiB) for number in range(3)]
    replies = chunks(client, *parts, b"end")
    assert [(reply.status, reply.headers["range"]) for reply in replies] == [(201, f"0-{5 * MiB - 1}")] * 4
    asked = client("GET", replies[-1].headers["location"])
    assert asked.headers["range"] == f"0-{5 * MiB - 1}"
    assert commit(client, replies[-1], b"".join(parts) + b"end").status == 201, "all is there"


def test_amazon_s_chunks_are_5_mib_at_least_without_a_word_of_it(start: Start) -> None:
    client = start(replace(dialects()["ecr"].limits, repositories=("app",)))
    assert "oci-chunk-min-length" not in client("POST", "/v2/app/blobs/uploads/").headers
    assert [reply.status for reply in chunks(client, bytes(MiB), bytes(MiB))] == [201, 416]


def test_repositories_that_have_to_be_there(start: Start) -> None:
    client = start(Limits(makes_repositories=False, repositories=("app", "team/*")))
    for name, status in [("app", 202), ("team/a/b", 202), ("other", 404), ("team", 404)]:
        assert client("POST", f"/v2/{name}/blobs/uploads/").status == status
    reply = client("GET", "/v2/other/manifests/1")
    assert (reply.status, reply.codes) == (404, ["NAME_UNKNOWN"])


def test_google_takes_no_chunks(start: Start) -> None:
    client = start(replace(dialects()["google"].limits, repositories=("app",)))
    (reply,) = chunks(client, b"x" * 10)
    assert (reply.status, reply.codes) == (405, ["UNSUPPORTED"])
    first = client("PATCH", client.begin(), b"x" * 10)
    assert first.status == 202
    second = client("PATCH", first.headers["location"], b"y" * 10)
    assert (second.status, second.codes) == (400, ["UNSUPPORTED"])
    assert commit(client, first, b"x" * 10).status == 201


@pytest.mark.parametrize(
    ("shown", "ranges"),
    [
        (Shown.END, ["0-9", "0-14", "0-17"]),
        (Shown.CHUNK, ["0-9", "10-14", "15-17"]),
        (Shown.FIRST, ["0-9", "0-9", "0-9"]),
        (Shown.PAST, ["0-10", "0-15", "0-18"]),
        (Shown.NONE, [None, None, None]),
    ],
)
def test_ranges(start: Start, shown: Shown, ranges: list[str | None]) -> None:
    client = start(Limits(shown=shown))
    replies = chunks(client, b"a" * 10, b"b" * 5, b"c" * 3)
    assert [reply.headers.get("range") for reply in replies] == ranges
    assert client("GET", replies[-1].headers["location"]).headers.get("range") == ranges[-1]
    assert commit(client, replies[-1], b"a" * 10 + b"b" * 5 + b"c" * 3).status == 201


@pytest.mark.parametrize("status", [201, 204])
def test_the_status_of_a_patch(start: Start, status: int) -> None:
    (reply,) = chunks(start(Limits(patched=status)), b"x")
    assert reply.status == status


def test_an_upload_that_cannot_be_asked(start: Start) -> None:
    client = start(dialects()["mute"].limits)
    assert client("GET", client.begin()).status == 405


def test_the_largest_chunk_is_announced(start: Start) -> None:
    client = start(Limits(max_chunk=100, announce_max=True))
    assert client("POST", "/v2/app/blobs/uploads/").headers["oci-chunk-max-length"] == "100"
    (reply,) = chunks(client, b"x" * 101)
    assert reply.status == 413


def test_an_edge_that_resets_instead_of_answering(start: Start) -> None:
    client = start(replace(dialects()["resetting"].limits, max_body=1000))
    assert chunks(client, b"x" * 1000)[0].status == 202
    location = client.begin()
    with pytest.raises(ConnectionError):
        client("PATCH", location, b"x" * 1_000_000)


@pytest.mark.parametrize(("said", "status"), [(Said(413), 413), (Said(400, "SIZE_INVALID", "too large"), 400)])
def test_a_blob_that_is_too_large(start: Start, said: Said, status: int) -> None:
    client = start(Limits(max_blob=100, large_blob=said))
    assert client("PUT", f"{client.begin()}&digest={sha256(b'x' * 101)}", b"x" * 101).status == status
    first, second = chunks(client, b"x" * 60, b"x" * 60)
    assert (first.status, second.status) == (202, 202)
    assert commit(client, second, b"x" * 120).status == status


def test_too_many_layers(start: Start) -> None:
    client = start(Limits(max_layers=2))
    assert client.put(client.manifest(b"1", b"2"), "1").status == 201
    reply = client.put(client.manifest(b"1", b"2", b"3"), "1")
    assert (reply.status, reply.codes) == (405, ["UNSUPPORTED"])
    assert "Limit on number of layers per image exceeded" in reply.body.decode()


def test_manifests_that_are_not_images(start: Start) -> None:
    client = start(dialects()["gitlab"].limits)
    image = client.manifest(b"layer")
    assert client.put(image, "1").status == 201
    about = {"subject": {"mediaType": OCI_MANIFEST, "digest": sha256(image), "size": len(image)}}
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": client.push_blob(b"{}"), "size": 2}
    for more in (about, {"artifactType": "application/spdx+json"}, {"config": empty}):
        raw = client.manifest(b"layer", **more)
        reply = client.put(raw, sha256(raw))
        assert (reply.status, reply.codes) == (400, ["MANIFEST_INVALID"])


def test_a_manifest_that_is_too_large(start: Start) -> None:
    client = start(Limits(max_manifest=500))
    assert client.put(client.manifest(annotations={"a": "x" * 500}), "1").status == 413


# skopeo gets through wherever docker does: it streams each blob in one PATCH.

needs_skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed (Debian: apt install skopeo)")


def scaled(limits: Limits) -> dict[str, Any]:
    """No image of a test reaches 100 MB: what refuses bodies of that size refuses smaller ones here."""
    return {"max_body": 2 * MiB} if limits.max_body is not None else {}


@needs_skopeo
@pytest.mark.real
@pytest.mark.parametrize("name", list(dialects()))
def test_skopeo_gets_through_where_it_is_known_to(name: str, tmp_path: Path) -> None:
    """Not where an edge limits bodies, and not where connections break: it doesn't try a blob again."""
    limits = replace(dialects()[name].limits, repositories=("app",), **scaled(dialects()[name].limits))
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [large(6, MiB)]))
    with Sandbox(tmp_path / "store", limits) as sandbox:
        target = f"docker://{sandbox.address}/app:1"
        copy = ["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", f"oci-archive:{tmp_path}/image.tar", target]
        done = subprocess.run(copy, capture_output=True, timeout=120, check=False, text=True)
        if limits.max_body is not None or any(fault.method == "PATCH" for fault in limits.faults):
            assert done.returncode != 0, "a body of 6 MiB where 2 MiB are taken, or one that breaks off"
            return
        assert done.returncode == 0, done.stderr
        assert open_image(f"oci:{tmp_path}/store").platforms()[0].manifest.layers == image.platforms()[0].manifest.layers
        inspected = subprocess.run(
            ["skopeo", "inspect", "--tls-verify=false", target], capture_output=True, timeout=60, check=True, text=True
        )
        assert len(json.loads(inspected.stdout)["Layers"]) == 1


def test_the_documentation_has_them_all() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()
    assert all(f"`{name}`" in text for name in dialects())
