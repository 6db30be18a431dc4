"""The local Docker daemon as a source, over a stand-in for its client."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, ClassVar

import pytest

from layerkit.errors import DamagedError, ImageError, UsageError
from layerkit.report.validation import validate
from layerkit.sources import open_image
from tests.sources.builders import docker_archive, layer, tar


class ImageNotFound(Exception):  # noqa: N818  # the library's name
    pass


class DockerException(Exception):  # noqa: N818  # as above
    pass


class Stored:
    attrs: ClassVar = {"Size": 1000}

    def __init__(self, data: bytes) -> None:
        self._data = data

    def save(self, chunk_size: int, named: bool) -> Iterator[bytes]:
        assert named, "without names the archive forgets which image it is"
        for start in range(0, len(self._data), 1000):
            yield self._data[start : start + 1000]


class Daemon:
    closed = False

    def __init__(self, images: dict[str, bytes]) -> None:
        self._images = images

    @property
    def images(self) -> "Daemon":
        return self

    def get(self, name: str) -> Stored:
        if name not in self._images:
            raise ImageNotFound(name)
        return Stored(self._images[name])

    def close(self) -> None:
        self.closed = True


def install(monkeypatch: pytest.MonkeyPatch, from_env: Any) -> None:
    module, errors = ModuleType("docker"), ModuleType("docker.errors")
    vars(errors).update(ImageNotFound=ImageNotFound, DockerException=DockerException)
    vars(module).update(from_env=from_env, errors=errors)
    monkeypatch.setitem(sys.modules, "docker", module)
    monkeypatch.setitem(sys.modules, "docker.errors", errors)


def test_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = Daemon({"app:1": tar(docker_archive(layer("a"), layer("b")))})
    install(monkeypatch, lambda: daemon)
    image = open_image("docker-daemon:app:1")
    assert (image.name, image.reference) == ("docker-daemon:app:1", "app:1")
    assert validate(image) == []
    assert daemon.closed


def test_an_image_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = Daemon({})
    install(monkeypatch, lambda: daemon)
    with pytest.raises(ImageError, match="docker-daemon:app:1: the Docker daemon has no image of that name"):
        open_image("docker-daemon:app:1")
    assert daemon.closed


def test_a_daemon_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def from_env() -> Daemon:
        raise DockerException("connection refused")

    install(monkeypatch, from_env)
    with pytest.raises(ImageError, match="doesn't answer as expected: connection refused"):
        open_image("docker-daemon:app:1")


def test_an_answer_that_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda: Daemon({"app:1": tar(docker_archive(layer("a")))[:3000]}))
    with pytest.raises(DamagedError, match="docker-daemon:app:1: offset"):
        open_image("docker-daemon:app:1")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(UsageError, match=r"pip install 'layerkit\[docker\]'; or without it: docker save app:1 \| layerkit"):
        open_image("docker-daemon:app:1")
