"""Who wins, and that nothing in an image can make it fail or grow."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.packages import Owners, owners, wanted
from layerkit.packages.wanted import APK, MAX_DOCUMENT, MAX_LIST, MAX_METADATA, MAX_RPM, RPM, RPM_DATABASES
from tests.packages.roots import listed, named, no_links, owners_of
from tests.packages.rpm_building import berkeley, header, ndb, sqlite

SITE = "usr/lib/python3/dist-packages"
PYTHON = {
    f"{SITE}/numpy-1.dist-info/METADATA": b"Name: numpy\nVersion: 1\n",
    f"{SITE}/numpy-1.dist-info/RECORD": b"numpy/core.py,,\nnumpy/extra.py,,\n",
}


def test_what_installed_a_package_owns_its_files() -> None:
    """Debian's python3-numpy is one package, not two."""
    files = {
        "var/lib/dpkg/status": b"Package: python3-numpy\nVersion: 1:1-1\n",
        "var/lib/dpkg/info/python3-numpy.list": f"/{SITE}/numpy-1.dist-info/METADATA\n/{SITE}/numpy/core.py\n".encode(),
    }
    both = owners_of(files | PYTHON)
    assert listed(both) == ["deb python3-numpy 1:1-1"]
    assert named(both, f"{SITE}/numpy/core.py") == "deb python3-numpy 1:1-1"
    assert named(both, f"{SITE}/numpy/__pycache__/core.cpython-311.pyc") == "deb python3-numpy 1:1-1"
    assert listed(owners_of(PYTHON)) == ["python numpy 1"]


def test_what_a_wheel_carries_along_is_the_wheels() -> None:
    record = PYTHON[f"{SITE}/numpy-1.dist-info/RECORD"] + b"numpy/node_modules/a/package.json,,\nnumpy/a-1.jar,,\n"
    files = PYTHON | {
        f"{SITE}/numpy-1.dist-info/RECORD": record,
        f"{SITE}/numpy/node_modules/a/package.json": b'{"name": "a", "version": "1"}',
    }
    owners = owners_of(files)
    assert named(owners, f"{SITE}/numpy/node_modules/a/package.json") == "python numpy 1"
    assert named(owners, f"{SITE}/numpy/a-1.jar") == "python numpy 1"
    assert listed(owners) == ["python numpy 1"]


def test_the_first_of_two_debs_that_list_a_file_has_it() -> None:
    files = {
        "var/lib/dpkg/status": b"Package: one\nVersion: 1\n\nPackage: two\nVersion: 1\n",
        "var/lib/dpkg/info/one.list": b"/usr/share/doc/x\n",
        "var/lib/dpkg/info/two.list": b"/usr/share/doc/x\n",
    }
    assert named(owners_of(files), "usr/share/doc/x") == "deb one 1"


def test_texts_are_cut() -> None:
    status = "Package: " + "n" * 1000 + "\nVersion: " + "é" * 1000 + "\n"
    (package,) = owners_of({"var/lib/dpkg/status": status.encode()}).packages
    assert (package.name, package.version) == ("n" * 256, "é" * 256)


def test_packages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "MAX_PACKAGES", 3)
    status = b"".join(b"Package: p%d\nVersion: 1\n\n" % number for number in range(10))
    found = owners_of({"var/lib/dpkg/status": status})
    assert len(found.packages) == 3
    assert named(found, "a-1.jar") is None
    assert found.problems == ("packages, more than 3: the others are left out",)


def test_paths_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "MAX_PATHS", 3)
    paths = b"".join(b"/usr/%d\n" % number for number in range(10))
    found = owners_of({"var/lib/dpkg/status": b"Package: p\nVersion: 1\n", "var/lib/dpkg/info/p.list": paths})
    assert [named(found, f"usr/{number}") is not None for number in range(5)] == [True, True, True, False, False]
    assert len(found.problems) == 1


def test_problems_are_bounded_and_lines() -> None:
    found = owners_of({f"node_modules/a\n{number}/package.json": b"{" for number in range(50)})
    assert len(found.problems) == owners.MAX_PROBLEMS + 1
    assert found.problems[-1] == "30 more"
    assert all("\n" not in problem for problem in found.problems)


