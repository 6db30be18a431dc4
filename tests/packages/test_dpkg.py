"""Debian's packages, also as this machine's own dpkg sees them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packages.roots import Root, listed, named, owners_of, read_root

STATUS = b"""Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9+deb12u14
Description: GNU C Library
 Version: not a field, but a line of a text
 .

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1.0

Package: base-files
Status: hold ok installed
Architecture: amd64
Version: 12.4
"""


def test_status_and_lists() -> None:
    owners = owners_of(
        {
            "var/lib/dpkg/status": STATUS,
            "var/lib/dpkg/info/libc6:amd64.list": b"/.\n/lib\n/lib/x86_64-linux-gnu\n/lib/x86_64-linux-gnu/libc.so.6\n"
            b"/usr/bin/ldd\n",
            "var/lib/dpkg/info/base-files.list": b"/.\n/etc\n/etc/os release\n/lib",
            "var/lib/dpkg/info/gone.list": b"/etc/gone.conf\n",
        }
    )
    assert listed(owners) == ["deb libc6 2.36-9+deb12u14", "deb base-files 12.4"]
    assert named(owners, "lib/x86_64-linux-gnu/libc.so.6") == "deb libc6 2.36-9+deb12u14"
    assert named(owners, "usr/bin/ldd") == "deb libc6 2.36-9+deb12u14"
    assert named(owners, "etc/os release") == "deb base-files 12.4"
    assert named(owners, "etc/gone.conf") is None
    assert named(owners, "usr/bin") is None
    assert owners.problems == ()


def test_lists_are_followed_through_links() -> None:
    """dpkg goes on calling it `/lib/…` where `/lib` is a symlink; the layer has it in `usr/lib`."""
    files = {"var/lib/dpkg/status": STATUS, "var/lib/dpkg/info/libc6:amd64.list": b"/lib/x86_64-linux-gnu/libc.so.6\n"}
    owners = owners_of(files, {"lib": "usr/lib"})
    assert named(owners, "usr/lib/x86_64-linux-gnu/libc.so.6") == "deb libc6 2.36-9+deb12u14"
    assert named(owners, "lib/x86_64-linux-gnu/libc.so.6") is None


def test_a_file_that_was_diverted_is_elsewhere() -> None:
    status = b"Package: dash\nVersion: 1\n\nPackage: bash\nVersion: 2\n"
    files = {
        "var/lib/dpkg/status": status,
        "var/lib/dpkg/diversions": b"/bin/sh\n/bin/sh.distrib\nbash\n/bin/x\n/bin/y\n:\n",
        "var/lib/dpkg/info/dash.list": b"/bin/sh\n/bin/x\n",
        "var/lib/dpkg/info/bash.list": b"/bin/sh\n",
    }
    owners = owners_of(files)
    assert named(owners, "bin/sh") == "deb bash 2"
    assert named(owners, "bin/sh.distrib") == "deb dash 1"
    assert named(owners, "bin/y") == "deb dash 1"
    assert named(owners, "bin/x") is None


def test_images_without_a_package_manager() -> None:
    """Distroless ones have a file for each package, and its checksums beside it."""
    files = {
        "var/lib/dpkg/status.d/libssl3": b"Package: libssl3\nArchitecture: amd64\nVersion: 3.0.11\n",
        "var/lib/dpkg/status.d/libssl3.md5sums": b"d41d8cd98f00b204e9800998ecf8427e  usr/lib/libssl.so.3\n",
    }
    owners = owners_of(files)
    assert listed(owners) == ["deb libssl3 3.0.11"]
    assert named(owners, "usr/lib/libssl.so.3") == "deb libssl3 3.0.11"
    assert owners.packages[0].path == b"var/lib/dpkg/status.d/libssl3"


def test_what_is_no_status_is_told() -> None:
    owners = owners_of({"var/lib/dpkg/status": b"\x7fELF nonsense"})
    assert owners.problems == ("/var/lib/dpkg/status: no paragraph that names a package",)


@pytest.mark.real
@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="dpkg-query is not installed")
def test_this_machine_as_its_own_dpkg_lists_it() -> None:
    """All packages, and of each file that there is the package that lists it."""
    root = _system()
    owners = root.owners()
    form = "${binary:Package}\t${Package}\t${Version}\t${db:Status-Status}\n"
    rows = [row.split("\t") for row in _run("dpkg-query", "-W", "-f", form).splitlines()]
    installed = {
        binary: (name, version) for binary, name, version, state in rows if state not in ("config-files", "not-installed")
    }
    assert {(package.name, package.version) for package in owners.packages if package.kind == "deb"} == set(installed.values())

    here, diverted, looked_at = set(root.paths), _diverted(), 0
    lists = dict(zip(installed, _run("dpkg-query", "-L", *installed).split("\n\n"), strict=True))
    claims = {(installed[binary][0], line) for binary, text in lists.items() for line in text.splitlines()}
    for binary, text in lists.items():
        for line in text.splitlines():
            above, _, last = line.rpartition("/")
            path = os.fsencode(os.path.realpath(above or "/")).lstrip(b"/") + b"/" + os.fsencode(last)
            if not line.startswith("/") or path not in here or path in diverted:
                continue
            looked_at += 1
            number = owners.owner(path)
            assert number is not None, path
            # Packages for several architectures share files.
            found = owners.packages[number].name
            assert found == installed[binary][0] or (found, line) in claims, path
    assert looked_at > 1000


def _system() -> Root:
    root = Root()
    for folder in ("usr", "bin", "sbin", "lib", "lib64", "etc", "var/lib/dpkg"):
        top = Path("/", folder)
        if top.is_symlink():
            root.links[folder.encode()] = os.fsencode(top.readlink())
            continue
        if top.is_dir():
            part, above = read_root(top), folder.encode() + b"/"
            root.paths += [above + path for path in part.paths]
            root.links |= {above + path: target for path, target in part.links.items()}
    for path in Path("/var/lib/dpkg").rglob("*"):
        if path.is_file():
            root.files[os.fsencode(path).lstrip(b"/")] = path.read_bytes()
    return root


def _diverted() -> set[bytes]:
    lines = _run("dpkg-divert", "--list").splitlines()
    return {os.fsencode(line.split(" of ", 1)[1].split(" to ", 1)[0]).lstrip(b"/") for line in lines if " of " in line}


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout.decode("utf-8", "surrogateescape")
