"""OCI layouts in directories: new ones, additions, and nothing half done."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from layerkit.destinations import open_destination
from layerkit.destinations.oci_layout import OciLayout
from layerkit.errors import DamagedError, ImageError, OutputError, UsageError
from layerkit.image.blob import Blob, Buffer, Bytes
from layerkit.image.digest import Digest, encoded
from layerkit.image.image import Image
from layerkit.report.validation import validate
from layerkit.sources import open_image
from tests.contents import Stream
from tests.layered import image_of
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


def blob_file(folder: Path, digest: Digest) -> Path:
    return folder / "blobs" / "sha256" / digest.partition(":")[2]


@pytest.mark.parametrize("damage", [lambda data: data[:-1] + b"?", lambda data: data[:-1], lambda data: b""])
def test_a_blob_that_is_there_counts_when_it_is_what_it_says(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    target, image = tmp_path / "out", source(tmp_path, "a", "b")
    OciLayout(target, name="me/a:1").finish(image)
    layer = blob_file(target, image.platforms()[0].manifest.layers[0].digest)
    sound = layer.read_bytes()
    layer.write_bytes(damage(sound))
    OciLayout(target, name="me/a:2").finish(image)
    assert layer.read_bytes() == sound
    assert validate(open_image(f"oci:{target}:me/a:2")) == []


def test_a_link_in_place_of_a_blob_is_replaced_not_followed(tmp_path: Path) -> None:
    target, image = tmp_path / "out", source(tmp_path, "a")
    OciLayout(target, name="me/a:1").finish(image)
    layer = blob_file(target, image.platforms()[0].manifest.layers[0].digest)
    (tmp_path / "elsewhere").write_bytes(b"x" * layer.stat().st_size)
    layer.unlink()
    layer.symlink_to(tmp_path / "elsewhere")
    OciLayout(target, name="me/a:2").finish(image)
    assert not layer.is_symlink()
    assert validate(open_image(f"oci:{target}:me/a:2")) == []
    assert (tmp_path / "elsewhere").read_bytes().strip(b"x") == b""


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "oci-layout").write_bytes(b"{}")
    (tmp_path / "out" / "index.json").write_bytes(b'{"manifests":[]}')
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "blobs").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="expected a folder, found a link"), OciLayout(tmp_path / "out") as destination:
        destination.finish(source(tmp_path, "a"))
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (tmp_path / "out" / "index.json").unlink()
    (tmp_path / "other.json").write_bytes(b'{"manifests":[]}')
    (tmp_path / "out" / "index.json").symlink_to(tmp_path / "other.json")
    with pytest.raises(DamagedError, match="a link that leads out of it"):
        OciLayout(tmp_path / "out")
    assert (tmp_path / "other.json").read_bytes() == b'{"manifests":[]}'


WRITER = """
import sys
from pathlib import Path
from layerkit.destinations.oci_layout import OciLayout
from layerkit.sources import open_image
target, image, name = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
with OciLayout(Path(target), name=name) as destination:
    destination.finish(open_image(image))
"""


@pytest.mark.parametrize("there", [False, True], ids=["a new layout", "one that is there"])
def test_writers_at_once_lose_nothing(tmp_path: Path, there: bool) -> None:
    target = tmp_path / "out"
    if there:
        OciLayout(target, name="me/first:1").finish(source(tmp_path, "first"))
    images = {f"me/app:{number}": source(tmp_path, "shared", str(number)) for number in range(4)}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(target), image.name, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name, image in images.items()
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    assert [writer.communicate(timeout=60) and writer.returncode for writer in writers] == [0] * 4
    for name, image in images.items():
        found = open_image(f"oci:{target}:{name}")
        assert found.root.digest == image.root.digest
        assert validate(found) == []
    assert len(entries(target)) == 4 + there
    assert not [path for path in everything(tmp_path) if "partial" in path]


def test_a_writer_that_fails_takes_nothing_from_another(tmp_path: Path) -> None:
    """Both have the same blob; the one whose image is damaged goes last."""
    target = tmp_path / "out"
    image = source(tmp_path, "shared", "b")
    with OciLayout(target) as failing:
        for layer in image.platforms()[0].manifest.layers:
            failing.offer(image.blob(layer), "layer")
        OciLayout(target, name="me/a:1").finish(image)
    assert validate(open_image(f"oci:{target}:me/a:1")) == []


def test_a_blob_that_is_written_while_it_is_made(tmp_path: Path) -> None:
    image = image_of(b"one" * 1000)
    blob = image.blob(image.platforms()[0].manifest.layers[0])
    data = b"".join(map(bytes, blob.chunks()))
    with OciLayout(tmp_path / "out") as destination:
        for _ in range(2):  # the second time it is there already
            writing = destination.begin("layer")
            assert writing is not None
            writing.write(data[:10] + b"something else")
            writing.rewind(10)
            writing.write(data[10:])
            writing.finish(blob)
        left = destination.begin("left")
        assert left is not None
        left.write(b"of no use")
        left.discard()
        destination.finish(image)
    files = sorted(path.name for path in (tmp_path / "out" / "blobs" / "sha256").iterdir())
    assert files == sorted(encoded(digest) for digest in image.blobs)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["blobs", "index.json", "oci-layout"]
