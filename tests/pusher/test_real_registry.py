"""Pushing to the real docker-registry, however it lets users in."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from layerkit.errors import NotFoundError, UnauthorisedError
from layerkit.image.blob import Blob, blob_of
from layerkit.image.digest import sha256
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor, Platform, new_manifest
from layerkit.image.media_types import DOCKER_FOREIGN_LAYER_GZIP, DOCKER_MANIFEST
from layerkit.image.reference import Reference, parse_reference
from layerkit.profiles import GENERIC
from layerkit.pusher.push import RegistryDestination, Stats
from layerkit.registry.credentials import ANONYMOUS, Credentials, CredentialSource, Given
from tests.pusher.images import KNOWN, client_of, image_of, index_of, layers_of
from tests.registry.docker_registry import (
    USER,
    Served,
    docker_registry,
    htpasswd,
    needs_docker_registry,
    needs_htpasswd,
    new_key_pair,
    token_service,
)

pytestmark = [pytest.mark.real, needs_docker_registry, needs_htpasswd]


@pytest.fixture(scope="module", params=["anonymous", "htpasswd", "token", "tls"])
def registry(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, CredentialSource]]:
    folder = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        if request.param == "anonymous":
            yield stack.enter_context(docker_registry(folder)), ANONYMOUS
        elif request.param == "htpasswd":
            yield stack.enter_context(docker_registry(folder, auth=htpasswd(folder))), KNOWN
        elif request.param == "token":
            service = stack.enter_context(token_service(new_key_pair(folder)))
            yield stack.enter_context(docker_registry(folder, auth=service.auth())), KNOWN
        else:
            pair = new_key_pair(folder)
            yield stack.enter_context(docker_registry(folder, auth=htpasswd(folder), tls=pair)), KNOWN


@pytest.fixture(scope="module")
def anonymous(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with docker_registry(tmp_path_factory.mktemp("anonymous")) as served:
        yield served


def push(
    served: Served, image: Image, name: str, credentials: CredentialSource = ANONYMOUS, mount_from: tuple[str, ...] = ()
) -> Stats:
    """Pushes in chunks of 1 MiB and reads everything back."""
    client = client_of(served.address, credentials, ca_file=served.ca_file)
    reference = Reference(served.address, name, "1")
    destination = RegistryDestination(client, reference, profile=GENERIC, chunk_size=1 << 20, mount_from=mount_from)
    try:
        assert destination.finish(image) == image.root.digest
        stats = destination.stats
        raw, media_type = client.get_manifest(name, "1")
        assert (sha256(raw), media_type) == (image.root.digest, image.root.media_type)
        for layer in layers_of(image):
            content = client.blob_content(name, layer.digest, layer.size)
            assert sum(len(chunk) for chunk in Blob(layer.digest, content).verified("pulled")) == layer.size
    finally:
        destination.close()
    return stats


def test_a_push_arrives_and_the_next_one_sends_nothing(registry: tuple[Served, CredentialSource]) -> None:
    served, credentials = registry
    image = image_of([3_500_000, 1 << 20, 1000, 2 << 20])
    first = push(served, image, "app/worker", credentials)
    assert (first.blobs_sent, first.blobs_there) == (5, 0)
    assert first.bytes_sent == sum(layer.size for layer in layers_of(image)) + image.platforms()[0].manifest.config.size
    second = push(served, image, "app/worker", credentials)
    assert (second.blobs_sent, second.blobs_there, second.bytes_sent) == (0, 5, 0)


def test_an_index_arrives_with_its_platforms(registry: tuple[Served, CredentialSource]) -> None:
    served, credentials = registry
    image = index_of([(Platform("linux", "amd64"), image_of([5000], 1)), (Platform("linux", "arm64"), image_of([6000], 2))])
    push(served, image, "app/both", credentials)


def test_blobs_of_another_repository_are_mounted(registry: tuple[Served, CredentialSource]) -> None:
    served, credentials = registry
    image = image_of([50_000, 60_000], 3)
    push(served, image, "app/origin", credentials)
    stats = push(served, image, "app/mounted", credentials, mount_from=("app/absent", "app/origin"))
    assert (stats.blobs_mounted, stats.blobs_sent, stats.bytes_sent) == (3, 0, 0)


def test_foreign_layers_stay_where_they_are(anonymous: Served) -> None:
    image = image_of([10_000], 4)
    own = image.platforms()[0].manifest
    foreign = Descriptor.of(DOCKER_FOREIGN_LAYER_GZIP, sha256(b"elsewhere"), 9, urls=["https://example.com/layer"])
    manifest = new_manifest(DOCKER_MANIFEST, own.config, [foreign, *own.layers])
    changed = Image("foreign.tar", manifest.descriptor(), {**image.blobs, manifest.digest: blob_of(manifest.raw)})
    client = client_of(anonymous.address)
    destination = RegistryDestination(client, Reference(anonymous.address, "app/foreign", "1"), profile=GENERIC)
    assert destination.finish(changed) == manifest.digest
    assert destination.stats.blobs_sent == 2
    destination.close()


@pytest.mark.parametrize("registry", ["htpasswd", "token", "tls"], indirect=True)
def test_without_a_login_it_says_so_before_anything_is_sent(registry: tuple[Served, CredentialSource]) -> None:
    served, _ = registry
    for source, words in ((ANONYMOUS, "not logged in"), (Given(Credentials.of(USER, "wrong-secret-77")), "refused user")):
        client = client_of(served.address, source, ca_file=served.ca_file)
        destination = RegistryDestination(client, Reference(served.address, "app/denied", "1"), profile=GENERIC)
        with pytest.raises(UnauthorisedError, match=words) as caught:
            destination.check()
        assert "wrong-secret-77" not in str(caught.value)
        assert "layerkit login" in str(caught.value)
        destination.close()


def test_check_leaves_no_upload_behind(anonymous: Served) -> None:
    client = client_of(anonymous.address)
    destination = RegistryDestination(client, parse_reference(f"{anonymous.address}/app/check:1"), profile=GENERIC)
    destination.check()
    destination.close()
    with pytest.raises(NotFoundError):
        client_of(anonymous.address).get_manifest("app/check", "1")


def test_a_manifest_that_is_not_there_is_not_found(anonymous: Served) -> None:
    with pytest.raises(NotFoundError, match=r"MANIFEST_UNKNOWN|NAME_UNKNOWN"):
        client_of(anonymous.address).get_manifest("app/nowhere", "1")


def test_blob_content_begins_anywhere(anonymous: Served) -> None:
    image = image_of([300_000], 0)
    push(anonymous, image, "app/ranges")
    client = client_of(anonymous.address)
    layer = layers_of(image)[0]
    data = b"".join(bytes(chunk) for chunk in layer.chunks())
    content = client.blob_content("app/ranges", layer.digest, layer.size)
    for offset in (0, 1, 123_456, 299_999, 300_000):
        assert b"".join(bytes(chunk) for chunk in content.chunks(offset)) == data[offset:]
