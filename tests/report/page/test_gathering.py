"""What was read of an image, on its page."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from layerkit.cli.main import run
from layerkit.costs.contents import Node
from layerkit.costs.reading import Layers, read_platform
from layerkit.costs.summing import contents_of
from layerkit.progress import Silent
from layerkit.report.page import platform_page
from layerkit.sources import open_image
from tests.report.page.conftest import Opening
from tests.sources.builders import docker_archive, gzipped, tar, write_tar


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Three layers, one of them twice."""
    noise = random.Random(1).randbytes
    base = gzipped(tar({"usr/lib/a/b/one.so": noise(90_000), "usr/lib/two.a": noise(60_000), "etc/x": b"y" * 30_000}))
    cache = gzipped(tar({"var/cache/three": noise(20_000)}))
    gone = gzipped(tar({"usr/lib/.wh.two.a": b""}))
    history = [{"created_by": f"COPY {number} /"} for number in range(4)]
    return str(write_tar(tmp_path / "image.tar", docker_archive(base, cache, gone, cache, history=history)))


def test_trees_add_up_to_their_layers(path: str) -> None:
    image = open_image(path)
    read = read_platform(image, image.platforms()[0], Layers(Silent()))
    contents = contents_of(read, 10)
    page = platform_page(read, contents)
    assert page.contents is contents
    assert list(page.trees) == [1, 2, 3], "the fourth layer is the second"
    for number, tree in page.trees.items():
        assert tree.cost == contents.layers[number - 1].files_cost
        assert tree.files == contents.layers[number - 1].files
    assert _paths(page.trees[1]) >= {"/usr/lib/a/b/one.so", "/usr/lib/two.a"}, "what later layers take away is pushed, too"


def _paths(node: Node, above: str = "") -> set[str]:
    own = f"{above}/{node.name}" if node.name else above
    return {own, *(path for child in node.children for path in _paths(child, own))}


def _data(page: Path) -> dict[str, Any]:
    text = page.read_text().split('<script id="data" type="application/json">')[1].split("</script>")[0]
    found: dict[str, Any] = json.loads(text)
    return found


def test_the_whole_way(path: str, tmp_path: Path, opening: Opening) -> None:
    page = tmp_path / "page.html"
    assert run(["inspect", path, "--files", "--html", str(page), "--max-layer-size", "100kB"]) == 0
    (platform,) = _data(page)["platforms"]
    assert [layer["first"] for layer in platform["layers"]] == [1, 2, 3, 2]
    assert platform["contents"]["wasted"][0]["path"] == "/usr/lib/two.a"
    shown = opening(page.read_text()).page
    assert "Layer 1 is above the limit of 100 kB." in shown.locator(".verdict").inner_text()
    assert "the same as layer 2: pushed once" in shown.locator(".rows").inner_text()
    shown.locator(".map-bar input").fill("one.so")
    assert shown.locator(".found .path").inner_text() == "/usr/lib/a/b/one.so"


def test_without_files(path: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run(["inspect", path, "--html", str(page)]) == 0
    (platform,) = _data(page)["platforms"]
    assert platform["contents"] is None
    assert platform["tree"] is None
    assert len(platform["layers"]) == 4
