"""What layers hold, merged: what is seen, what is wasted, what is large."""

import gc
import gzip
import io
import json
import random
import tarfile
import weakref
from pathlib import Path

import pytest

from layerkit.cli.main import run
from layerkit.costs.content_types import SMALL, types_of
from layerkit.costs.contents import Contents
from layerkit.costs.kept import MIN_HEAD
from layerkit.costs.reading import Layers, read_platform
from layerkit.costs.summing import contents_of
from layerkit.errors import DamagedError, MissingBlobError
from layerkit.image.image import Image
from layerkit.progress import SILENT
from layerkit.sources import open_image
from tests import tar_building
from tests.costs.reading import platform_files
from tests.fixtures import FIXTURES
from tests.sources.builders import docker_archive, simple_layout, tar, write_tar
from tests.tar_building import directory, hard_link, layer, opaque, symlink, whiteout


def file(path: str | bytes, size: int) -> bytes:
    return tar_building.file(path, b"x" * size)


def noise(path: str, size: int) -> bytes:
    """A file that can't be compressed."""
    return tar_building.file(path, random.Random(path).randbytes(size))


def merged(*layers: list[bytes]) -> Contents:
    return contents_of(platform_files(*(layer(*runs) for runs in layers)), 10)


def seen(contents: Contents) -> dict[str, int]:
    return {found.path: found.size for found in contents.largest}


def wasted(contents: Contents) -> set[tuple[str, int, int, int]]:
    return {(found.path, found.size, found.layer, found.by) for found in contents.wasted}


def test_replaced_files_are_wasted() -> None:
    contents = merged([file("a", 5), file("b", 7)], [file("a", 3)])
    assert seen(contents) == {"/a": 3, "/b": 7}
    assert wasted(contents) == {("/a", 5, 1, 2)}
    assert (contents.size, contents.wasted_size, contents.files) == (10, 5, 2)


def test_whiteouts_hide_lower_layers_only_wherever_they_stand() -> None:
    contents = merged([file("d/a", 5), file("d/e/b", 7), file("c", 1)], [file("d/new", 9), whiteout("d"), whiteout("gone")])
    assert seen(contents) == {"/d/new": 9, "/c": 1}
    assert wasted(contents) == {("/d/a", 5, 1, 2), ("/d/e/b", 7, 1, 2)}


def test_opaque_whiteouts() -> None:
    contents = merged([file("d/a", 5), file("e", 1)], [file("d/b", 2), opaque("d")])
    assert seen(contents) == {"/d/b": 2, "/e": 1}
    assert wasted(contents) == {("/d/a", 5, 1, 2)}


def test_other_reserved_names_hide_nothing() -> None:
    contents = merged([file("plnk", 5)], [file(".wh..wh.plnk", 0), directory(".wh..wh.aufs")])
    assert (seen(contents), contents.wasted_size) == ({"/plnk": 5}, 0)


def test_bytes_with_another_path_are_not_wasted() -> None:
    below = [file("a", 5), hard_link("b", "a"), hard_link("c", "a")]
    both = merged(below, [whiteout("a"), file("b", 1)])
    assert (seen(both), both.wasted_size) == ({"/c": 5, "/b": 1}, 0)
    all_gone = merged(below, [whiteout("a"), file("b", 1)], [whiteout("c")])
    assert wasted(all_gone) == {("/a", 5, 1, 3)}


def test_a_link_to_itself_and_to_nothing() -> None:
    """Appliers remove what is there before they look for the target."""
    contents = merged([file("a", 5), hard_link("a", "a"), hard_link("b", "gone")])
    assert (seen(contents), wasted(contents)) == ({}, {("/a", 5, 1, 1)})


def test_what_a_layer_holds_twice_is_wasted_in_it() -> None:
    contents = merged([file("a", 5), hard_link("l", "a"), file("b", 7), file("d/c", 2), file("a", 1), file("b", 1), file("d", 3)])
    assert seen(contents) == {"/l": 5, "/d": 3, "/a": 1, "/b": 1}
    assert wasted(contents) == {("/b", 7, 1, 1), ("/d/c", 2, 1, 1)}


