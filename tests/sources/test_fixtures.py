"""Every real image there is: read whole, or refused with a message that names what is wrong; never a traceback."""

from pathlib import Path

import pytest

from layerkit.errors import ImageError, LayerkitError, UsageError
from layerkit.image.manifest import Manifest
from layerkit.sources import open_image
from tests.fixtures import FIXTURES

REFUSED = {
    "images/dive/test-estargz-image.tar": "expected an image (index.json or manifest.json at the top), found README.md",
    "images/dive/test-gzip-image.tar": "found README.md",
    "images/dive/test-uncompressed-image.tar": "found README.md",
    "images/dive/test-zstd-image.tar": "found README.md",
    "images/go-containerregistry/no_manifest.tar": "a docker archive without manifest.json",
    "images/go-containerregistry/null_manifest.tar": "manifest.json: expected a list of images, found null",
    "layouts/test_gc_image_unknown_mediatype": "blob sha256:32589985702551b6c56033bb3334432a0a513bf9d6aceda0f67c42b003850720",
}
AMBIGUOUS = {
    "images/go-containerregistry/test_bundle.tar": ["test_image_2", "test_image_1"],
    "images/go-containerregistry/test_link.tar": ["bazel/v1/tarball:test_image_1", "bazel/v1/tarball:test_image_3"],
    "images/podman/docker-two-images.tar.xz": ["example.com/empty:latest", "example.com/empty/but:different"],
    "layouts/test_index": ["1", "2", "3", "4"],
}
LAYERS = {
    "images/container-structure-test/tarball.tar": 0,
    "images/kaniko/tar.tar": 49,
    "images/dive/test-kaniko-image.tar": 14,
    "images/dive/test-docker-image.tar": 14,
    "images/deckoder/symbolic.tar": 9,
    "images/rules_docker/image_with_symlinked_layer.tar": 2,
    "images/jib/busybox-jib.tar": 2,
    "images/go-containerregistry/hello-world-v25.tar": 1,
    "images/snyk-docker-plugin/busybox.arm64.tar": 1,
}
_ALL = sorted([*(FIXTURES / "images").glob("*/*"), *(FIXTURES / "layouts").glob("*")])

pytestmark = pytest.mark.skipif(not _ALL, reason="the folder of real images is absent")


def _read(spec: str) -> int:
    """Every blob, verified; the number of layers."""
    image = open_image(spec)
    manifests = [document for _, document in image.walk() if isinstance(document, Manifest)]
    for manifest in manifests:
        for descriptor in (manifest.config, *manifest.layers):
            assert sum(len(chunk) for chunk in image.blob(descriptor).verified(image.name)) == descriptor.size
    for platform in image.platforms():
        assert len(platform.config.diff_ids) == len(platform.manifest.layers)
    assert manifests
    return max(len(manifest.layers) for manifest in manifests)


@pytest.mark.parametrize("path", _ALL, ids=lambda path: str(path.relative_to(FIXTURES)))
def test_read_or_refused(path: Path) -> None:
    name = str(path.relative_to(FIXTURES))
    if name in REFUSED:
        with pytest.raises(ImageError) as refusal:
            _read(str(path))
        assert refusal.value.exit_code == 3
        assert str(path) in str(refusal.value)
        assert REFUSED[name] in str(refusal.value)
    elif name in AMBIGUOUS:
        with pytest.raises(UsageError) as question:
            open_image(str(path))
        assert question.value.exit_code == 2
        assert all(option in str(question.value) for option in AMBIGUOUS[name])
    else:
        found = _read(str(path))
        assert found == LAYERS.get(name, found)


@pytest.mark.parametrize("name", [name for name in AMBIGUOUS if name.startswith("images")])
def test_named_images_are_chosen(name: str) -> None:
    configs = set()
    for number, chosen in enumerate(AMBIGUOUS[name]):
        spec = f"docker-archive:{FIXTURES / name}"
        image = open_image(f"{spec}:{chosen}")
        assert image.reference is not None
        assert chosen in image.reference
        assert open_image(f"{spec}:@{number}").root == image.root
        configs.add(image.platforms()[0].manifest.config.digest)
        assert _read(f"{spec}:{chosen}") >= 1
    assert len(configs) == 2


def test_a_named_manifest_of_a_layout() -> None:
    image = open_image(f"oci:{FIXTURES / 'layouts/test_index'}:1")
    assert image.root.digest == "sha256:eebff607b1628d67459b0596643fc07de70d702eccf030f0bc7bb6fc2b278650"
    nested = open_image(f"oci:{FIXTURES / 'layouts/test_index'}:3")
    assert nested.root.media_type.endswith("index.v1+json")


def test_a_sparse_index_with_attestations() -> None:
    image = open_image(str(FIXTURES / "images/snyk-docker-plugin/busybox.arm64.tar"))
    assert image.reference == "docker.io/library/busybox:latest"
    assert len(image.referrers()) == 10
    assert len(image.absent()) == 19
    assert [str(platform.platform) for platform in image.platforms()] == ["linux/arm64/v8"]


def _damaged(data: bytes) -> list[tuple[str, bytes]]:
    """A file cut at many places, and with a byte changed at many places."""
    steps = range(0, len(data), max(len(data) // 40, 1))
    cut = [(f"cut at {at}", data[:at]) for at in steps]
    flipped = [(f"byte {at}", data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]) for at in steps]
    return cut + flipped


@pytest.mark.parametrize(
    "name",
    [
        "podman/docker-two-names.tar.xz",
        "podman/oci-name-only.tar.gz",
        "dive/test-oci-zstd-image.tar",
        "rules_docker/image_with_symlinked_layer.tar",
        "jib/jib-image.tar",
    ],
)
def test_damage_is_told_never_a_traceback(name: str, tmp_path: Path) -> None:
    data = (FIXTURES / "images" / name).read_bytes()
    _read(str(FIXTURES / "images" / name))
    target = tmp_path / "image.tar"
    refused = 0
    for what, damaged in _damaged(data):
        target.write_bytes(damaged)
        try:
            _read(str(target))
        except LayerkitError as error:
            refused += 1
            assert error.exit_code in (2, 3), what
            assert "image.tar" in str(error), what
    assert refused > 20
