"""Images to push, and clients that don't wait long."""

import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from layerkit.image.blob import Blob, blob_of
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor, Platform, new_manifest, to_json
from layerkit.image.media_types import DOCKER_CONFIG, DOCKER_INDEX, DOCKER_LAYER_GZIP, DOCKER_MANIFEST
from layerkit.registry.client import RegistryClient
from layerkit.registry.contact import ConnectionOptions
from layerkit.registry.credentials import ANONYMOUS, Credentials, CredentialSource, Given
from layerkit.registry.retry import Clock, RetryPolicy
from layerkit.registry.tls import Trust
from layerkit.registry.transport import Timeouts
from tests.registry.docker_registry import PASSWORD, USER

KNOWN = Given(Credentials.of(USER, PASSWORD))


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that don't compress, the same for the same seed."""
    return random.Random(seed).randbytes(size)


def image_of(sizes: Sequence[int], seed: int = 0, name: str = "test.tar") -> Image:
    """Docker schema 2, one platform, layers of these sizes in bytes."""
    layers = [blob_of(noise(size, seed * 1000 + number)) for number, size in enumerate(sizes)]
    diff_ids = [layer.digest for layer in layers]
    config = blob_of(to_json({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}))
    manifest = new_manifest(
        DOCKER_MANIFEST,
        Descriptor.of(DOCKER_CONFIG, config.digest, config.size),
        [Descriptor.of(DOCKER_LAYER_GZIP, layer.digest, layer.size) for layer in layers],
    )
    blobs = [*layers, config, blob_of(manifest.raw)]
    return Image(name, manifest.descriptor(), {blob.digest: blob for blob in blobs})


def index_of(images: Sequence[tuple[Platform, Image]], name: str = "test.tar") -> Image:
    """An index over the roots of several images."""
    entries = [
        {**image.root.fields, "platform": {"os": platform.os, "architecture": platform.architecture}}
        for platform, image in images
    ]
    raw = to_json({"schemaVersion": 2, "mediaType": DOCKER_INDEX, "manifests": entries})
    index = blob_of(raw)
    blobs = {digest: blob for _, image in images for digest, blob in image.blobs.items()}
    return Image(name, Descriptor.of(DOCKER_INDEX, index.digest, index.size), {**blobs, index.digest: index})


def layers_of(image: Image) -> list[Blob]:
    return [image.blob(layer) for platform in image.platforms() for layer in platform.manifest.layers]


class Waits(list[float]):
    """A clock whose waits take a hundredth of their time unless told otherwise, and are written down."""

    def __init__(self, speed: float = 100, ages: float = 1) -> None:
        self.speed = speed
        self.ages = ages
        """How much faster than real time the clock runs that measures how long things take."""

    def clock(self) -> Clock:
        def wait(interrupted: threading.Event, seconds: float) -> None:
            self.append(seconds)
            interrupted.wait(min(seconds / self.speed, 2.0))

        return Clock(wait=wait, monotonic=lambda: time.monotonic() * self.ages)


def client_of(
    address: str,
    credentials: CredentialSource = ANONYMOUS,
    *,
    ca_file: Path | None = None,
    plain_http: bool = False,
    read: float = 5.0,
    attempts: int = 8,
    waits: Waits | None = None,
) -> RegistryClient:
    """Seconds are short: the tests' edges are slow on purpose."""
    clock = (Waits() if waits is None else waits).clock()
    options = ConnectionOptions(
        trust=Trust(ca_file),
        plain_http=plain_http,
        timeouts=Timeouts(connect=read, read=read),
        retry=RetryPolicy(attempts=attempts),
        clock=clock,
    )
    return RegistryClient(address, credentials=credentials, options=options)
