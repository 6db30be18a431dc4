"""`layerkit fix`: names, what is saved before the result has its name, and an output that is the input."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import layerkit
from layerkit.cli import main
from layerkit.image.image import Image
from layerkit.image.layout import CONTAINERD_NAME, REF_NAME
from tests.images import attested_archive, large, small
from tests.sources.builders import Files, add_manifest, docker_archive, layer, layout, write_folder, write_tar

LIMIT = ("--max-layer-size", "100KB")


def run(*arguments: object) -> int:
    return main.run(list(map(str, arguments)))


def names(path: object) -> list[str]:
    return [name.text for name in layerkit.open_image(str(path)).names]


# Names


@pytest.mark.parametrize("form", ["{}/out.tar", "oci-archive:{}/out.tar", "docker-archive:{}/out.tar", "oci:{}/out"])
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([{REF_NAME: "v1"}], ["v1"]),
        ([{REF_NAME: "me/a:1"}, {REF_NAME: "me/b:2"}], ["docker.io/me/a:1", "docker.io/me/b:2"]),
        ([{REF_NAME: "v1"}, {REF_NAME: "latest"}], ["v1", "latest"]),
        ([{REF_NAME: "1", CONTAINERD_NAME: "docker.io/me/a:1"}], ["docker.io/me/a:1"]),
        ([{}], []),
    ],
)
def test_the_names_of_a_layout_survive(tmp_path: Path, form: str, given: list[dict[str, str]], kept: list[str]) -> None:
    files: Files = {}
    entry = add_manifest(files, "a")
    entries = [{**entry, "annotations": annotations} if annotations else entry for annotations in given]
    source = write_tar(tmp_path / "in.tar", layout(files, *entries))
    assert run("fix", source, form.format(tmp_path)) == 0
    output = tmp_path / ("out" if form.startswith("oci:") else "out.tar")
    assert names(output) == kept
    for annotations in given:
        for name in annotations.values():
            assert layerkit.open_image(f"{'oci' if output.is_dir() else 'oci-archive'}:{output}:{name}").root.digest


@pytest.mark.parametrize("form", ["{}/out.tar", "docker-archive:{}/out.tar", "oci:{}/out"])
def test_the_second_tag_of_a_docker_archive_survives(tmp_path: Path, form: str) -> None:
    source = write_tar(tmp_path / "in.tar", docker_archive(layer("a"), tags=["me/app:1", "localhost/app:latest"]))
    assert run("fix", source, form.format(tmp_path)) == 0
    output = tmp_path / ("out" if form.startswith("oci:") else "out.tar")
    assert names(output) == ["docker.io/me/app:1", "localhost/app:latest"]
    if output.is_file():
        docker = f"docker-archive:{output}"
        assert names(docker) == ["docker.io/me/app:1", "localhost/app:latest"]


def test_the_name_that_is_chosen_is_the_one_that_is_kept(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "in.tar", docker_archive(layer("a"), tags=["me/app:1", "me/app:2"]))
    assert run("fix", f"docker-archive:{source}:me/app:2", tmp_path / "out.tar") == 0
    assert names(tmp_path / "out.tar") == ["docker.io/me/app:2"]


def test_a_name_that_is_given_replaces_them_all(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "in.tar", docker_archive(layer("a"), tags=["me/app:1", "me/app:2"]))
    assert run("fix", source, f"oci:{tmp_path}/out:stable") == 0
    assert names(tmp_path / "out") == ["stable"]


def test_two_images_into_one_layout_are_two(tmp_path: Path) -> None:
    for text, tags in (("a", ["me/app:1"]), ("b", ["me/app:2", "me/app:latest"]), ("c", None), ("d", None)):
        source = write_tar(tmp_path / f"{text}.tar", docker_archive(layer(text), tags=tags))
        assert run("fix", source, f"oci:{tmp_path}/out") == 0
    entries = json.loads((tmp_path / "out/index.json").read_bytes())["manifests"]
    assert len({entry["digest"] for entry in entries}) == 4
    digests = {layerkit.open_image(f"oci:{tmp_path}/out:me/app:{tag}").root.digest for tag in ("1", "2", "latest")}
    assert len(digests) == 2


# Saving


def test_attestations_are_saved_before_the_result_has_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = attested_archive(tmp_path / "in.tar", [large()])
    (tmp_path / "saved").write_text("no folder")
    assert run("fix", source, tmp_path / "out.tar", "--save-attestations", tmp_path / "saved") == 2
    (tmp_path / "saved").unlink()
    (tmp_path / "saved").mkdir()
    (digest,) = (about.descriptor.digest for about in layerkit.open_image(source).referrers())
    (tmp_path / "saved" / f"{digest[7:19]}.manifest.json").mkdir()  # nothing can be written under that name
    assert run("fix", source, tmp_path / "out.tar", "--save-attestations", tmp_path / "saved") == 4
    assert not (tmp_path / "out.tar").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".partial")]
    assert "is a directory" in capsys.readouterr().err
    assert run("fix", source, tmp_path / "out.tar", "--save-attestations", tmp_path / "fresh" / "folder") == 0
    saved = sorted(path.name for path in (tmp_path / "fresh" / "folder").iterdir())
    assert saved == [f"{digest[7:19]}.manifest.json", f"{digest[7:19]}.statement-1.json"]


# In place


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return attested_archive(tmp_path / "image.tar", [small(), large()])


@pytest.mark.parametrize(
    "output",
    [
        lambda path: path,
        lambda path: f"oci-archive:{path}",
        lambda path: os.path.relpath(path),
        lambda path: str(path.parent / "." / "link"),
    ],
    ids=["path", "transport", "relative", "link"],
)
def test_an_image_is_not_replaced_unasked(
    image: Path, output: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    (image.parent / "link").symlink_to(image)
    before, digest = image.read_bytes(), layerkit.open_image(image).root.digest
    assert run("fix", image, output(image), *LIMIT) == 2
    assert "--in-place" in capsys.readouterr().err
    assert image.read_bytes() == before
    original = image.parent / "original.tar"
    original.write_bytes(before)
    assert run("fix", image, output(image), *LIMIT, "--in-place") == 0
    assert layerkit.open_image(image).root.digest != digest
    assert layerkit.verify(layerkit.open_image(original), layerkit.open_image(image)) == []


def test_a_layout_takes_the_result_beside_the_image(tmp_path: Path) -> None:
    files: Files = {}
    folder = write_folder(tmp_path / "layout", layout(files, add_manifest(files, "a", annotations={REF_NAME: "v1"})))
    assert run("fix", f"oci:{folder}:v1", f"oci:{folder}:v1") == 2
    assert run("fix", f"oci:{folder}:v1", f"oci:{folder}") == 2
    assert run("fix", f"oci:{folder}:v1", f"oci:{folder}:v1-fixed") == 0
    found: list[Image] = [layerkit.open_image(f"oci:{folder}:{name}") for name in ("v1", "v1-fixed")]
    assert [str(image.platforms()[0].platform) for image in found] == ["linux/amd64"] * 2
