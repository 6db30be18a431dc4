"""What was pushed, pulled and unpacked by others."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerkit.image.image import Image
from layerkit.image.manifest import Platform
from layerkit.image.media_types import Family
from layerkit.image.reference import Reference
from layerkit.profiles import GENERIC
from layerkit.pusher.blank import blank_image
from layerkit.pusher.push import RegistryDestination
from tests.pusher.images import client_of
from tests.registry.docker_registry import Served, docker_registry, needs_docker_registry

pytestmark = [
    pytest.mark.real,
    needs_docker_registry,
    pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed (Debian: apt install skopeo)"),
    pytest.mark.skipif(shutil.which("umoci") is None, reason="umoci is not installed (Debian: apt install umoci)"),
]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as served:
        yield served


def pulled(registry: Served, image: Image, folder: Path) -> Path:
    """The root filesystem, by way of skopeo and umoci."""
    destination = RegistryDestination(client_of(registry.address), Reference(registry.address, "pulled", "1"), profile=GENERIC)
    destination.finish(image)
    destination.close()
    source, layout = f"docker://{registry.address}/pulled:1", f"oci:{folder}/layout:1"
    copy = ["skopeo", "copy", "-q", "--insecure-policy", "--src-tls-verify=false", source, layout]
    subprocess.run(copy, check=True, capture_output=True, timeout=60)
    unpack = ["umoci", "unpack", "--rootless", "--image", f"{folder}/layout:1", str(folder / "bundle")]
    subprocess.run(unpack, check=True, capture_output=True, timeout=60)
    return folder / "bundle" / "rootfs"


@pytest.mark.parametrize("family", list(Family))
def test_the_empty_image(registry: Served, tmp_path: Path, family: Family) -> None:
    root = pulled(registry, blank_image(Platform("linux", "amd64"), family), tmp_path)
    assert list(root.iterdir()) == []
