"""Entries without their times differ in nothing else, and are the same whatever the times were."""

import io
import tarfile
from typing import Literal

import pytest

from layerkit.plan.directory_times import is_shelf, timeless
from layerkit.tar.framing import Framer

Form = Literal[0, 1, 2]


def _entry(mtime: float, *, form: Form, name: str = "usr/lib", xattr: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid, info.mtime = tarfile.DIRTYPE, 0o1750, 33, 44, mtime
    if form == tarfile.PAX_FORMAT:
        info.pax_headers = {"atime": str(mtime), "ctime": str(mtime + 1)}
        if xattr:
            info.pax_headers["SCHILY.xattr.user.x"] = xattr
    return info.tobuf(form, "utf-8", "surrogateescape")


def _read(head: bytes) -> tarfile.TarInfo:
    (member,) = Framer("entry").feed(head)
    assert member.data == len(head)
    with tarfile.open(fileobj=io.BytesIO(head + bytes(1024))) as archive:
        info = archive.next()
    assert info is not None
    return info


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["usr/lib", "long/" * 40 + "name"])
def test_only_times_are_gone(form: Form, name: str) -> None:
    if form == tarfile.USTAR_FORMAT and len(name) > 100:
        name = "a" * 90 + "/" + "b" * 90
    was, now = _read(_entry(1_700_000_000, form=form, name=name)), _read(timeless(_entry(1_700_000_000, form=form, name=name)))
    assert now.mtime == 0
    assert (now.name, now.mode, now.uid, now.gid, now.type) == (was.name, was.mode, was.uid, was.gid, was.type)


def test_other_records_stay() -> None:
    now = _read(timeless(_entry(1_700_000_000.25, form=tarfile.PAX_FORMAT, xattr="value")))
    assert now.pax_headers == {"SCHILY.xattr.user.x": "value"}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_times_make_no_difference(form: Form) -> None:
    times = [1_700_000_000, 1_700_000_001] if form != tarfile.PAX_FORMAT else [1_700_000_000.5, 1_700_000_001.123456789]
    one, other = (timeless(_entry(time, form=form)) for time in times)
    assert one == other


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"usr/lib/python3/dist-packages", True),
        (b"app/node_modules", True),
        (b"node_modules", True),
        (b"app/node_modules/a/node_modules", False),
        (b"app/node_modules/a", False),
        (b"usr/lib/my-site-packages", False),
        (b"", False),
    ],
)
def test_shelves_are_the_outermost_directories_of_packages(path: bytes, expected: bool) -> None:
    assert is_shelf(path) is expected
