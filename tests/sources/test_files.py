"""Outer compression, standard input, pipes, and what can go wrong around a file."""

import bz2
import errno
import gzip
import io
import lzma
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from layerkit.errors import DamagedError, ImageError, OutputError, UsageError
from layerkit.report.validation import validate
from layerkit.sources import open_image
from layerkit.sources.spool import spool_chunks
from tests.sources.builders import docker_archive, layer, simple_layout, tar, write_tar


def _two_members(data: bytes) -> bytes:
    return gzip.compress(data[:1000]) + gzip.compress(data[1000:])


def _two_frames(data: bytes) -> bytes:
    return b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstandard.compress(data[:1000]) + zstandard.compress(data[1000:])


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip members": _two_members,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.compress,
    "zstd frames": _two_frames,
}


@pytest.fixture(params=COMPRESSIONS)
def compress(request: pytest.FixtureRequest) -> Callable[[bytes], bytes]:
    return COMPRESSIONS[request.param]


@pytest.fixture(autouse=True)
def no_file_is_left(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Any:
    folder = tmp_path_factory.mktemp("spool")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


def test_compressed_files_whatever_their_name(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "image.zip"
    path.write_bytes(compress(tar(simple_layout("x" * 5000))))
    image = open_image(str(path))
    assert image.name == str(path)
    assert validate(image) == []


def test_a_compressed_file_that_ends_early(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    data = compress(tar(simple_layout("x" * 5000)))
    path = tmp_path / "image.tar"
    for size in (len(data) - 20, len(data) // 2):
        path.write_bytes(data[:size])
        with pytest.raises(ImageError, match=r"image\.tar: "):
            open_image(str(path))


def test_a_compressed_file_that_is_damaged(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    data = bytearray(compress(tar({**simple_layout(os.urandom(20_000).hex())})))
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "image.tar"
    path.write_bytes(data)
    try:
        assert validate(open_image(str(path))) != []  # zstd without a checksum: the digests tell
    except DamagedError as error:
        assert "image.tar: " in str(error)


def test_a_compressed_file_of_something_else(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(compress(b"no tar at all"))
    with pytest.raises(ImageError, match="found ASCII text"):
        open_image(str(path))


class Pipe(io.RawIOBase):
    """Gives a few bytes at a time, and can't be positioned."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), 777)
        data, self._rest = self._rest[:size], self._rest[size:]
        buffer[: len(data)] = data
        return len(data)


@pytest.mark.parametrize("wrap", [lambda data: data, gzip.compress])
def test_a_pipe_on_standard_input(wrap: Callable[[bytes], bytes]) -> None:
    image = open_image("-", stdin=io.BufferedReader(Pipe(wrap(tar(docker_archive(layer()))))))
    assert image.name == "standard input"
    assert validate(image) == []


def test_a_file_on_standard_input_is_read_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    path = write_tar(tmp_path / "image.tar", simple_layout())
    with path.open("rb") as stdin:
        image = open_image("-", stdin=stdin)
    assert validate(image) == []


def test_a_file_read_from_its_middle_is_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(b"junk" + tar(simple_layout()))
    with path.open("rb", buffering=0) as stdin:
        stdin.read(4)
        image = open_image("-", stdin=io.BufferedReader(stdin))
    assert validate(image) == []


def test_a_named_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(tar(simple_layout())))
    writer.start()
    image = open_image(str(path))
    writer.join()
    assert validate(image) == []


def test_an_empty_pipe() -> None:
    with pytest.raises(ImageError, match="standard input: expected an image, found an empty file"):
        open_image("-", stdin=io.BytesIO())


def test_a_terminal_is_no_image() -> None:
    class Terminal(io.BytesIO):
        def isatty(self) -> bool:
            return True

    with pytest.raises(UsageError, match="standard input is a terminal"):
        open_image("-", stdin=Terminal())


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    class Full(io.FileIO):
        write = full  # type: ignore[assignment]  # raises whatever it is given

    real = open

    def opening(file: Any, mode: str = "r", **more: Any) -> Any:
        return Full(file, mode, closefd=False) if isinstance(file, int) and "w" in mode else real(file, mode, **more)

    monkeypatch.setattr("builtins.open", opening)
    with pytest.raises(OutputError, match=r"image: no room for its decompressed bytes in .*; set TMPDIR"):
        spool_chunks([b"x" * 10], "image")


def test_no_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(OutputError, match="no temporary file can be made: No such file or directory; set TMPDIR"):
        open_image("-", stdin=io.BytesIO(tar(simple_layout())))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "image.tar", simple_layout())
    path.chmod(0)
    with pytest.raises(ImageError, match=r"image\.tar: Permission denied"):
        open_image(str(path))


def test_odd_paths() -> None:
    with pytest.raises(ImageError):
        open_image("a" * 5000)
    with pytest.raises(ImageError):
        open_image("/dev/null/image.tar")
