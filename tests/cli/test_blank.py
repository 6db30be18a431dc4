"""`blank`: shows, warns, asks, and replaces a tag by the empty image."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerkit.cli import main
from layerkit.image.image import Image
from layerkit.image.manifest import Platform
from layerkit.image.media_types import Family
from layerkit.image.reference import Reference
from layerkit.profiles import GENERIC
from layerkit.pusher.blank import blank_image
from layerkit.pusher.push import RegistryDestination
from layerkit.report.validation import validate
from layerkit.sandbox import Sandbox
from tests.pusher.images import client_of, image_of


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "layout") as sandbox:
        yield sandbox


@pytest.fixture
def image(registry: Sandbox) -> Image:
    """Under app/worker:1."""
    pushed = image_of([1000, 2000])
    destination = RegistryDestination(
        client_of(registry.address), Reference(registry.address, "app/worker", "1"), profile=GENERIC
    )
    destination.finish(pushed)
    destination.close()
    return pushed


def held(registry: Sandbox) -> bytes:
    return client_of(registry.address).get_manifest("app/worker", "1")[0]


def test_yes(registry: Sandbox, image: Image, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"{registry.address}/app/worker:1"
    assert main.run(["blank", name, "--yes"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{name}@{blank_image().root.digest}\n"
    assert f"{name} is {image.root.digest}" in said.err
    assert "linux/amd64: 2 layers, 3" in said.err
    assert "may still use it" in said.err
    assert held(registry) == blank_image().read(blank_image().root)
    assert main.run(["blank", name, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["digest"] == blank_image().root.digest
    assert "is empty already" in said.err


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 130), ("", 130)])
def test_it_asks(registry: Sandbox, image: Image, monkeypatch: pytest.MonkeyPatch, answer: str, code: int) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert main.run(["blank", f"{registry.address}/app/worker:1"]) == code
    assert (held(registry) == image.read(image.root)) == bool(code)


def test_nobody_to_ask(
    registry: Sandbox, image: Image, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main.run(["blank", f"{registry.address}/app/worker:1"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert held(registry) == image.read(image.root)


def test_a_tag_that_is_not_there(registry: Sandbox, image: Image, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["blank", f"{registry.address}/app/worker:2", "--yes"]) == 5
    assert "404" in capsys.readouterr().err
    assert main.run(["blank", f"{registry.address}/app/worker@{image.root.digest}", "--yes"]) == 2


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("platform", [Platform("linux", "amd64"), Platform("linux", "arm", "v7")])
def test_the_empty_image_is_sound(family: Family, platform: Platform) -> None:
    image = blank_image(platform, family)
    assert validate(image) == []
    assert image.platforms()[0].platform == platform
    assert image.root.digest == blank_image(platform, family).root.digest