def test_a_path_takes_less_than_100_bytes() -> None:
    paths = b"".join(b"/usr/share/%d/%d\n" % (number % 1000, number) for number in range(300_000))
    files = {b"var/lib/dpkg/status": b"Package: p\nVersion: 1\n", b"var/lib/dpkg/info/p.list": paths}
    tracemalloc.start()
    try:
        found = Owners(files, no_links)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert named(found, "usr/share/999/299999") == "deb p 1"
    assert held < 100 * 300_000


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("var/lib/dpkg/status", MAX_LIST),
        ("var/lib/dpkg/status.d/libc6", MAX_LIST),
        ("var/lib/dpkg/status.d/libc6.md5sums", MAX_LIST),
        ("var/lib/dpkg/info/libc6:amd64.list", MAX_LIST),
        ("var/lib/dpkg/diversions", MAX_LIST),
        ("lib/apk/db/installed", MAX_LIST),
        ("usr/lib/apk/db/installed", MAX_LIST),
        ("var/lib/rpm/Packages", MAX_RPM),
        ("usr/lib/sysimage/rpm/Packages.db", MAX_RPM),
        ("usr/share/rpm/rpmdb.sqlite", MAX_RPM),
        ("opt/conda/conda-meta/a-1-0.json", MAX_DOCUMENT),
        ("conda-meta/a-1-0.json", MAX_DOCUMENT),
        ("app/node_modules/a/package.json", MAX_METADATA),
        ("app/node_modules/@s/a/package.json", MAX_METADATA),
        ("x/a-1.dist-info/METADATA", MAX_METADATA),
        ("x/a-1.dist-info/RECORD", MAX_LIST),
        ("x/a-1.egg-info", MAX_METADATA),
        ("x/a-1.egg-info/PKG-INFO", MAX_METADATA),
        ("x/a-1.egg-info/installed-files.txt", MAX_LIST),
        ("x/a-1.egg/EGG-INFO/PKG-INFO", MAX_METADATA),
    ],
)
def test_what_is_wanted_and_how_much_of_it(path: str, most: int) -> None:
    assert wanted(path.encode(), 0)
    assert wanted(path.encode(), most)
    assert not wanted(path.encode(), most + 1)


@pytest.mark.parametrize(
    "path",
    [
        "var/lib/dpkg/info/libc6.md5sums",
        "var/lib/dpkg/status-old",
        "opt/root/var/lib/dpkg/status",
        "lib/apk/db/scripts.tar",
        "var/lib/rpm/Basenames",
        "var/lib/rpm/old/Packages",
        "opt/my-conda-meta/a.json",
        "conda-meta/deep/a.json",
        "x/METADATA",
        "x/RECORD",
        "data.json",
        "usr/lib/a-1.jar",
        "",
    ],
)
def test_what_isnt(path: str) -> None:
    assert not wanted(path.encode(), 1)


PATHS = [
    b"var/lib/dpkg/status",
    b"var/lib/dpkg/status.d/x",
    b"var/lib/dpkg/diversions",
    b"var/lib/dpkg/info/x.list",
    *APK,
    *(folder + name for folder in RPM for name in RPM_DATABASES),
    b"conda-meta/x.json",
    b"node_modules/x/package.json",
    b"s/x.dist-info/METADATA",
    b"s/x.dist-info/RECORD",
    b"s/y.egg-info",
    b"s/z.egg-info/PKG-INFO",
    b"s/z.egg-info/top_level.txt",
    b"s/z.egg-info/installed-files.txt",
]
WORDS = (
    b'Package: x\n|Version: |P:|V:|F:|R:|\n|\n\n|/|..|Name: |Version: 1\n|,|"|{|}|"name":|"version":|"files":[|]|\xff|\0|x|s/x|9'
)
PIECES = st.sampled_from(WORDS.split(b"|"))
TEXTS = st.lists(PIECES | st.binary(max_size=4), max_size=30).map(b"".join)
SOUND = [form([header("small"), header("p", epoch=1, paths=["/a/b", "/c/d"])]) for form in (sqlite, ndb, berkeley)]


@given(st.dictionaries(st.sampled_from(PATHS), TEXTS, max_size=8), st.dictionaries(TEXTS, TEXTS, max_size=5), TEXTS)
def test_anything_can_be_read(files: dict[bytes, bytes], links: dict[bytes, bytes], path: bytes) -> None:
    found = Owners(files, links.get)
    for number in (found.owner(path), found.owner(path + b".pyc"), found.owner(path + b"-1.jar")):
        assert number is None or 0 <= number < len(found.packages)
    assert all(isinstance(text, str) for package in found.packages for text in package[:3])
    assert all("\n" not in problem for problem in found.problems)


@given(st.sampled_from(range(3)), st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12))
def test_damaged_databases_of_rpm_are_never_an_error(form: int, changes: list[tuple[float, int]]) -> None:
    """Bytes are changed where there are any: most of a database is empty."""
    data = bytearray(SOUND[form])
    used = [at for at, byte in enumerate(data) if byte]
    for where, byte in changes:
        data[used[int(where * len(used))]] = byte
    found = Owners({RPM[0] + RPM_DATABASES[form]: bytes(data)}, no_links)
    assert len(found.packages) <= 4
    assert found.packages or found.problems
