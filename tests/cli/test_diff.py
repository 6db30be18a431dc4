"""`layerkit diff`, and `inspect` of several images."""

import json
from pathlib import Path

import pytest

from layerkit.cli.main import run
from tests.sources.builders import docker_archive, tar, write_tar

BASE = tar({"base": b"b" * 20_000})


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    old = docker_archive(BASE, tar({"opt/app/a": b"x" * 9000, "opt/app/v": b"1"}), history=[{}, {"created_by": "COPY app /opt"}])
    new = docker_archive(BASE, tar({"opt/app/a": b"x" * 9000, "opt/app/v": b"2"}), history=[{}, {"created_by": "COPY app /opt"}])
    return [str(write_tar(tmp_path / name, files)) for name, files in (("old.tar", old), ("new.tar", new))]


def test_diff(images: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "-q", *images]) == 0
    out = capsys.readouterr().out
    assert "layers that are new: 1 of 2" in out
    assert "COPY app /opt" in out
    assert "~  /opt/app/v" in out
    assert "/opt/app/a" not in out
    assert all(len(line) <= 120 for line in out.splitlines())


def test_diff_as_json(images: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "-q", "--json", *images]) == 0
    (platform,) = json.loads(capsys.readouterr().out)["platforms"]
    assert [(one["path"], one["change"]) for one in platform["files"]] == [("/opt/app/v", "changed")]
    assert [one["shared"] for one in platform["layers"]] == [True, False]


def test_an_image_and_itself(images: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "-q", images[0], images[0]]) == 0
    assert "a push sends nothing of it where the old one is" in capsys.readouterr().out


def test_platforms_that_do_not_fit(images: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "-q", "--platform", "linux/arm64", *images]) == 2
    assert "there is linux/amd64" in capsys.readouterr().err


def test_standard_input_twice(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "-", "-"]) == 2
    assert run(["inspect", "-", "-"]) == 2
    assert "only one of the images" in capsys.readouterr().err


@pytest.mark.parametrize("files", [[], ["--files"]])
def test_several_images(images: list[str], files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", "-q", *images, *files]) == 0
    out = capsys.readouterr().out
    assert "2 images: " in out
    assert "layers that several have" in out
    assert ("same content" in out) == bool(files)
    assert run(["inspect", "-q", *images, *files, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["images"] for one in document["layers"]] == [[0, 1]]
    assert (document["contents"] is not None) == bool(files)
    assert run(["inspect", *images, "--html", "page.html"]) == 2