def test_parents_that_are_symlinks_are_followed() -> None:
    below = [directory("usr/lib"), symlink("lib", "usr/lib"), file("lib/x", 5)]
    contents = merged(below, [directory("usr/lib"), whiteout("usr/lib/x")])
    assert (seen(contents), wasted(contents)) == ({}, {("/lib/x", 5, 1, 2)})


def test_what_only_some_overlays_hide_counts_as_seen() -> None:
    marked = directory("d", xattrs={"user.overlay.opaque": "y"})
    contents = merged([file("d/a", 5)], [marked, file("d/b", 1)], [file("d/a", 2)])
    assert (seen(contents), wasted(contents)) == ({"/d/a": 2, "/d/b": 1}, {("/d/a", 5, 1, 3)})


def test_files_and_directories_replace_each_other() -> None:
    contents = merged([file("a/b", 5), file("c", 7), directory("d")], [file("a", 1), file("c/d", 2), directory("d")])
    assert seen(contents) == {"/a": 1, "/c/d": 2}
    assert wasted(contents) == {("/a/b", 5, 1, 2), ("/c", 7, 1, 2)}


def test_directories_that_one_in_them_explains_are_left_out() -> None:
    contents = merged(
        [
            noise("usr/lib/big", 1_000_000),
            noise("usr/lib/small", 10_000),
            noise("usr/x", 5_000),
            noise("home/a", 40_000),
            noise("home/b/c", 60_000),
        ]
    )
    assert [(found.name, found.size, found.files) for found in contents.directories] == [
        ("/usr/lib", 1_010_000, 2),
        ("/home", 100_000, 2),
        ("/home/b", 60_000, 1),
    ]


def test_a_file_with_several_paths_counts_once() -> None:
    contents = merged(
        [file("bin/a", 100), *(hard_link(f"bin/{number}", "bin/a") for number in range(50)), hard_link("sbin/b", "bin/a")]
    )
    assert [(found.name, found.size) for found in contents.directories] == [("/bin", 100)]
    assert (contents.size, contents.files) == (100, 1)


def test_very_deep_paths() -> None:
    deep = "/".join(["d"] * 8000)
    contents = merged([file(deep, 5)], [whiteout("d")])
    assert contents.wasted_size == 5
    assert merged([file(deep, 5)]).size == 5


def test_names_that_are_no_text() -> None:
    assert list(seen(merged([file(b"a\xff", 1)]))) == ["/a\\xff"]


def test_content_types() -> None:
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\x06\0\0\0"
    assert types_of([png, b"hello world\n"]) == ["image/png", "text/plain"]
    contents = merged([tar_building.file("a.png", png + bytes(MIN_HEAD)), tar_building.file("b.png", png)])
    assert {(found.name, found.files) for found in contents.types} == {("image/png", 1), (SMALL, 1)}


def image(path: Path, *layers: bytes) -> Image:
    return open_image(str(write_tar(path / "image.tar", docker_archive(*layers))))


def test_an_image(tmp_path: Path) -> None:
    found = image(tmp_path, tar({"a/one": b"x" * 20_000, "two": b"y" * 10}), tar({"a/.wh.one": b"", "two": b"z" * 30}))
    contents = contents_of(read_platform(found, found.platforms()[0], Layers(SILENT)), 5)
    assert seen(contents) == {"/two": 30}
    assert wasted(contents) == {("/a/one", 20_000, 1, 2), ("/two", 10, 1, 2)}


def test_a_layer_listed_twice_is_decoded_once(tmp_path: Path) -> None:
    same = tar({"a": b"x" * 10})
    found = image(tmp_path, same, same, same)
    contents = contents_of(read_platform(found, found.platforms()[0], Layers(SILENT)), 5)
    assert (contents.size, contents.wasted_size) == (10, 0)
    assert [layer.cost > 0 for layer in contents.layers] == [True, False, False]


