"""What stands beside an image in its layout goes where its readers look for it, and never under the image's tag."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from layerkit.errors import NotFoundError
from layerkit.image.blob import blob_of
from layerkit.image.digest import sha256
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor, Manifest, to_json
from layerkit.image.media_types import OCI_CONFIG, OCI_MANIFEST
from layerkit.image.reference import Reference
from layerkit.profiles import GENERIC
from layerkit.progress import Silent
from layerkit.pusher.push import RegistryDestination
from layerkit.sandbox import Limits, Sandbox
from tests.e2e.running import needs_skopeo
from tests.pusher.images import client_of, image_of
from tests.registry.docker_registry import docker_registry, needs_docker_registry

SIGNATURE = "application/vnd.dev.cosign.simplesigning.v1+json"
SBOM = "application/spdx+json"


class Told(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def with_beside(image: Image, media_type: str, **fields: object) -> tuple[Image, Descriptor]:
    """The image with a manifest of one JSON layer beside it."""
    layer, config = blob_of(b'{"a":1}'), blob_of(b'{"rootfs":{}}')
    raw = to_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": config.digest, "size": config.size},
            "layers": [{"mediaType": media_type, "digest": layer.digest, "size": layer.size}],
            **fields,
        }
    )
    entry = Descriptor.of(OCI_MANIFEST, sha256(raw), len(raw))
    more = {blob.digest: blob for blob in (layer, config, blob_of(raw))}
    return replace(image, blobs={**image.blobs, **more}, beside=(*image.beside, entry)), entry


def push(address: str, image: Image, told: Told | None = None) -> None:
    reference = Reference(address, "app/worker", "1")
    with RegistryDestination(client_of(address), reference, profile=GENERIC, progress=told or Told()) as destination:
        assert destination.finish(image) == image.root.digest


def test_signatures_and_sboms(tmp_path: Path) -> None:
    image, signature = with_beside(image_of([1000]), SIGNATURE)
    image, sbom = with_beside(image, SBOM, subject=dict(image.root.fields))
    with Sandbox(tmp_path / "registry", Limits()) as sandbox:
        push(sandbox.address, image)
        written = [request.path for request in sandbox.requests if request.method == "PUT" and "/manifests/" in request.path]
        tag = f"sha256-{image.root.digest[7:]}.sig"
        assert [path.rpartition("/")[2] for path in written] == [image.root.digest, tag, sbom.digest, "1"]
        client = client_of(sandbox.address)
        assert sha256(client.get_manifest("app/worker", tag)[0]) == signature.digest
        assert sha256(client.get_manifest("app/worker", "1")[0]) == image.root.digest


def test_one_that_is_refused_is_left_out(tmp_path: Path) -> None:
    image, attestation = with_beside(image_of([1000]), "application/vnd.in-toto+json")
    told = Told()
    with Sandbox(tmp_path / "registry", Limits(attestations=False)) as sandbox:
        push(sandbox.address, image, told)
        with pytest.raises(NotFoundError):
            client_of(sandbox.address).get_manifest("app/worker", attestation.digest)
    (warning,) = told.warnings
    assert "was left out" in warning
    assert "HTTP 400" in warning


@pytest.mark.real
@needs_docker_registry
@needs_skopeo
def test_what_is_pushed_can_be_pulled(tmp_path: Path) -> None:
    image, signature = with_beside(image_of([1000]), SIGNATURE)
    with docker_registry(tmp_path) as registry:
        push(registry.address, image)
        source = f"docker://{registry.address}/app/worker"
        for name, digest in (("1", image.root.digest), (f"sha256-{image.root.digest[7:]}.sig", signature.digest)):
            command = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"{source}:{name}"]
            raw = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
            assert sha256(raw) == digest
        document = image.document(image.root)
        assert isinstance(document, Manifest)
