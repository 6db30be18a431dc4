"""Python's packages, also as this interpreter's own environment lists them."""

import os
import sys
import sysconfig
from collections.abc import Iterable
from functools import cache
from importlib.metadata import Distribution, PackagePath, distributions
from pathlib import Path

from tests.packages.roots import listed, named, owners_of, read_root

SITE = "usr/lib/python3.12/site-packages"
METADATA = b"Metadata-Version: 2.1\nName: Demo\nVersion: 1.2.3\nSummary: Name: other\n\nVersion: 9\n"
RECORD = b"""demo/__init__.py,sha256=abc,12
demo/native.so,,
"demo/with,comma.txt",sha256=x,1
../../../bin/demo,sha256=abc,200
/opt/demo/absolute,,
demo-1.2.3.dist-info/RECORD,,
"""


def test_what_is_recorded() -> None:
    owners = owners_of({f"{SITE}/demo-1.2.3.dist-info/METADATA": METADATA, f"{SITE}/demo-1.2.3.dist-info/RECORD": RECORD})
    assert listed(owners) == ["python Demo 1.2.3"]
    for path in ("demo/__init__.py", "demo/native.so", "demo/with,comma.txt", "demo-1.2.3.dist-info/RECORD"):
        assert named(owners, f"{SITE}/{path}") == "python Demo 1.2.3", path
    assert named(owners, "usr/bin/demo") == "python Demo 1.2.3"
    assert named(owners, "opt/demo/absolute") == "python Demo 1.2.3"
    assert named(owners, f"{SITE}/demo-1.2.3.dist-info/direct_url.json") == "python Demo 1.2.3"
    assert named(owners, f"{SITE}/other.py") is None


def test_compiled_modules_belong_to_their_sources_package() -> None:
    owners = owners_of({f"{SITE}/demo-1.2.3.dist-info/METADATA": METADATA, f"{SITE}/demo-1.2.3.dist-info/RECORD": RECORD})
    assert named(owners, f"{SITE}/demo/__pycache__/__init__.cpython-312.pyc") == "python Demo 1.2.3"
    assert named(owners, f"{SITE}/demo/__init__.pyc") == "python Demo 1.2.3"
    assert named(owners, f"{SITE}/demo/__pycache__/other.cpython-312.pyc") is None


def test_what_a_package_carries_along_is_its_own() -> None:
    vendored = f"{SITE}/demo/_vendor/inner-1.0.dist-info"
    record = RECORD + b"demo/_vendor/inner-1.0.dist-info/METADATA,,\ndemo/_vendor/inner.py,,\n"
    files = {
        f"{SITE}/demo-1.2.3.dist-info/METADATA": METADATA,
        f"{SITE}/demo-1.2.3.dist-info/RECORD": record,
        f"{vendored}/METADATA": b"Name: inner\nVersion: 1.0\n",
        f"{vendored}/RECORD": b"inner.py,,\n",
    }
    owners = owners_of(files)
    assert listed(owners) == ["python Demo 1.2.3"]
    assert named(owners, f"{SITE}/demo/_vendor/inner.py") == "python Demo 1.2.3"


def test_older_forms() -> None:
    description = b"Name: old\r\nVersion: 1\r\n\r\n"
    files = {
        f"{SITE}/listed.egg-info/PKG-INFO": description,
        f"{SITE}/listed.egg-info/installed-files.txt": b"../listed/a.py\nPKG-INFO\n",
        f"{SITE}/named.egg-info/PKG-INFO": description,
        f"{SITE}/named.egg-info/top_level.txt": b"module\n../../outside\n",
        f"{SITE}/single-1.egg-info": description,
        f"{SITE}/whole-1-py3.12.egg/EGG-INFO/PKG-INFO": description,
    }
    owners = owners_of(files)
    assert {package.path.decode() for package in owners.packages} == {path for path in files if not path.endswith(".txt")}
    for path in ("listed/a.py", "module/deep/b.py", "module.py", "single-1.egg-info", "whole-1-py3.12.egg/x/y.so"):
        assert named(owners, f"{SITE}/{path}") == "python old 1", path
    assert named(owners, f"{SITE}/outside/a.py") is None
    assert named(owners, "usr/outside") is None


def test_a_description_without_a_name_is_told() -> None:
    owners = owners_of({f"{SITE}/demo-1.dist-info/METADATA": b"Version: 1\n\nName: in the text\n"})
    assert owners.packages == []
    assert owners.problems == (f"/{SITE}/demo-1.dist-info/METADATA: expected a name and a version in it",)


def test_this_environment_as_python_lists_it() -> None:
    """Each distribution, and each file that it says is its own."""
    site = Path(sysconfig.get_path("purelib"))
    root = read_root(Path(sys.prefix))
    owners = root.owners()
    found = {(package.name, package.version) for package in owners.packages if package.path.count(b"/") == _depth(site) + 1}
    theirs = [found for found in distributions(path=[str(site)]) if found.files]
    assert found >= {(one.metadata["Name"], one.version) for one in theirs}
    here, looked_at = set(root.paths), 0
    for one in theirs:
        for file in one.files or ():
            whole = Path(str(one.locate_file(file)))
            path = os.fsencode(_real(whole.parent) / whole.name)
            if path in here:
                looked_at += 1
                number = owners.owner(path)
                assert number is not None, path
                claimed = owners.packages[number].name
                assert claimed == one.metadata["Name"] or file in _files(theirs, claimed), path
    assert looked_at > 100


def _depth(site: Path) -> int:
    return len(site.relative_to(sys.prefix).parts)


def _files(all_of_them: Iterable[Distribution], name: str) -> set[PackagePath]:
    return {file for one in all_of_them if one.metadata["Name"] == name for file in one.files or ()}


@cache
def _real(folder: Path) -> Path:
    return folder.resolve().relative_to(Path(sys.prefix).resolve())
