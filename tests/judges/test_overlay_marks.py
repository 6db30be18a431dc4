"""Marks that overlays leave in layers: what each way of mounting shows of parts that repeat them, and of parts that don't.

Every judge is one more opinion on `filesystem/marks.py`: where it says that two stacks are the same, all show the same; and
what it says a mark hides is hidden from the overlay that heeds it.
"""

import time
from collections.abc import Iterator

import pytest

from layerkit import fix, open_image, verify
from layerkit.image.image import Image
from layerkit.plan.overlay_marks import without_marks
from tests.fixtures import FIXTURES
from tests.judges.conftest import running
from tests.judges.engines import JUDGES, Judge
from tests.judges.overlays import MOUNTS
from tests.judges.walker import Seen, differences, walk
from tests.layered import image_of
from tests.tar_building import char_device, directory, file, layer, opaque

pytestmark = pytest.mark.real

BELOW = layer(directory("d", mtime=1), file("d/low", b"low", mtime=1), directory("other", mtime=1), file("other/file", mtime=1))
HEEDED = {
    "trusted.overlay.opaque": {"overlay", "fuse-overlayfs", "dockerd", "podman"},
    "user.overlay.opaque": {"overlay with userxattr", "fuse-overlayfs"},
    "user.fuseoverlayfs.opaque": {"fuse-overlayfs"},
}
"""Mark -> the judges from which it hides what is below. containerd sets no xattr of `trusted.`, umoci mounts nothing."""


@pytest.fixture(scope="module", params=[*JUDGES, *MOUNTS], ids=lambda judge: str(judge.name))
def overlay_judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    with running(request.param) as started:
        yield started


def seen(judge: Judge, image: Image) -> dict[bytes, Seen]:
    with judge.mounted(image) as root:
        return walk(root)


def marked(name: str, value: str = "y") -> bytes:
    return directory("d", mode=0o750, mtime=5, xattrs={name: value, "user.a": "1"})


FILES = [file(f"d/{number}", b"%d" % number, mtime=5) for number in range(3)]


@pytest.mark.parametrize("name", HEEDED)
def test_parts_that_do_not_repeat_it(overlay_judge: Judge, name: str) -> None:
    since = time.time_ns()
    before = image_of(BELOW, layer(marked(name), *FILES))
    after = image_of(BELOW, layer(marked(name), FILES[0]), *(layer(without_marks(marked(name)), run) for run in FILES[1:]))
    assert verify(before, after) == []
    expected, found = seen(overlay_judge, before), seen(overlay_judge, after)
    assert differences(expected, found, since) == []
    assert {b"d/0", b"d/1", b"d/2", b"other/file"} <= expected.keys()
    assert (b"d/low" in expected) == (overlay_judge.name not in HEEDED[name])


@pytest.mark.parametrize("name", HEEDED)
def test_parts_that_repeat_it(overlay_judge: Judge, name: str) -> None:
    """`verify` sees it, whoever else does."""
    parts = image_of(BELOW, *(layer(marked(name), run) for run in FILES))
    changed = {item.path for item in verify(image_of(BELOW, layer(marked(name), *FILES)), parts) if "hidden" in item.what}
    assert changed == {"/d/0", "/d/1", "/d/low"}
    shown = seen(overlay_judge, parts).keys() & {b"d/0", b"d/1", b"d/2"}
    assert shown == ({b"d/2"} if overlay_judge.name in HEEDED[name] else {b"d/0", b"d/1", b"d/2"})


@pytest.mark.parametrize("value", ["x", "n"])
@pytest.mark.parametrize("name", HEEDED)
def test_values_that_hide_nothing(overlay_judge: Judge, name: str, value: str) -> None:
    repeated = image_of(BELOW, *(layer(marked(name, value), run) for run in FILES))
    assert verify(image_of(BELOW, layer(marked(name, value), *FILES)), repeated) == []
    assert {b"d/low", b"d/0", b"d/1", b"d/2"} <= seen(overlay_judge, repeated).keys()


def test_markers_of_layers_hide_from_all(overlay_judge: Judge) -> None:
    image = image_of(BELOW, layer(marked("user.overlay.impure"), opaque("d"), FILES[0]))
    assert seen(overlay_judge, image).keys() & {b"d/low", b"d/0"} == {b"d/0"}


def test_a_device_of_no_number_is_a_whiteout_to_overlays(overlay_judge: Judge) -> None:
    image = image_of(BELOW, layer(directory("d", mtime=5), char_device("d/low", 0, 0), FILES[0]))
    assert (b"d/low" in seen(overlay_judge, image)) == (overlay_judge.name == "umoci")


@pytest.mark.skipif(not (FIXTURES / "cases").is_dir(), reason="the folder of cases is absent")
@pytest.mark.parametrize("name", ["t-fuse-opaque-xattr.tar", "t-overlay-opaque-xattr.tar"])
def test_cases(overlay_judge: Judge, name: str) -> None:
    """What builders did leave."""
    since = time.time_ns()
    before = open_image(FIXTURES / "cases" / name)
    after = fix(before, max_layer_size=90_000)
    assert verify(before, after) == []
    expected, found = seen(overlay_judge, before), seen(overlay_judge, after)
    assert differences(expected, found, since) == []
    assert {b"d/1", b"d/2", b"d/3", b"d/4"} <= found.keys()
