"""Alpine's packages."""

import json
import platform
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.fixtures import FIXTURES
from tests.packages.roots import listed, named, owners_of, read_root

INSTALLED = b"""C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=
P:musl
V:1.2.4-r2
A:x86_64
S:383459
I:622592
T:the musl c library (libc) implementation
U:https://musl.libc.org/
L:MIT
o:musl
p:so:libc.musl-x86_64.so.1=1
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1Jk4mSbjIjQO7XkXXVFgbzlDnWDA=
R:libc.musl-x86_64.so.1
a:0:0:777

C:Q1gAoxEoqoHgCbVQSRPzHAcUqnlb0=
P:busybox
V:1.36.1-r5
D:so:libc.musl-x86_64.so.1
F:
R:top
F:bin
M:0:0:1777
R:busybox
F:etc/network/if-up.d
R:dad

"""


def test_packages_and_their_files() -> None:
    owners = owners_of({"lib/apk/db/installed": INSTALLED})
    assert listed(owners) == ["apk musl 1.2.4-r2", "apk busybox 1.36.1-r5"]
    assert named(owners, "lib/ld-musl-x86_64.so.1") == "apk musl 1.2.4-r2"
    assert named(owners, "lib/libc.musl-x86_64.so.1") == "apk musl 1.2.4-r2"
    assert named(owners, "bin/busybox") == "apk busybox 1.36.1-r5"
    assert named(owners, "etc/network/if-up.d/dad") == "apk busybox 1.36.1-r5"
    assert named(owners, "top") == "apk busybox 1.36.1-r5"
    assert named(owners, "bin/other") is None


def test_where_newer_images_have_it() -> None:
    owners = owners_of({"usr/lib/apk/db/installed": INSTALLED}, {"lib": "usr/lib"})
    assert named(owners, "usr/lib/ld-musl-x86_64.so.1") == "apk musl 1.2.4-r2"


def test_what_names_no_package_is_told() -> None:
    owners = owners_of({"lib/apk/db/installed": b"V:1\n\nF:x\nR:y\n"})
    assert owners.packages == []
    assert owners.problems == ("/lib/apk/db/installed: no package in it",)
    assert owners_of({"lib/apk/db/installed": b""}).problems == ()


IMAGE = FIXTURES / "images/kaniko/tar.tar"


@pytest.mark.real
@pytest.mark.skipif(not IMAGE.exists() or platform.machine() != "x86_64", reason="needs the fixtures, and x86-64")
def test_a_real_image_as_its_own_apk_lists_it(tmp_path: Path) -> None:
    """Alpine 3.7, whose apk is run where it is unpacked, by its own loader."""
    with tarfile.open(IMAGE) as image:
        manifest = image.extractfile("manifest.json")
        assert manifest is not None
        layer = image.extractfile(json.load(manifest)[0]["Layers"][0])
        assert layer is not None
        with tarfile.open(fileobj=layer) as members:
            members.extractall(tmp_path, filter="tar")
    root = read_root(tmp_path)
    owners = root.owners()
    loader = [f"{tmp_path}/lib/ld-musl-x86_64.so.1", "--library-path", f"{tmp_path}/lib:{tmp_path}/usr/lib"]
    apk = [*loader, f"{tmp_path}/sbin/apk", "--root", str(tmp_path), "info"]

    def ask(*arguments: str) -> list[str]:
        told = subprocess.run([*apk, *arguments], check=True, capture_output=True, timeout=60, text=True).stdout
        return [line for line in told.splitlines() if line]

    theirs = sorted(ask("-v"))
    assert sorted(f"{package.name}-{package.version}" for package in owners.packages) == theirs
    assert len(theirs) == 13
    lists = {path: name for name in ask("-q") for path in ask("-q", "-L", name)}
    owned = {path.decode(): named(owners, path.decode()) for path in root.paths}
    for path, package in owned.items():
        assert (package and package.split()[1]) == lists.get(path), path
    assert sum(package is not None for package in owned.values()) > 50