def test_damaged_layers(tmp_path: Path) -> None:
    found = image(tmp_path, tar({"a": b"x" * 5000})[:2048])
    with pytest.raises(DamagedError, match=r"image\.tar: layer 1 \("):
        contents_of(read_platform(found, found.platforms()[0], Layers(SILENT)), 5)
    files = {name: data for name, data in simple_layout("a").items() if not data.startswith(b"\x1f\x8b")}
    missing = open_image(str(write_tar(tmp_path / "missing.tar", files)))
    with pytest.raises(MissingBlobError):
        read_platform(missing, missing.platforms()[0], Layers(SILENT))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = image(tmp_path, tar({f"f{number}": b"x" * (number + 1) for number in range(30)}), tar({"f29": b""})).name
    for arguments, count in (
        [[path, "--files"], 10],
        [["--files", path], 10],
        [["--files", "3", path], 3],
        [["--files=4", path], 4],
    ):
        assert isinstance(arguments, list)
        assert run(["inspect", "--json", *arguments]) == 0
        (contents,) = json.loads(capsys.readouterr().out)["contents"]
        assert len(contents["largest"]) == count
        assert {found["path"] for found in contents["largest"]} < {f"/f{number}" for number in range(29)}
        assert [(found["path"], found["size"], found["layer"], found["by"]) for found in contents["wasted"]] == [
            ("/f29", 30, 1, 2)
        ]
    assert run(["inspect", "--files", path]) == 0
    out = capsys.readouterr().out
    assert "30 files, 435 B; about " in out
    assert "1 → 2  /f29" in out
    assert run(["inspect", "--files", "0", path]) == 2


@pytest.mark.parametrize(
    "name", ["dive/test-docker-image.tar", "dive/test-oci-estargz-image.tar", "snyk-docker-plugin/busybox.arm64.tar"]
)
def test_against_tarfile(name: str) -> None:
    """The sizes of real layers' files, as Python's own reader counts them."""
    path = FIXTURES / "images" / name
    if not path.exists():
        pytest.skip("the folder of real images is absent")
    found = open_image(str(path))
    platform = found.platforms()[0]
    contents = contents_of(read_platform(found, platform, Layers(SILENT)), 10)
    stored = 0
    for descriptor in platform.manifest.layers:
        data = b"".join(bytes(chunk) for chunk in found.blob(descriptor).chunks())
        raw = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        with tarfile.open(fileobj=io.BytesIO(raw)) as packed:
            stored += sum(member.size for member in packed if member.isreg())
    assert contents.size + contents.wasted_size == stored


def test_whiteouts_are_no_files() -> None:
    contents = merged([file("a", 5), file("b", 5)], [whiteout("a"), opaque("d"), file("c", 5)])
    assert [found.files for found in contents.layers] == [2, 1]


def test_what_nobody_has_any_more_is_gone(tmp_path: Path) -> None:
    """Platforms are looked at one after the other, and each is as large as memory allows."""
    found = image(tmp_path, tar({"var/lib/dpkg/status": b"Package: a\n", "large": bytes(40_000)}))
    layers = Layers(SILENT)
    gc.disable()
    try:
        read = read_platform(found, found.platforms()[0], layers)
        columns = weakref.ref(read.files.distinct[0])
        assert layers.kept.whole
        assert layers.kept.heads()
        contents_of(read, 5)
        del read
        assert columns() is None
    finally:
        gc.enable()
    assert layers.kept.whole == layers.kept.heads() == {}


def test_contents_that_nobody_asks_for(tmp_path: Path) -> None:
    found = image(tmp_path, tar({"var/lib/dpkg/status": b"Package: a\n", "large": bytes(40_000)}))
    layers = Layers(SILENT, contents=False)
    read = read_platform(found, found.platforms()[0], layers)
    assert contents_of(read, 5).files == 2
    assert layers.kept.whole == layers.kept.heads() == {}
