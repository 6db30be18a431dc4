"""OCI layouts in directories: new ones, additions, and nothing half done."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from layerkit.destinations import open_destination
from layerkit.destinations.oci_layout import OciLayout
from layerkit.errors import DamagedError, ImageError, OutputError, UsageError
from layerkit.image.blob import Blob, Buffer, Bytes
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.image.validation import validate
from layerkit.sources import open_image
from tests.contents import Stream
from tests.sources.builders import simple_layout, write_tar


def source(folder: Path, *texts: str) -> Image:
    return open_image(str(write_tar(folder / f"{'-'.join(texts)}.tar", simple_layout(*texts))))


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def entries(folder: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((folder / "index.json").read_bytes())["manifests"]
    return found


@pytest.mark.parametrize("there", [False, True])
def test_a_new_layout(tmp_path: Path, there: bool) -> None:
    target = tmp_path / "out"
    if there:
        target.mkdir()
    image = source(tmp_path, "a", "b")
    assert open_destination(f"oci:{target}:me/app:1").finish(image) == image.root.digest
    again = open_image(str(target))
    assert (again.root.digest, again.reference) == (image.root.digest, "docker.io/me/app:1")
    assert validate(again) == []
    assert everything(tmp_path) & {".out"} == set()
    assert [path for path in tmp_path.iterdir() if ".partial" in path.name] == []


def test_nothing_shows_before_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "out"
    image = source(tmp_path, "a")
    destination = OciLayout(target)
    for descriptor in image.platforms()[0].manifest.layers:
        destination.offer(image.blob(descriptor), "layer")
    assert not target.exists()
    destination.finish(image)
    assert target.exists()


def test_images_are_added_to_a_layout(tmp_path: Path) -> None:
    target = tmp_path / "out"
    for text, name in [("a", "me/a:1"), ("b", "me/b:1"), ("c", "me/a:1")]:
        OciLayout(target, name=name).finish(source(tmp_path, text))
    assert len(entries(target)) == 2
    for text, name in [("c", "me/a:1"), ("b", "me/b:1")]:
        assert open_image(f"oci:{target}:{name}").root.digest == source(tmp_path, text).root.digest


def test_images_without_a_name_are_several(tmp_path: Path) -> None:
    target = tmp_path / "out"
    for text in ("a", "b", "a"):
        OciLayout(target).finish(source(tmp_path, text))
    assert len(entries(target)) == 2
    with pytest.raises(UsageError, match="several images; choose one with"):
        open_image(str(target))
    for number, text in enumerate(("b", "a")):
        assert open_image(f"oci:{target}:@{number}").root.digest == source(tmp_path, text).root.digest


def test_a_directory_that_is_no_layout_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="expected a new or empty directory, or an OCI layout; found a directory with other"):
        OciLayout(tmp_path)
    with pytest.raises(OutputError, match="found something else"):
        OciLayout(tmp_path / "file")
    with pytest.raises(OutputError, match="No such file"):
        OciLayout(tmp_path / "no" / "where")
    assert everything(tmp_path) == {"file"}


def test_a_broken_layout_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "oci-layout").touch()
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(ImageError):
        OciLayout(tmp_path)
    assert (tmp_path / "index.json").read_text() == "{"


@pytest.mark.parametrize("existing", [False, True])
def test_failure_leaves_what_was(tmp_path: Path, existing: bool) -> None:
    target = tmp_path / "out"
    if existing:
        OciLayout(target, name="me/a:1").finish(source(tmp_path, "a"))
    image = source(tmp_path, "new", "layers")
    before = everything(tmp_path)
    last = image.platforms()[0].manifest.config
    bad = replace(image, blobs={**image.blobs, last.digest: Blob(last.digest, Bytes(b"x" * last.size))})
    with pytest.raises(DamagedError), OciLayout(target) as destination:
        destination.finish(bad)
    assert everything(tmp_path) == before


def test_left_in_the_middle_of_a_blob(tmp_path: Path) -> None:
    begun = threading.Event()

    class Endless(Stream):
        def chunks(self, offset: int = 0) -> Iterator[Buffer]:
            while True:
                yield b"x" * 100
                begun.set()

    with OciLayout(tmp_path / "out") as destination:
        destination.offer(Blob(Digest("sha256:" + "0" * 64), Endless(1 << 40)), "layer")
        assert begun.wait(10)
    assert everything(tmp_path) == set()
