"""The tar around an image: spellings, links, damage."""

from pathlib import Path

import pytest

from layerkit.errors import DamagedError
from layerkit.image.blob import FileRange, InputFile
from layerkit.sources.outer_tar import OuterTar
from tests.sources.builders import tar


def opened(tmp_path: Path, data: bytes) -> OuterTar:
    path = tmp_path / "image.tar"
    path.write_bytes(data)
    return OuterTar(InputFile(path, name="image.tar"))


def content(found: FileRange | None) -> bytes | None:
    return None if found is None else b"".join(bytes(chunk) for chunk in found.chunks())


@pytest.mark.parametrize("spelling", ["a/b", "./a/b", "/a/b", "a//b", "./a/./b"])
def test_spellings_are_one_path(tmp_path: Path, spelling: str) -> None:
    folder = opened(tmp_path, tar({spelling: b"x"}))
    assert content(folder.find("a/b")) == b"x"
    assert folder.children("") == ["a"]
    assert folder.children("a") == ["b"]


def test_folders_and_absent_names_are_no_files(tmp_path: Path) -> None:
    folder = opened(tmp_path, tar({"./": b"", "a/": b"", "a/b": b""}))
    assert folder.find("a") is None
    assert folder.find("a/c") is None
    assert content(folder.find("a/b")) == b""
    assert folder.children("nowhere") == []


def test_the_last_of_two_counts(tmp_path: Path) -> None:
    assert content(opened(tmp_path, tar({"a": b"old", "./a": b"new"})).find("a")) == b"new"


def test_links_are_followed(tmp_path: Path) -> None:
    data = tar(
        {"two/layer.tar": b"x"},
        links={"one/layer.tar": "../two/layer.tar", "three": "two", "abs": "/two/layer.tar", "twice": "one/layer.tar"},
        hard={"hard": "./two/layer.tar"},
    )
    folder = opened(tmp_path, data)
    for name in ("one/layer.tar", "three/layer.tar", "abs", "twice", "hard"):
        assert content(folder.find(name)) == b"x", name


def test_a_link_to_nothing_is_nothing(tmp_path: Path) -> None:
    assert opened(tmp_path, tar({}, links={"a": "gone", "b": "../../../gone"})).find("a") is None


@pytest.mark.parametrize("links", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "a/b"}])
def test_circles_end(tmp_path: Path, links: dict[str, str]) -> None:
    with pytest.raises(DamagedError, match="circle"):
        opened(tmp_path, tar({}, links=links)).find("a")


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/..", "a/.."])
def test_names_that_climb_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DamagedError, match=r"image\.tar: offset 0: expected member names inside the archive"):
        opened(tmp_path, tar({name: b"x"}))


def test_a_device_is_no_layer(tmp_path: Path) -> None:
    data = bytearray(tar({"a": b""}))
    data[156:157] = b"6"
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + 8 * 32 + sum(data[156:512]))
    with pytest.raises(DamagedError, match="expected a file, found a fifo"):
        opened(tmp_path, bytes(data)).find("a")


@pytest.mark.parametrize("cut", [511, 512, 700, 1536, 2000])
def test_a_cut_archive_names_the_offset(tmp_path: Path, cut: int) -> None:
    data = tar({"a": b"x" * 600})[:cut]
    with pytest.raises(DamagedError, match=r"image\.tar: offset [0-9,]+"):
        opened(tmp_path, data)


def test_data_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = InputFile.read_at

    def counting(self: InputFile, offset: int, size: int) -> bytes:
        read.append(size)
        return original(self, offset, size)

    monkeypatch.setattr(InputFile, "read_at", counting)
    folder = opened(tmp_path, tar({f"layer{number}": b"x" * 1_000_000 for number in range(5)}))
    assert folder.find("layer4") is not None
    assert sum(read) <= 6 * 512
