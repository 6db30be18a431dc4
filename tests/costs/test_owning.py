"""What packages cost."""

from layerkit.costs.owning import packages_of
from layerkit.costs.summing import contents_of
from tests.costs.reading import platform_files
from tests.tar_building import directory, file, layer, symlink, whiteout

STATUS = b"""Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9

Package: gone
Status: install ok installed
Architecture: amd64
Version: 1
"""
BASE = layer(
    directory("usr/lib"),
    symlink("lib", "usr/lib"),
    file("usr/lib/libc.so.6", b"c" * 5000),
    file("usr/share/gone", b"g" * 300),
    file("var/lib/dpkg/status", STATUS),
    file("var/lib/dpkg/info/libc6:amd64.list", b"/.\n/lib\n/lib/libc.so.6\n"),
    file("var/lib/dpkg/info/gone.list", b"/.\n/usr/share/gone\n"),
)
PYTHON = layer(
    file("opt/lib/site-packages/torch/__init__.py", b"t" * 700),
    file("opt/lib/site-packages/torch-2.9.dist-info/METADATA", b"Metadata-Version: 2.1\nName: torch\nVersion: 2.9\n"),
    file("opt/lib/site-packages/torch-2.9.dist-info/RECORD", b"torch/__init__.py,,\ntorch-2.9.dist-info/METADATA,,\n"),
)


def test_packages_of_several_kinds() -> None:
    read = platform_files(BASE, PYTHON, layer(whiteout("usr/share/gone")))
    found = {package.name: package for package in packages_of(read)}
    assert (found["libc6"].kind, found["libc6"].version, found["libc6"].files, found["libc6"].size) == ("deb", "2.36-9", 1, 5000)
    assert (found["torch"].kind, found["torch"].files) == ("python", 3)
    assert (found["gone"].files, found["gone"].cost) == (0, 0)
    contents = contents_of(read, 1)
    assert (len(contents.packages), contents.package_count) == (1, 3)
    assert contents.packaged_cost == found["libc6"].cost + found["torch"].cost


def test_the_database_that_can_be_seen_counts() -> None:
    later = layer(file("var/lib/dpkg/status", STATUS.partition(b"\n\n")[0] + b"\n"))
    assert [package.name for package in packages_of(platform_files(BASE, later))] == ["libc6"]


def test_a_database_that_cannot_be_read_is_noted() -> None:
    read = platform_files(layer(file("var/lib/rpm/rpmdb.sqlite", b"nonsense" * 1000), file("a", b"x")))
    assert any(note.startswith("/var/lib/rpm/rpmdb.sqlite: ") for note in contents_of(read, 5).notes)
