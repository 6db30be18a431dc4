"""The screen, as it is used."""

import asyncio
import html
import json
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from layerkit.cli.main import run
from layerkit.explore.app import Explorer
from layerkit.explore.reading import Reading
from layerkit.image.image import Image, PlatformImage
from layerkit.sources import open_image
from tests.sources.builders import Files, add_manifest, docker_archive, layout, put, tar, write_tar

LIMIT = 50_000


def explorer(path: Path) -> Explorer:
    source = open_image(str(path))

    def choose() -> tuple[Image, PlatformImage]:
        return source, source.platforms()[0]

    return Explorer("image.tar", Reading(choose), LIMIT, lambda reading: Text("the summary"), lambda reading: Text("the plan"))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    below = tar({"usr/lib/large.so": bytes(range(256)) * 300, "usr/lib/[bold]odd": b"x" * 900, "etc/gone": b"1"})
    above = tar({"usr/lib/small": b"y" * 300, "etc/.wh.gone": b"", "usr/lib/[bold]odd": b"z" * 800})
    history = [{"created_by": "COPY . /"}, {"created_by": "RUN rm /etc/gone"}]
    return write_tar(tmp_path / "image.tar", docker_archive(below, above, history=history))


def lines(app: Explorer) -> list[str]:
    """What is on the screen."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for x, y, text in re.findall(r'<text [^>]*x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', app.export_screenshot()):
        rows.setdefault(float(y), []).append((float(x), html.unescape(text)))
    return [
        "".join(text for _, text in sorted(row)).replace("\N{NO-BREAK SPACE}", " ").rstrip() for _, row in sorted(rows.items())
    ]


def used(app: Explorer, use: Callable[[Any], Awaitable[None]], width: int = 120, height: int = 30) -> None:
    async def main() -> None:
        async with app.run_test(size=(width, height)) as pilot:
            for _ in range(100):
                await pilot.pause(0.1)
                if app._reading.is_over and app._shown and app._shown[0] != "partial":
                    break
            await use(pilot)

    asyncio.run(main())


@pytest.mark.parametrize("width", [80, 120])
def test_layers_and_files(image: Path, width: int) -> None:
    app = explorer(image)

    async def use(pilot: Any) -> None:
        await pilot.press("up")
        await pilot.pause(1.2)
        screen = "\n".join(lines(app))
        assert "COPY . /" in screen
        assert "usr/" in screen
        assert "image.tar: 3 files in layer 1" in screen
        assert "above 50.0 kB: about 3 parts" in screen
        assert all(len(line) <= width + 2 for line in lines(app))

    used(app, use, width)


def test_what_a_layer_does_and_the_whole(image: Path) -> None:
    app = explorer(image)

    async def use(pilot: Any) -> None:
        await pilot.press("up", "down")
        await pilot.pause(1.2)
        assert "in layer 2" in "\n".join(lines(app))
        await pilot.press("a")
        await pilot.pause(1.2)
        assert "3 files in the image" in "\n".join(lines(app))
        await pilot.press("tab", "down", "enter", "down", "enter")
        await pilot.pause(0.5)
        screen = "\n".join(lines(app))
        assert "large.so" in screen
        assert "[bold]odd" in screen

    used(app, use)


def test_a_filter_and_back(image: Path) -> None:
    app = explorer(image)

    async def use(pilot: Any) -> None:
        await pilot.press("a", "slash", *"LARGE")
        await pilot.pause(1.2)
        assert "1 file in the image" in "\n".join(lines(app))
        await pilot.press("escape")
        await pilot.pause(1.2)
        assert "3 files in the image" in "\n".join(lines(app))

    used(app, use)


def test_other_tabs(image: Path) -> None:
    app = explorer(image)

    async def use(pilot: Any) -> None:
        await pilot.press("s")
        await pilot.pause(1)
        assert "the summary" in "\n".join(lines(app))
        await pilot.press("p")
        await pilot.pause(1)
        assert "the plan" in "\n".join(lines(app))

    used(app, use)


def test_many_entries_are_shown_some_at_a_time(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "many.tar", docker_archive(tar({f"f{number:04}": b"" for number in range(1200)})))
    app = explorer(path)

    async def use(pilot: Any) -> None:
        tree = app.query_one("#tree")
        assert len(tree.root.children) == 501  # type: ignore[attr-defined]
        tree.focus()
        await pilot.press("end", "enter")
        await pilot.pause(0.5)
        assert len(tree.root.children) == 1001  # type: ignore[attr-defined]

    used(app, use)


def test_a_damaged_layer_is_said_so(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "bad.tar", docker_archive(tar({"a": b"x" * 9000})[:3000]))
    app = explorer(path)

    async def main() -> None:
        async with app.run_test(size=(120, 30)) as pilot:
            await pilot.pause(1.5)
            assert "expected" in "\n".join(lines(app))
            assert app._reading.error
            await pilot.press("q")

    asyncio.run(main())


def test_without_a_terminal(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explore", str(image)]) == 2
    assert "explore needs a terminal; layerkit inspect IMAGE --files" in capsys.readouterr().err


def test_without_the_extra(image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delitem(sys.modules, "layerkit.explore.app", raising=False)
    monkeypatch.setitem(sys.modules, "textual", None)
    assert run(["explore", str(image)]) == 2
    assert "pip install 'layerkit[explore]'" in capsys.readouterr().err


def test_an_image_without_layers(tmp_path: Path) -> None:
    app = explorer(write_tar(tmp_path / "empty.tar", docker_archive()))

    async def use(pilot: Any) -> None:
        await pilot.press("a", "s", "f")
        await pilot.pause(1)
        assert "0 files in" in "\n".join(lines(app))

    used(app, use)


def test_a_layer_that_is_no_ordinary_one_is_passed_over(tmp_path: Path) -> None:
    """What is read isn't the layer at the same place of the list."""
    files: Files = {}
    manifest = add_manifest(files, "one", "two")
    document = json.loads(files["blobs/sha256/" + manifest["digest"].partition(":")[2]])
    document["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+encrypted"
    entry = put(files, json.dumps(document).encode(), manifest["mediaType"])
    app = explorer(write_tar(tmp_path / "foreign.tar", layout(files, entry)))

    async def use(pilot: Any) -> None:
        assert list(app._reading.began) == [document["layers"][1]["digest"]]
        await pilot.press("up", "down")
        await pilot.pause(1.2)
        assert "1 file in layer 2" in "\n".join(lines(app))

    used(app, use)
