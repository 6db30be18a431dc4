"""A part that repeats a directory must not hide what the parts below it hold."""

import pytest

from layerkit.plan.overlay_marks import hides_below, reads_below, without_marks
from layerkit.tar.framing import Framer, Member
from tests.tar_building import directory, file

XATTR = b"SCHILY.xattr."


def member(run: bytes) -> Member:
    (found,) = Framer("layer").feed(run)
    return found


HIDING = [
    ("trusted.overlay.opaque", "y"),
    ("user.overlay.opaque", "y"),
    ("user.fuseoverlayfs.opaque", "y"),
    ("trusted.overlay.opaque", "yes"),
    ("trusted.overlay.redirect", "/usr"),
    ("user.overlay.redirect", "beside"),
]
HARMLESS = [
    ("trusted.overlay.opaque", "x"),
    ("user.overlay.opaque", "n"),
    ("user.fuseoverlayfs.origin", "y"),
    ("trusted.overlay.origin", "y"),
    ("trusted.overlay.impure", "y"),
    ("trusted.overlay.overlay.opaque", "y"),
    ("user.containers.override_stat", "0:0:0755"),
    ("user.mime", "y"),
]


@pytest.mark.parametrize(("name", "value"), HIDING)
def test_what_hides(name: str, value: str) -> None:
    run = directory("d", mode=0o750, xattrs={name: value, "user.a": "1"}, mtime=5)
    assert hides_below(member(run))
    left = member(without_marks(run))
    assert left.pax == {XATTR + b"user.a": b"1"}
    assert left.head[-512:] == run[-512:]
    assert not hides_below(left)
    assert without_marks(left.head) is left.head
    assert without_marks(directory("d", xattrs={name: value}, mtime=5)) == directory("d", mtime=5)


@pytest.mark.parametrize(("name", "value"), HARMLESS)
def test_what_does_not(name: str, value: str) -> None:
    run = directory("d", xattrs={name: value})
    assert not hides_below(member(run))
    assert without_marks(run) == run


def test_a_file_hides_nothing_by_its_marks() -> None:
    assert not hides_below(member(file("f", xattrs={"trusted.overlay.opaque": "y"})))


def test_what_reads_below() -> None:
    assert reads_below(member(directory("d", xattrs={"trusted.overlay.redirect": "/usr"})))
    assert reads_below(member(file("f", xattrs={"user.overlay.metacopy": ""}))), "as Linux wrote it before 6.6"
    assert reads_below(member(file("f", xattrs={"trusted.overlay.metacopy": b"\0\4\0\0"})))
    assert not reads_below(member(directory("d", xattrs={"trusted.overlay.opaque": "y"})))
    assert not reads_below(member(file("f", xattrs={"trusted.overlay.redirect": "/usr"})))
