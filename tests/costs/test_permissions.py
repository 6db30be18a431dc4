"""What anyone may run as somebody else, or write."""

from layerkit.costs.permissions import privileged, writable
from tests.costs.reading import platform_files
from tests.tar_building import directory, file, layer, symlink, whiteout


def test_privileged() -> None:
    below = layer(
        file("sudo", b"x", mode=0o4755),
        file("gone", b"x", mode=0o4755),
        file("wall", b"x", mode=0o2755),
        file("data", b"x", mode=0o4644),
        file("locked", b"x", mode=0o2745),
    )
    found = privileged(platform_files(below, layer(whiteout("gone"), file("bin/su", b"", mode=0o6711))).files, 10)
    assert [(one.path, one.mode, one.layer) for one in found.found] == [
        ("/bin/su", 0o6711, 2),
        ("/sudo", 0o4755, 1),
        ("/wall", 0o2755, 1),
    ]
    assert found.number == 3


def test_writable() -> None:
    below = layer(
        directory("tmp", mode=0o1777),
        directory("open", mode=0o777),
        directory("mended", mode=0o777),
        directory("gone", mode=0o777),
        file("open/a", b"x", mode=0o666),
        symlink("link", "open", mode=0o777),
    )
    above = layer(directory("mended", mode=0o755), whiteout("gone"), directory("late", mode=0o757))
    found = writable(platform_files(below, above).files, 2)
    assert [(one.path, one.mode, one.layer) for one in found.found] == [("/late", 0o757, 2), ("/open", 0o777, 1)]
    assert found.number == 3
