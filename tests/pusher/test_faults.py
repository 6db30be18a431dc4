"""The table of faults: what an edge or a registry does wrong, and what the pusher makes of it.

Behind the edge is the real docker-registry. After each fault the image is there, byte for byte, and its tag was written after
everything else; or there is an error that says why, and no tag.
"""

import email.utils
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from layerkit.errors import BlobTooSlowError, DamagedError, NotARegistryError, NotFoundError, RefusedError, UnreachableError
from layerkit.image.blob import Blob, Bytes, blob_of
from layerkit.image.digest import sha256
from layerkit.image.image import Image
from layerkit.image.reference import Reference
from layerkit.profiles import GENERIC
from layerkit.pusher.push import RegistryDestination
from layerkit.registry.credentials import ANONYMOUS, CredentialSource
from tests.pusher.edge import (
    Action,
    Asked,
    Edge,
    Fault,
    Line,
    Reply,
    answers,
    chunk,
    commit,
    larger_than,
    loses_answer,
    passes_on_part,
    resets,
    rewrites,
    stalls,
    tag,
)
from tests.pusher.images import KNOWN, Waits, client_of, image_of, layers_of
from tests.registry.docker_registry import PASSWORD, Served, docker_registry, needs_docker_registry

pytestmark = [pytest.mark.real, needs_docker_registry]

KiB = 1 << 10
CHUNK = 256 * KiB
FLOOR = 64 * KiB
SIZE = 1_000_000
"""Bytes of the layer that faults strike: four chunks."""
PROFILE = replace(GENERIC, commit_seconds=60)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as served:
        yield served


_seeds = iter(range(10_000))


@pytest.fixture
def image() -> Image:
    """New bytes for each test, so that the registry holds none of them."""
    return image_of([SIZE], seed=next(_seeds))


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"faults/r{abs(hash(request.node.nodeid))}"


def destination_at(
    edge: Edge,
    name: str,
    credentials: CredentialSource = ANONYMOUS,
    waits: Waits | None = None,
    read: float = 2.0,
    attempts: int = 8,
) -> RegistryDestination:
    client = client_of(edge.address, credentials, plain_http=True, read=read, waits=waits, attempts=attempts)
    reference = Reference(edge.address, name, "1")
    return RegistryDestination(client, reference, profile=PROFILE, chunk_size=CHUNK, smallest_chunk=FLOOR)


def arrives(registry: Served, edge: Edge, name: str, image: Image, **options: object) -> RegistryDestination:
    """Pushes through the edge, and looks at the registry itself: all of it is there, and the tag was the last thing written."""
    destination = destination_at(edge, name, **options)  # type: ignore[arg-type] # handed on as they came
    try:
        assert destination.finish(image) == image.root.digest
    finally:
        destination.close()
    holds(registry, name, image)
    written = [asked for asked in edge.log if asked.method in ("POST", "PATCH", "PUT")]
    assert written[-1].is_tag
    assert not any(asked.is_tag for asked in written[: -len([1 for asked in written if asked.is_tag])])
    return destination


def holds(registry: Served, name: str, image: Image) -> None:
    client = client_of(registry.address, plain_http=True)
    raw, _ = client.get_manifest(name, "1")
    assert sha256(raw) == image.root.digest
    for layer in layers_of(image):
        content = client.blob_content(name, layer.digest, layer.size)
        assert sum(len(piece) for piece in Blob(layer.digest, content).verified("pulled")) == layer.size
    client.close()


def has_no_tag(registry: Served, name: str) -> None:
    with pytest.raises(NotFoundError):
        client_of(registry.address, plain_http=True).get_manifest(name, "1")


