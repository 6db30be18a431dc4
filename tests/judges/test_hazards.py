"""All hazards in one image, split in several ways: the root that each engine mounts stays the same."""

import random
import time

import pytest

from layerkit.filesystem import verify
from layerkit.image.image import Image
from tests.hazards import hazards
from tests.judges.engines import Judge
from tests.judges.walker import differences, walk
from tests.layered import image_of
from tests.splitting import LIMIT, ballast, split_tar
from tests.tar_building import directory, file, hard_link, layer, symlink

pytestmark = pytest.mark.real

EVERY = 9
"""Members from one cut to the next: some thirty parts, well below what engines can stack."""

NAMES = [name for name, hazard in hazards().items() if hazard.unpacks and not hazard.may_refuse]


def all_hazards() -> tuple[list[bytes], list[bytes]]:
    """What is below, and the members of the layer to be split, each hazard in a folder of its own."""
    below: list[bytes] = [file("below", b"x")]
    runs: list[bytes] = []
    for number, name in enumerate(NAMES):
        hazard = hazards(f"h{number:02}/").get(name)
        if hazard is not None:
            below += [run for tar in hazard.below for run in tar]
            runs += hazard.runs
    return below, runs


def images(first: int) -> tuple[Image, Image]:
    """Before and after: cut before every ninth member, beginning with `first`."""
    below, runs = all_hazards()
    pieces: list[bytes] = []
    for number, run in enumerate(runs):
        if number % EVERY == first:
            pieces += [ballast(2 * number), ballast(2 * number + 1)]
        pieces.append(run)
    whole = layer(*pieces)
    parts = split_tar(whole, LIMIT)
    assert 20 < len(parts) < 100
    top = layer(file("top", b"y"))
    return image_of(layer(*below), whole, top), image_of(layer(*below), *parts, top)


@pytest.mark.parametrize("first", [0, 5])
def test_all_hazards(judge: Judge, first: int) -> None:
    since = time.time_ns()
    before, after = images(first)
    assert verify(before, after) == []
    with judge.mounted(before) as root:
        expected = walk(root)
    with judge.mounted(after) as root:
        found = walk(root)
    assert len(expected) > 3 * len(NAMES)
    assert differences(expected, found, since) == []


WRONG = {
    "directory not repeated": (
        [directory("d", mode=0o700, mtime=1), file("d/a"), file("d/b")],
        [[directory("d", mode=0o700, mtime=1), file("d/a")], [file("d/b")]],
    ),
    "symlinked parent not repeated": (
        [directory("usr/lib"), symlink("lib", "usr/lib"), file("lib/a")],
        [[directory("usr/lib"), symlink("lib", "usr/lib")], [file("lib/a")]],
    ),
    "link became a file": ([file("a", b"1"), hard_link("b", "a")], [[file("a", b"1"), file("b", b"1")]]),
    "time": ([file("a", b"1")], [[file("a", b"1", mtime=7)]]),
    "mode": ([file("a", b"1")], [[file("a", b"1", mode=0o4755)]]),
    "xattr": ([file("a", b"1", xattrs={"user.a": "1"})], [[file("a", b"1")]]),
}


@pytest.mark.parametrize("name", WRONG)
def test_judges_and_verify_see_what_is_wrong(judge: Judge, name: str) -> None:
    """The tests above would be worth nothing otherwise. umoci applies layers to one folder, where parents are found again."""
    runs, parts = WRONG[name]
    since = time.time_ns()
    before, after = image_of(layer(*runs)), image_of(*(layer(*part) for part in parts))
    assert verify(before, after) != []
    if "not repeated" in name and judge.name in ("umoci", "containerd") and "symlinked" not in name:
        pytest.skip(f"{judge.name} takes a missing parent's attributes from the layers below")
    if judge.name == "umoci" and "symlinked" in name:
        pytest.skip("umoci finds the symlink of a lower layer")
    with judge.mounted(before) as root:
        expected = walk(root)
    with judge.mounted(after) as root:
        found = walk(root)
    assert differences(expected, found, since) != []


def test_walker_says_what_differs(tmp_path_factory: pytest.TempPathFactory) -> None:
    rng = random.Random(1)
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    data = rng.randbytes(10)
    for root in (one, other):
        (root / "a").write_bytes(data)
        (root / "b").write_bytes(data)
    (other / "b").unlink()
    (other / "b").hardlink_to(other / "a")
    (other / "c").symlink_to("a")
    found = differences(walk(one), walk(other), 0)
    assert found == ["b'b': shares_with: b'b' -> b'a'", "b'c' is new"]
