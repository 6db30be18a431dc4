"""Real images and real files, fixed with a small limit: the root that each engine mounts stays the same."""

import subprocess
import time
from pathlib import Path

import pytest

from layerkit import fix, open_image, verify
from layerkit.image.image import Image
from layerkit.image.media_types import Family
from tests.fixtures import FIXTURES
from tests.judges.engines import Judge
from tests.judges.walker import differences, walk
from tests.layered import image_of

pytestmark = pytest.mark.real

IMAGES = {
    "dive/test-docker-image.tar": 745_000,
}
"""File, and a limit in bytes that its largest file just keeps; busybox's is in 400 hard links."""


def expect_same(judge: Judge, before: Image, limit: int) -> None:
    since = time.time_ns()
    after = fix(before, max_layer_size=limit)
    layers = after.platforms()[0].manifest.layers
    assert len(layers) > len(before.platforms()[0].manifest.layers)
    assert max(layer.size for layer in layers) <= limit
    assert verify(before, after) == []
    with judge.mounted(before) as root:
        expected = walk(root)
    with judge.mounted(after) as root:
        found = walk(root)
    assert len(expected) > 100
    assert differences(expected, found, since) == []


@pytest.mark.parametrize("name", IMAGES)
def test_image(judge: Judge, name: str) -> None:
    path = FIXTURES / "images" / name
    if not path.exists():
        pytest.skip("no fixtures here")
    # OCI manifests and one platform, which all judges take.
    image = fix(open_image(path), family=Family.OCI, max_layer_size=1 << 30)
    expect_same(judge, image, IMAGES[name])


def test_files_of_this_machine(judge: Judge, tmp_path: Path) -> None:
    """Hundreds of links of both kinds, as a distribution has them."""
    if not Path("/usr/share/zoneinfo").is_dir():
        pytest.skip("no /usr/share/zoneinfo here")
    archive = tmp_path / "layer.tar"
    command = ["tar", "-C", "/", "--format=pax", "--xattrs", "--sort=name", "-cf", str(archive), "usr/share/zoneinfo"]
    subprocess.run(command, check=True)
    expect_same(judge, image_of(archive.read_bytes()), 66_000)
