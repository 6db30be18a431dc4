"""Bytes that were made and can be read again."""

import threading
from pathlib import Path

import pytest

from layerkit import spool as module
from layerkit.errors import OutputError
from layerkit.image.blob import Bytes
from layerkit.spool import Spool


def test_little_stays_in_memory_and_more_goes_to_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "MEMORY", 100)
    spool = Spool(tmp_path)
    kept = [spool.keep(bytes([number]) * 40) for number in range(5)]
    assert spool.size == 120
    assert [b"".join(map(bytes, content.chunks())) for content in kept] == [bytes([number]) * 40 for number in range(5)]
    assert not list(tmp_path.iterdir()), "the file has no name, so that nothing is left however the process ends"


def test_many_threads(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    found: dict[int, bytes] = {}

    def work(number: int) -> None:
        ranges = [spool.append(bytes([number]) * (number + 1)) for _ in range(200)]
        found[number] = b"".join(bytes(chunk) for stored in ranges for chunk in stored.chunks())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: bytes([number]) * (number + 1) * 200 for number in range(8)}


def test_a_whole_content(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(b"before")
    data = bytes(range(256)) * 10_000
    assert b"".join(map(bytes, spool.append_all(Bytes(data)).chunks())) == data
    assert spool.range(4, 6).size == 6


def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(
        OutputError, match=r"absent: the temporary file can't be written \(No such file or directory\); set TMPDIR"
    ):
        Spool(tmp_path / "absent").append(b"x")
