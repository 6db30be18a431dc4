"""What the user typed, told apart."""

from pathlib import Path

import pytest

from layerkit.errors import ImageError, UsageError
from layerkit.sources import open_image
from layerkit.sources.transports import Place, Transport, parse_place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("image.tar", Place(Transport.PATH, "image.tar")),
        ("-", Place(Transport.STDIN, "-")),
        ("oci-archive:a.tar", Place(Transport.OCI_ARCHIVE, "a.tar")),
        ("oci-archive:/x/a.tar:b.example/c:1", Place(Transport.OCI_ARCHIVE, "/x/a.tar", "b.example/c:1")),
        ("oci:dir:tag", Place(Transport.OCI_LAYOUT, "dir", "tag")),
        ("oci:dir:", Place(Transport.OCI_LAYOUT, "dir")),
        ("docker-archive:a.tar:@1", Place(Transport.DOCKER_ARCHIVE, "a.tar", "@1")),
        ("docker-daemon:app:1", Place(Transport.DAEMON, "app:1")),
        ("docker://host:5000/app:1", Place(Transport.REGISTRY, "host:5000/app:1")),
        ("app:1", Place(Transport.PATH, "app:1")),
    ],
)
def test_places(text: str, place: Place) -> None:
    assert parse_place(text) == place


def test_what_exists_is_a_path_whatever_it_looks_like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("oci:odd").touch()
    Path("a:b.tar").touch()
    assert parse_place("oci:odd") == Place(Transport.PATH, "oci:odd")
    assert parse_place("docker-archive:a:b.tar") == Place(Transport.DOCKER_ARCHIVE, "a:b.tar")


@pytest.mark.parametrize(
    "text", ["", "oci:", "docker://", "docker-daemon:", "containers-storage:x", "dir:x", "docker:x", "https://x"]
)
def test_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected .*oci-archive:PATH"):
        parse_place(text)


def test_a_missing_file_says_what_else_may_be_meant(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"none\.tar: no such file or directory$"):
        open_image(str(tmp_path / "none.tar"))
    with pytest.raises(ImageError, match=r"docker://registry\.example\.com/app:1"):
        open_image("registry.example.com/app:1")
    with pytest.raises(ImageError, match="docker-daemon:app:1"):
        open_image("app:1")


def test_transports_that_need_what_is_not_there() -> None:
    with pytest.raises(UsageError, match="standard input"):
        open_image("-")
    with pytest.raises(UsageError, match="registries"):
        open_image("docker://registry.example.com/app:1")
