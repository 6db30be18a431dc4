"""Several pushes through one pool: what they share is sent once, one that ends doesn't end the others."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from layerkit.errors import InterruptedPushError, LayerkitError
from layerkit.image.blob import blob_of
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.image.reference import Reference
from layerkit.profiles import GENERIC
from layerkit.pusher.pool import Pool
from layerkit.pusher.push import PooledDestination
from layerkit.pusher.whereabouts import Whereabouts
from tests.pusher.edge import Asked, Edge, Fault, Line, answers, stalls
from tests.pusher.images import client_of, image_of, layers_of, noise
from tests.registry.docker_registry import docker_registry, needs_docker_registry

pytestmark = [pytest.mark.real, needs_docker_registry]

SIZES = [300_000, 200_000, 100_000]


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    with docker_registry(tmp_path) as registry, Edge(registry.address).serving() as served:
        yield served


def pool_of(edge: Edge, whereabouts: Whereabouts | None = None) -> Pool:
    return Pool(client_of(edge.address, plain_http=True), GENERIC, whereabouts=whereabouts)


def pushed(pool: Pool, edge: Edge, repository: str, image: Image) -> Digest:
    with PooledDestination(pool, Reference(edge.address, repository, "1")) as destination:
        return destination.finish(image)


def is_there(edge: Edge, repository: str, image: Image) -> bool:
    client = client_of(edge.address, plain_http=True)
    return client.get_manifest(repository, "1")[0] == b"".join(map(bytes, image.blob(image.root).chunks())) and all(
        client.has_blob(repository, layer.digest, layer.size) for layer in layers_of(image)
    )


def links(edge: Edge) -> list[Asked]:
    return [asked for asked in edge.seen("POST") if "mount=" in asked.path]


@pytest.mark.parametrize("at_once", [1, 6])
def test_what_they_share_is_sent_once(edge: Edge, at_once: int) -> None:
    image = image_of(SIZES)
    names = [f"team/app{number}" for number in range(6)]
    with pool_of(edge) as pool, ThreadPoolExecutor(at_once) as threads:
        digests = set(threads.map(lambda name: pushed(pool, edge, name, image), names))
    assert digests == {image.root.digest}
    assert all(is_there(edge, name, image) for name in names)
    assert edge.body_bytes < 1.01 * sum(SIZES)
    assert len(links(edge)) == (len(SIZES) + 1) * (len(names) - 1), "a request for each, and the config's"


def without_link(line: Line) -> None:
    """A registry that links nothing begins an upload instead (distribution-spec, "Mounting a blob from another repository")."""
    line.asked.path = line.asked.path.partition("?")[0]
    line.reply(line.forward())


def test_a_registry_that_links_nothing(edge: Edge) -> None:
    """It is asked a few times, and then sent everything."""
    edge.faults.append(Fault(lambda asked: "mount=" in asked.path, without_link, times=1000))
    image = image_of(SIZES)
    names = [f"team/app{number}" for number in range(4)]
    with pool_of(edge) as pool:
        for name in names:
            pushed(pool, edge, name, image)
    assert all(is_there(edge, name, image) for name in names)
    assert edge.faults[0].struck <= 3 + len(SIZES)
    assert len(edge.seen("DELETE")) == edge.faults[0].struck, "what was begun is given back"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
def test_a_link_that_is_refused(edge: Edge, status: int) -> None:
    """For want of the right to read the other repository, for instance."""
    edge.faults.append(Fault(lambda asked: "mount=" in asked.path, answers(status), times=1000))
    image = image_of(SIZES)
    with pool_of(edge) as pool:
        pushed(pool, edge, "one", image)
        pushed(pool, edge, "two", image)
    assert is_there(edge, "two", image)


def test_what_an_earlier_run_left_is_linked_and_what_it_is_wrong_about_is_sent(edge: Edge) -> None:
    image = image_of(SIZES)
    told: dict[Digest, str] = {}

    def tell(repository: str, digest: Digest) -> None:
        told[digest] = repository

    with pool_of(edge, Whereabouts(told.get, tell)) as pool:
        pushed(pool, edge, "one", image)
    assert set(told.values()) == {"one"}
    edge.log.clear()
    with pool_of(edge, Whereabouts(told.get)) as pool:
        pushed(pool, edge, "two", image)
    assert edge.body_bytes == 0
    edge.log.clear()
    other = image_of(SIZES, seed=2)
    with pool_of(edge, Whereabouts(lambda digest: "never")) as pool:
        pushed(pool, edge, "three", other)
    assert is_there(edge, "three", other)


def test_one_that_is_ended_does_not_end_the_others(edge: Edge) -> None:
    """Nor does it keep them waiting for what it was sending: that arrives, and is theirs."""
    image = image_of(SIZES)
    with pool_of(edge) as pool:
        first = PooledDestination(pool, Reference(edge.address, "one", "1"))
        for layer in layers_of(image):
            first.offer(layer, "layer")
        first.close()
        with pytest.raises(InterruptedPushError):
            first.offer(blob_of(noise(10)), "late")
        with pytest.raises(LayerkitError):
            first.finish(image)
        assert pushed(pool, edge, "two", image) == image.root.digest
    assert is_there(edge, "two", image)


def test_where_the_sender_fails_who_waited_sends(edge: Edge) -> None:
    image = image_of(SIZES)
    edge.faults.append(Fault(lambda asked: asked.method == "POST" and "/one/" in asked.path, answers(403), times=1000))
    outcomes: dict[str, Digest | str] = {}
    with pool_of(edge) as pool:

        def push(name: str) -> None:
            try:
                outcomes[name] = pushed(pool, edge, name, image)
            except LayerkitError as error:
                outcomes[name] = str(error)

        threads = [threading.Thread(target=push, args=(name,)) for name in ("one", "two", "three")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert "403" in outcomes["one"]
    assert outcomes["two"] == outcomes["three"] == image.root.digest
    assert edge.body_bytes < 1.01 * sum(SIZES)


def test_interrupting_ends_all(edge: Edge) -> None:
    edge.faults.append(Fault(lambda asked: asked.is_commit or asked.is_chunk, stalls(read=True), times=1000))
    image = image_of(SIZES)
    with pool_of(edge) as pool:
        ended: list[type[BaseException]] = []

        def push(name: str) -> None:
            try:
                pushed(pool, edge, name, image)
            except LayerkitError as error:
                ended.append(type(error))

        threads = [threading.Thread(target=push, args=(f"app{number}",)) for number in range(3)]
        for thread in threads:
            thread.start()
        while not any(fault.struck for fault in edge.faults):
            threading.Event().wait(0.01)
        pool.interrupt()
        for thread in threads:
            thread.join(10)
    assert ended == [InterruptedPushError] * 3
