"""Folders on disk: what is in them and nothing else, with few files open at a time."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from layerkit.destinations import open_destination
from layerkit.errors import DamagedError, ImageError
from layerkit.image.blob import FileRange
from layerkit.report.validation import validate
from layerkit.sources import open_image
from layerkit.sources.folder import Directory
from tests.sources.builders import Files, add_manifest, docker_archive, layer, layout, write_folder

OUT = "a link that leads out of it"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_bytes(b"secret")
    inside = tmp_path / "folder"
    (inside / "a" / "b").mkdir(parents=True)
    (inside / "a" / "file").write_bytes(b"content")
    (inside / "top").write_bytes(b"top")
    return inside


def content(found: FileRange | None) -> bytes | None:
    return None if found is None else b"".join(map(bytes, found.chunks()))


@pytest.mark.parametrize(
    ("link", "target", "path"),
    [
        ("l", "a/file", "l"),
        ("a/b/l", "../file", "a/b/l"),
        ("l", "a", "l/file"),
        ("l", "./a/../a//file", "l"),
        ("l", "a/b/../file", "l"),
    ],
)
def test_links_inside_are_followed(folder: Path, link: str, target: str, path: str) -> None:
    (folder / link).symlink_to(target)
    assert content(Directory(folder, "x").find(path)) == b"content"


@pytest.mark.parametrize(
    ("link", "target", "path"),
    [
        ("l", "../secret", "l"),
        ("a/b/l", "../../../secret", "a/b/l"),
        ("l", "..", "l/secret"),
        ("l", "a/../../secret", "l"),
        ("l", "/etc/passwd", "l"),
        ("l", "/", "l/etc/passwd"),
        ("l", "../folder/top", "l"),
    ],
)
def test_links_that_lead_out_are_refused(folder: Path, link: str, target: str, path: str) -> None:
    (folder / link).symlink_to(target)
    with pytest.raises(DamagedError, match=f"x/{path}: expected a file inside the folder, found {OUT}"):
        Directory(folder, "x").find(path)
    with pytest.raises(DamagedError, match=OUT):
        Directory(folder, "x").children(path)


def test_a_link_through_two_others_that_leads_out(folder: Path) -> None:
    (folder / "one").symlink_to("a/b")
    (folder / "a" / "b" / "two").symlink_to("../..")
    (folder / "three").symlink_to("one/two/../secret")
    with pytest.raises(DamagedError, match=OUT):
        Directory(folder, "x").find("three")
    (folder / "four").symlink_to("one/two/top")
    assert content(Directory(folder, "x").find("four")) == b"top"


def test_links_in_a_circle(folder: Path) -> None:
    (folder / "l").symlink_to("m")
    (folder / "m").symlink_to("l")
    with pytest.raises(DamagedError, match="links that lead in a circle"):
        Directory(folder, "x").find("l")


@pytest.mark.parametrize("path", ["none", "a", "top/x", "a\0b", "\ud800", "a/none", "l", "pipe"])
def test_what_is_no_file_is_not_there(folder: Path, path: str) -> None:
    (folder / "l").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")  # opening it would wait for a writer
    assert Directory(folder, "x").find(path) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_bytes(b"other c"),
        lambda file: (file.unlink(), file.write_bytes(b"content")),
        lambda file: (file.unlink(), file.symlink_to("../../secret")),
        lambda file: file.unlink(),
    ],
    ids=["altered", "replaced", "made a link", "gone"],
)
def test_a_file_that_changes_meanwhile(folder: Path, change: Callable[[Path], object]) -> None:
    found = Directory(folder, "x").find("a/file")
    change(folder / "a" / "file")
    with pytest.raises(ImageError, match="x/a/file: "):
        content(found)


def test_a_layout_with_a_link_out_of_it(tmp_path: Path) -> None:
    files: Files = {}
    entry = add_manifest(files, "a")
    name = f"blobs/sha256/{entry['digest'].partition(':')[2]}"
    folder = write_folder(tmp_path / "layout", layout(files, entry))
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DamagedError, match=OUT):
        open_image(str(folder))


def test_an_unpacked_archive_with_links_between_its_layers(tmp_path: Path) -> None:
    files = docker_archive(layer("a"), layer("a"))
    folder = write_folder(tmp_path / "archive", files)
    one, two = sorted(path for path in folder.rglob("layer.tar"))
    two.unlink()
    two.symlink_to(f"../{one.parent.name}/layer.tar")
    assert validate(open_image(str(folder))) == []


def test_many_blobs_need_few_files(tmp_path: Path) -> None:
    files: Files = {}
    folder = write_folder(tmp_path / "layout", layout(files, add_manifest(files, *map(str, range(500)))))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(100, hard), hard))
    try:
        image = open_image(str(folder))
        with open_destination(f"oci:{tmp_path}/out") as destination:
            destination.finish(image)
        assert len(list(image.blobs)) == 502
        assert validate(open_image(f"oci:{tmp_path}/out")) == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