def date_in(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


# Faults that pass: the push goes on by itself, and little is sent twice.

PASSING: dict[str, tuple[list[Fault], int]] = {}
"""By name: the faults, and how many bytes may be sent in excess of the image's."""


def passing(name: str, *faults: Fault, excess: int = CHUNK) -> None:
    PASSING[name] = (list(faults), excess)


for status in (408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524):
    passing(f"{status} on a chunk", Fault(chunk, answers(status), after=1))
    passing(f"{status} on the commit, without the blob arriving", Fault(commit, answers(status)), excess=1000)
    passing(f"{status} on the tag", Fault(tag, answers(status)), excess=0)
    passing(f"{status} at the beginning", Fault(lambda asked: asked.method == "POST", answers(status)), excess=0)
    passing(f"{status} when looking", Fault(lambda asked: asked.method == "HEAD", answers(status)), excess=0)
for status in (502, 504, 520, 522, 524):
    passing(f"{status} on the commit, the blob arriving", Fault(commit, loses_answer(status)), excess=0)
    # docker-registry 2.8 forgets an upload whose state is stale: what was sent before is sent again
    passing(f"{status} on a chunk that arrived", Fault(chunk, loses_answer(status), after=1), excess=2 * CHUNK)
    passing(f"{status} on a tag that was written", Fault(tag, loses_answer(status)), excess=0)
passing("three 503 in a row", Fault(chunk, answers(503), times=3), excess=3 * CHUNK)
passing(
    "413 above a limit, answered before the body",
    Fault(larger_than(100 * KiB), answers(413, read=False), times=99),
    excess=2 * CHUNK,
)
passing("413 above a limit, after the body", Fault(larger_than(100 * KiB), answers(413), times=99), excess=3 * CHUNK)
passing("413 lost in a reset", Fault(larger_than(100 * KiB), resets(10 * KiB), times=99), excess=3 * CHUNK)
passing("reset before the body", Fault(chunk, resets(0), after=1))
passing("reset during the body", Fault(chunk, resets(100 * KiB), after=1))
passing("reset during the body, a part arriving", Fault(chunk, passes_on_part(100 * KiB), after=1), excess=2 * CHUNK)
passing("reset after the body, nothing arriving", Fault(chunk, resets(None), after=1))
passing("reset after the body, all arriving", Fault(chunk, resets(None, forward=True), after=1), excess=2 * CHUNK)
passing("reset of the commit", Fault(commit, resets(None)), excess=1000)
passing("reset of the commit, the blob arriving", Fault(commit, resets(None, forward=True)), excess=0)
passing("reset of the beginning", Fault(lambda asked: asked.method == "POST", resets()), excess=0)
passing("reset of the tag", Fault(tag, resets(None)), excess=0)
passing("a peer that reads nothing more", Fault(chunk, stalls(read=False), after=1))
passing("a peer that never answers", Fault(chunk, stalls(read=True), after=1))
passing("a commit that is never answered", Fault(commit, stalls(read=True)), excess=1000)
passing("an upload that is forgotten", Fault(chunk, answers(404, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}'), after=2))
passing("a range that can't be", Fault(chunk, answers(416, b'{"errors":[{"code":"RANGE_INVALID"}]}'), after=1))
passing("an empty range after a chunk that was lost", Fault(chunk, answers(202, Range="0-0"), after=0))


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes(registry: Served, image: Image, name: str, fault: str) -> None:
    faults, excess = PASSING[fault]
    with Edge(registry.address, *(replace(one) for one in faults)).serving() as edge:
        destination = arrives(registry, edge, name, image)
        assert all(one.struck for one in edge.faults)
        whole = sum(blob.size for blob in layers_of(image)) + image.platforms()[0].manifest.config.size
        assert whole <= destination.stats.bytes_sent <= whole + excess


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_it_waits_as_long_as_it_is_asked_to(registry: Served, image: Image, name: str, form: str) -> None:
    value = "7" if form == "seconds" else date_in(8)
    waits = Waits()
    with Edge(registry.address, Fault(chunk, answers(429, Retry_After=value))).serving() as edge:
        arrives(registry, edge, name, image, waits=waits)
    assert 6 < max(waits) < 10


def test_chunks_get_smaller_once_for_all(registry: Served, name: str) -> None:
    image = image_of([SIZE, SIZE], seed=next(_seeds))
    with Edge(registry.address, Fault(larger_than(100 * KiB), answers(413, read=False), times=99)).serving() as edge:
        arrives(registry, edge, name, image)
        assert edge.faults[0].struck <= 4
        assert max(asked.length for asked in edge.seen("PATCH")[-10:]) <= 100 * KiB


def test_locations_may_be_relative(registry: Served, image: Image, name: str) -> None:
    def relative(reply: Reply) -> Reply:
        location = reply.headers.get("Location", "")
        return replace(reply, headers={**reply.headers, "Location": "/" + location.partition("//")[2].partition("/")[2]})

    everywhere = Fault(
        lambda asked: asked.method in ("POST", "PATCH", "GET") and "uploads" in asked.path, rewrites(relative), times=99
    )
    with Edge(registry.address, everywhere).serving() as edge:
        arrives(registry, edge, name, image)
        assert everywhere.struck >= 5


def test_a_location_on_another_host_is_told_no_secret(registry: Served, image: Image, name: str) -> None:
    with Edge(registry.address).serving() as other:

        def elsewhere(reply: Reply) -> Reply:
            location = reply.headers["Location"]
            return replace(reply, headers={**reply.headers, "Location": location.replace(edge.address, other.address)})

        def asks_for_login(asked: Asked) -> bool:
            return "authorization" not in asked.headers

        challenge = Fault(asks_for_login, answers(401, WWW_Authenticate='Basic realm="x"'), times=999)
        moves = Fault(lambda asked: asked.method == "POST", rewrites(elsewhere), times=99)
        with Edge(registry.address, challenge, moves, strips_authorization=True).serving() as edge:
            destination = destination_at(edge, name, KNOWN)
            assert destination.finish(image) == image.root.digest
            destination.close()
        assert len(other.seen("PATCH")) >= 4
        assert not any("authorization" in asked.headers for asked in other.log)
        assert all("authorization" in asked.headers for asked in edge.seen("PUT", "/manifests/"))
    holds(registry, name, image)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same host", "another host"])
def test_redirects_keep_the_body(registry: Served, image: Image, name: str, elsewhere: bool) -> None:
    with Edge(registry.address).serving() as other:

        def redirect(line: Line) -> None:
            line.read_body()
            host = other.address if elsewhere else edge.address
            line.reply(Reply(307, {"Location": f"http://{host}{line.asked.path}"}))

        faults = [Fault(chunk, redirect), Fault(commit, redirect), Fault(lambda asked: asked.method == "HEAD", redirect)]
        with Edge(registry.address, *faults).serving() as edge:
            destination = destination_at(edge, name)
            assert destination.finish(image) == image.root.digest
            destination.close()
            assert all(fault.struck for fault in faults)
    holds(registry, name, image)


def test_the_registry_says_how_far_it_got(registry: Served, image: Image, name: str) -> None:
    """A chunk of which a part is kept, acknowledged as such: the rest of it follows, nothing is skipped."""

    def keeps_half(line: Line) -> None:
        data = line.read_body()
        line.reply(line.forward(data[: len(data) // 2]))

    with Edge(registry.address, Fault(chunk, keeps_half, times=2, after=1)).serving() as edge:
        arrives(registry, edge, name, image)
        starts = [int(asked.headers["content-range"].partition("-")[0]) for asked in edge.seen("PATCH")]
        assert starts == [0, CHUNK, CHUNK + CHUNK // 2, 2 * CHUNK, 3 * CHUNK][: len(starts)]


def test_a_range_beyond_what_was_sent_is_not_believed(registry: Served, image: Image, name: str) -> None:
    lies = Fault(chunk, rewrites(lambda reply: replace(reply, headers={**reply.headers, "Range": "0-99999999"})))
    with Edge(registry.address, lies).serving() as edge:
        arrives(registry, edge, name, image)


@pytest.mark.parametrize("form", ["bytes=0-{}", "0-{}", None])
def test_ranges_come_in_several_forms(registry: Served, image: Image, name: str, form: str | None) -> None:
    def respell(reply: Reply) -> Reply:
        headers = dict(reply.headers)
        value = headers.pop("Range")
        if form is not None:
            headers["Range"] = form.format(value.partition("-")[2])
        return replace(reply, headers=headers)

    with Edge(registry.address, Fault(chunk, rewrites(respell), times=99)).serving() as edge:
        destination = arrives(registry, edge, name, image)
        assert destination.stats.bytes_sent < SIZE + 1000


def test_the_smallest_chunk_the_registry_takes_is_kept_to(registry: Served, image: Image, name: str) -> None:
    asks = rewrites(lambda reply: replace(reply, headers={**reply.headers, "OCI-Chunk-Min-Length": str(400 * KiB)}))
    with Edge(registry.address, Fault(lambda asked: asked.method == "POST", asks, times=9)).serving() as edge:
        arrives(registry, edge, name, image)
        assert edge.seen("PATCH")[0].length == 400 * KiB


# Authorisation


def test_a_token_that_ends_between_chunks(registry: Served, image: Image, name: str) -> None:
    """Each Authorization is good for two chunks; the edge takes it off, as the registry behind takes everybody."""
    used: dict[str, int] = {}

    def spent(asked: Asked) -> bool:
        header = asked.headers.get("authorization", "")
        if asked.is_chunk:
            used[header] = used.get(header, 0) + 1
        return not header or used.get(header, 0) > 2

    tokens = iter(range(99))

    def token(line: Line) -> None:
        line.reply(Reply(200, body=b'{"token":"t%d","expires_in":300}' % next(tokens)))

    with Edge(registry.address, strips_authorization=True).serving() as edge:
        edge.faults += [
            Fault(lambda asked: asked.path.startswith("/token"), token, times=99),
            Fault(spent, answers(401, WWW_Authenticate=f'Bearer realm="http://{edge.address}/token",service="s"'), times=99),
        ]
        arrives(registry, edge, name, image, credentials=KNOWN)
        assert len({asked.headers.get("authorization") for asked in edge.seen("PATCH")}) >= 2


def test_a_401_in_the_middle_of_a_body(registry: Served, image: Image, name: str) -> None:
    """The answer comes after a part of the body, which is read no further: it is seen at once, the whole chunk sent again."""
    tokens = iter(range(99))

    def token(line: Line) -> None:
        line.reply(Reply(200, body=b'{"token":"t%d","expires_in":300}' % next(tokens)))

    def refuses(line: Line) -> None:
        line.read_body(50 * KiB)
        line.reply(Reply(401, {"WWW-Authenticate": f'Bearer realm="http://{edge.address}/token",service="s"'}), close=True)
        line.linger()

    with Edge(registry.address, strips_authorization=True).serving() as edge:
        edge.faults += [Fault(lambda asked: asked.path.startswith("/token"), token, times=99)]
        edge.faults += [Fault(lambda asked: asked.path == "/v2/", refuses), Fault(chunk, refuses, after=1)]
        began = time.monotonic()
        arrives(registry, edge, name, image, credentials=KNOWN)
        assert time.monotonic() - began < 5
        assert edge.faults[2].struck == 1


def test_a_401_that_stays_is_the_end(registry: Served, image: Image, name: str) -> None:
    refuses = Fault(chunk, answers(401, WWW_Authenticate='Basic realm="x"'), times=99)
    with Edge(registry.address, refuses).serving() as edge:
        destination = destination_at(edge, name, KNOWN)
        with pytest.raises(RefusedError, match="refused user") as caught:
            destination.finish(image)
        destination.close()
        assert PASSWORD not in str(caught.value)
        assert refuses.struck <= 3
    has_no_tag(registry, name)


# Blobs that don't get through


def test_a_blob_that_is_too_slow_is_named_and_the_rest_stays(registry: Served, name: str) -> None:
    image = image_of([SIZE, 5000], seed=next(_seeds))
    large, small = layers_of(image)
    slow = Fault(lambda asked: asked.is_commit and large.digest in asked.path, answers(524), times=99)
    with Edge(registry.address, slow).serving() as edge:
        destination = destination_at(edge, name)
        for layer in (large, small):
            destination.offer(layer, "layer")
        with pytest.raises(BlobTooSlowError, match="--max-layer-size") as caught:
            destination.finish(image)
        assert caught.value.digest == large.digest
        assert slow.struck == 2
        has_no_tag(registry, name)
        sent = destination.stats.bytes_sent
        smaller = image_of([400_000, 400_001], seed=next(_seeds))
        assert destination.finish(smaller) == smaller.root.digest
        assert destination.stats.bytes_sent - sent <= 800_001 + 1000
        assert len([asked for asked in edge.seen("PUT") if small.digest in asked.path]) == 1
        destination.close()
    holds(registry, name, smaller)


def test_what_failed_before_the_end_is_told_at_the_end(registry: Served, image: Image, name: str) -> None:
    """And once: a caller that goes on all the same has the blob tried again."""
    large = layers_of(image)[0]
    denied = Fault(lambda asked: asked.method == "POST", answers(403))
    with Edge(registry.address, denied).serving() as edge:
        destination = destination_at(edge, name)
        destination.offer(large, "layer")
        deadline = time.monotonic() + 5
        while not denied.struck and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(RefusedError, match="HTTP 403"):
            destination.finish(image)
        assert len([asked for asked in edge.log if large.digest in asked.path]) == 1
        assert destination.finish(image) == image.root.digest
        destination.close()
    holds(registry, name, image)


def test_chunks_that_time_out_however_small(registry: Served, image: Image, name: str) -> None:
    with Edge(registry.address, Fault(chunk, answers(524), times=99)).serving() as edge:
        destination = destination_at(edge, name, attempts=5)
        with pytest.raises(BlobTooSlowError):
            destination.finish(image)
        destination.close()
        assert min(asked.length for asked in edge.seen("PATCH")) == FLOOR
    has_no_tag(registry, name)


@pytest.mark.parametrize("status", [522, 524])
def test_a_registry_that_is_down_is_no_reason_to_split(registry: Served, image: Image, name: str, status: int) -> None:
    """It is the beginning of an upload that fails, whatever the blob's size."""
    with Edge(registry.address, Fault(lambda asked: asked.method == "POST", answers(status), times=99)).serving() as edge:
        destination = destination_at(edge, name, attempts=3)
        with pytest.raises(UnreachableError, match=f"HTTP {status}") as caught:
            destination.finish(image)
        destination.close()
        assert not isinstance(caught.value, BlobTooSlowError)


@pytest.mark.parametrize("after", [0.0, 0.3], ids=["at once", "after half a minute"])
def test_commits_that_are_cut_off_every_time(registry: Served, image: Image, name: str, after: float) -> None:
    """A balancer that resets what takes long needs the same cure as a 524; one that resets everything has none."""
    large = layers_of(image)[0].digest

    def cuts(line: Line) -> None:
        time.sleep(after)
        line.reset()

    cut = Fault(lambda asked: asked.is_commit and large in asked.path, cuts, times=99)
    with Edge(registry.address, cut).serving() as edge:
        destination = destination_at(edge, name, waits=Waits(ages=100 if after else 1), attempts=4)
        with pytest.raises(UnreachableError) as caught:
            destination.finish(image)
        destination.close()
    assert isinstance(caught.value, BlobTooSlowError) == (after > 0)
    assert cut.struck == (2 if after else 4)
    has_no_tag(registry, name)


@pytest.mark.parametrize("status", [500, 503])
def test_a_registry_that_keeps_failing_is_given_up(registry: Served, image: Image, name: str, status: int) -> None:
    with Edge(registry.address, Fault(chunk, answers(status), times=99)).serving() as edge:
        destination = destination_at(edge, name, attempts=4)
        with pytest.raises(UnreachableError, match=f"failed 4 times in a row, lastly with: HTTP {status}"):
            destination.finish(image)
        destination.close()
        assert len(edge.seen("PATCH")) == 4
    has_no_tag(registry, name)


@pytest.mark.parametrize("status", [400, 403, 405, 415])
def test_what_never_passes_is_not_tried_again(registry: Served, image: Image, name: str, status: int) -> None:
    with Edge(
        registry.address, Fault(chunk, answers(status, b'{"errors":[{"code":"DENIED","message":"no"}]}'), times=99)
    ).serving() as edge:
        destination = destination_at(edge, name)
        with pytest.raises(RefusedError, match=f"HTTP {status} .DENIED: no"):
            destination.finish(image)
        destination.close()
        assert len(edge.seen("PATCH")) == 1
    has_no_tag(registry, name)


def test_413_for_the_smallest_chunk(registry: Served, image: Image, name: str) -> None:
    with Edge(registry.address, Fault(larger_than(10 * KiB), answers(413), times=99)).serving() as edge:
        destination = destination_at(edge, name)
        with pytest.raises(RefusedError, match="raise the limit of request bodies"):
            destination.finish(image)
        destination.close()
    has_no_tag(registry, name)


def test_a_damaged_blob_is_the_image_s_fault(registry: Served, image: Image, name: str) -> None:
    layer = layers_of(image)[0]
    data = bytearray(b"".join(bytes(piece) for piece in layer.chunks()))
    data[500_000] ^= 1
    damaged = replace(image, blobs={**image.blobs, layer.digest: Blob(layer.digest, Bytes(bytes(data)))})
    with Edge(registry.address).serving() as edge:
        destination = destination_at(edge, name)
        with pytest.raises(DamagedError, match="the image is damaged"):
            destination.finish(damaged)
        destination.close()
    has_no_tag(registry, name)


def garble(line: Line) -> None:
    data = bytearray(line.read_body())
    data[1000] ^= 1
    line.reply(line.forward(bytes(data)))


def test_bytes_altered_on_the_way_are_sent_again(registry: Served, image: Image, name: str) -> None:
    with Edge(registry.address, Fault(chunk, garble)).serving() as edge:
        arrives(registry, edge, name, image)


def test_bytes_altered_every_time(registry: Served, image: Image, name: str) -> None:
    with Edge(registry.address, Fault(chunk, garble, times=99)).serving() as edge:
        destination = destination_at(edge, name)
        with pytest.raises(UnreachableError, match="the image is sound"):
            destination.finish(image)
        destination.close()
    has_no_tag(registry, name)


# Registries that say what isn't so


def test_a_blob_that_the_registry_only_said_it_had(registry: Served, image: Image, name: str) -> None:
    layer = layers_of(image)[0]
    lies = Fault(
        lambda asked: asked.method == "HEAD" and layer.digest in asked.path,
        answers(200, Content_Length=str(SIZE), Docker_Content_Digest=layer.digest),
    )
    with Edge(registry.address, lies).serving() as edge:
        destination = destination_at(edge, name)
        assert destination.finish(image) == image.root.digest
        destination.close()
        assert len(edge.seen("PUT", "/manifests/")) == 2
    holds(registry, name, image)


def test_another_digest_for_a_blob(registry: Served, image: Image, name: str) -> None:
    wrong = rewrites(lambda reply: replace(reply, headers={**reply.headers, "Docker-Content-Digest": sha256(b"x")}))
    with Edge(registry.address, Fault(commit, wrong)).serving() as edge:
        arrives(registry, edge, name, image)


def test_another_digest_for_the_manifest(registry: Served, image: Image, name: str) -> None:
    wrong = rewrites(lambda reply: replace(reply, headers={**reply.headers, "Docker-Content-Digest": sha256(b"x")}))
    with Edge(registry.address, Fault(tag, wrong)).serving() as edge:
        destination = destination_at(edge, name)
        with pytest.raises(RefusedError, match="it has altered the manifest"):
            destination.finish(image)
        destination.close()


def test_a_tag_that_reads_back_as_something_else(registry: Served, image: Image, name: str) -> None:
    def is_read_back(asked: Asked) -> bool:
        return asked.method == "GET" and "/manifests/" in asked.path

    with Edge(registry.address, Fault(is_read_back, answers(200, b"{}"), times=99)).serving() as edge:
        destination = destination_at(edge, name)
        with pytest.raises(RefusedError, match="reading it back gave"):
            destination.finish(image)
        destination.close()
    with Edge(registry.address, Fault(is_read_back, answers(404), times=2)).serving() as edge:
        arrives(registry, edge, name, image)


PORTAL = answers(200, b"<!DOCTYPE html><title>Welcome to the hotel</title>", Content_Type="text/html")


@pytest.mark.parametrize(
    "when",
    [lambda asked: True, lambda asked: asked.method == "POST", chunk, commit, tag],
    ids=["always", "at the beginning", "on a chunk", "on the commit", "on the tag"],
)
def test_a_captive_portal_is_no_registry(registry: Served, image: Image, name: str, when: object) -> None:
    assert callable(when)
    with Edge(registry.address, Fault(when, PORTAL, times=999)).serving() as edge:
        destination = destination_at(edge, name)
        with pytest.raises(NotARegistryError, match="Welcome to the hotel"):
            destination.finish(image)
        destination.close()
    has_no_tag(registry, name)


def test_a_portal_s_page_is_no_blob(registry: Served, image: Image, name: str) -> None:
    with Edge(registry.address, Fault(lambda asked: asked.method == "HEAD", PORTAL, times=2)).serving() as edge:
        destination = arrives(registry, edge, name, image)
        assert destination.stats.blobs_sent == 2


# Leaving


@pytest.mark.parametrize("action", [stalls(read=True), stalls(read=False)], ids=["waiting for an answer", "sending"])
def test_leaving_ends_at_once_and_leaves_no_tag(registry: Served, image: Image, name: str, action: Action) -> None:
    with Edge(registry.address, Fault(chunk, action, times=99)).serving() as edge:
        destination = destination_at(edge, name, read=60)
        destination.offer(layers_of(image)[0], "layer")
        deadline = time.monotonic() + 5
        while not edge.faults[0].struck and time.monotonic() < deadline:
            time.sleep(0.01)
        began = time.monotonic()
        destination.close()
        assert time.monotonic() - began < 2
        assert edge.faults[0].struck == 1
    has_no_tag(registry, name)


def test_a_blob_is_offered_once_however_often(registry: Served, image: Image, name: str) -> None:
    with Edge(registry.address).serving() as edge:
        destination = destination_at(edge, name)
        for _ in range(5):
            destination.offer(layers_of(image)[0], "layer")
        assert destination.finish(image) == image.root.digest
        assert destination.finish(image) == image.root.digest
        destination.close()
        assert len(edge.seen("HEAD")) == 2
        assert edge.body_bytes == SIZE + image.platforms()[0].manifest.config.size


def test_empty_blobs_arrive(registry: Served, name: str) -> None:
    image = image_of([0, 10], seed=next(_seeds))
    assert blob_of(b"") in image.blobs.values()
    with Edge(registry.address).serving() as edge:
        arrives(registry, edge, name, image)
