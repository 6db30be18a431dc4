"""Pushing to the sandbox: time limits that are real, and faults that come by chance."""

import time
from pathlib import Path

import pytest

from layerkit.errors import BlobTooSlowError, NotFoundError, RefusedError
from layerkit.image.digest import sha256
from layerkit.image.image import Image
from layerkit.image.reference import Reference
from layerkit.profiles import GENERIC
from layerkit.pusher.existing import claimed_layers
from layerkit.pusher.push import RegistryDestination, Stats
from layerkit.registry.credentials import ANONYMOUS, Credentials, CredentialSource, Given
from layerkit.sandbox import Fault, Limits, Sandbox
from tests.pusher.images import Waits, client_of, image_of, index_of, layers_of

KiB = 1 << 10


def pushed(
    sandbox: Sandbox,
    image: Image,
    credentials: CredentialSource = ANONYMOUS,
    name: str = "app/worker",
    chunk_size: int = 64 * KiB,
    attempts: int = 8,
    waits: Waits | None = None,
) -> Stats:
    client = client_of(sandbox.address, credentials, plain_http=True, attempts=attempts, waits=waits)
    destination = RegistryDestination(
        client, Reference(sandbox.address, name, "1"), profile=GENERIC, chunk_size=chunk_size, smallest_chunk=16 * KiB
    )
    try:
        assert destination.finish(image) == image.root.digest
        assert sha256(client.get_manifest(name, "1")[0]) == image.root.digest
    finally:
        destination.close()
    return destination.stats


def whole(image: Image) -> int:
    return sum(layer.size for layer in layers_of(image)) + image.platforms()[0].manifest.config.size


def test_a_commit_that_takes_longer_than_the_edge_waits(tmp_path: Path) -> None:
    """The edge waits for half of the time that the registry needs: the blob is found when it is there, nothing is sent twice."""
    image = image_of([1_000_000])
    waits = Waits(speed=2)
    with Sandbox(tmp_path, Limits(deadline=0.2, commit_rate=2_500_000)) as sandbox:
        stats = pushed(sandbox, image, waits=waits)
        assert any(request.status == 524 for request in sandbox.requests)
    assert stats.bytes_sent == whole(image)


def test_a_blob_above_the_edge_s_limit(tmp_path: Path) -> None:
    image = image_of([500_000, 1000])
    with Sandbox(tmp_path, Limits(max_blob=400_000)) as sandbox:
        with pytest.raises(BlobTooSlowError) as caught:
            pushed(sandbox, image)
        assert caught.value.digest == layers_of(image)[0].digest
        with pytest.raises(NotFoundError):
            client_of(sandbox.address, plain_http=True).get_manifest("app/worker", "1")


@pytest.mark.parametrize(("forgets", "excess"), [(False, 64 * KiB * 4), (True, 600_000)], ids=["resumable", "forgetful"])
def test_broken_chunks(tmp_path: Path, forgets: bool, excess: int) -> None:
    """Every seventh chunk breaks: a registry that knows where it stands gets just that chunk again."""
    image = image_of([1_000_000])
    with Sandbox(tmp_path, Limits(faults=(Fault.parse("PATCH:reset@7"),), forget_broken=forgets)) as sandbox:
        stats = pushed(sandbox, image)
    assert whole(image) <= stats.bytes_sent <= whole(image) + excess


def test_tokens_that_live_shorter_than_a_blob_takes(tmp_path: Path) -> None:
    """Renewed before they end: no chunk is refused."""
    login = Given(Credentials("u", "secret"))
    with Sandbox(tmp_path, Limits(login=("u", "secret"), token_seconds=1.0, latency=0.1)) as sandbox:
        pushed(sandbox, image_of([1_500_000]), login)
        tokens = [request for request in sandbox.requests if request.path.startswith("/token")]
        refused = [request for request in sandbox.requests if request.status == 401]
    assert len(tokens) >= 3
    assert len(refused) == 1  # the first contact


@pytest.mark.parametrize("limits", [Limits(max_body=40_000), Limits(min_chunk=200_000)], ids=["largest", "smallest"])
def test_sizes_of_requests(tmp_path: Path, limits: Limits) -> None:
    with Sandbox(tmp_path, limits) as sandbox:
        pushed(sandbox, image_of([1_000_000, 500]))
        accepted = [request.received for request in sandbox.requests if request.method == "PATCH" and request.status == 202]
    assert all(size <= 40_000 for size in accepted) if limits.max_body else min(accepted[:-1]) >= 200_000


@pytest.mark.parametrize("seed", range(5))
def test_a_bad_day(tmp_path: Path, seed: int) -> None:
    """A tenth of all requests fails, in every way there is. The image arrives, its tag last."""
    statuses = {"HEAD": "503", "POST": "429", "PATCH": "524", "PUT": "502", "GET": "500"}
    faults = [Fault.parse(f"{method}:{status}@10%") for method, status in statuses.items()]
    faults += [Fault.parse(f"{method}:reset@5%") for method in ("POST", "PATCH", "PUT")]
    image = image_of([200_000, 150_000, *range(1000, 20_000, 1000)], seed=seed)
    with Sandbox(tmp_path, Limits(faults=faults, seed=seed)) as sandbox:
        stats = pushed(sandbox, image, attempts=12)
        ended = [request for request in sandbox.requests if request.method == "PUT" and "/manifests/1" in request.path]
        after = sandbox.requests[sandbox.requests.index(ended[0]) :]
        assert not [request for request in after if request.method in ("PATCH", "POST")]
    assert stats.bytes_sent >= whole(image)


def test_what_the_registry_refuses_for_good(tmp_path: Path) -> None:
    image = image_of([1000])
    with Sandbox(tmp_path, Limits(faults=(Fault.parse("PUT:403@2"),))) as sandbox:
        began = time.monotonic()
        with pytest.raises(RefusedError, match="HTTP 403"):
            pushed(sandbox, image)
        assert time.monotonic() - began < 3


# What is there already


def test_the_layers_of_a_tag_by_their_content(tmp_path: Path) -> None:
    first, second = image_of([3000, 4000], 1), image_of([5000], 2)
    both = index_of([(first.platforms()[0].platform, first), (second.platforms()[0].platform, second)])
    with Sandbox(tmp_path) as sandbox:
        pushed(sandbox, both)
        client = client_of(sandbox.address, plain_http=True)
        known = claimed_layers(client, Reference(sandbox.address, "app/worker", "1"))
        expected = {
            diff_id: layer
            for image in both.platforms()
            for diff_id, layer in zip(image.config.diff_ids, image.manifest.layers, strict=True)
        }
        assert {digest: layer.fields for digest, layer in known.items()} == {
            digest: layer.fields for digest, layer in expected.items()
        }
        assert claimed_layers(client, Reference(sandbox.address, "app/worker", "2")) == {}
        assert claimed_layers(client, Reference(sandbox.address, "app/absent", "1")) == {}


def test_an_index_whose_manifests_are_partly_elsewhere(tmp_path: Path) -> None:
    """A sparse index is pushed when the registry has what the file hasn't, and refused when it hasn't."""
    first, second = image_of([3000], 1), image_of([5000], 2)
    both = index_of([(first.platforms()[0].platform, first), (second.platforms()[0].platform, second)])
    sparse = Image(both.name, both.root, {digest: blob for digest, blob in both.blobs.items() if digest != second.root.digest})
    with Sandbox(tmp_path) as sandbox:
        with pytest.raises(Exception, match=r"the index names a manifest for linux/amd64 that is not in the image"):
            pushed(sandbox, sparse)
        pushed(sandbox, both)
        pushed(sandbox, sparse)
