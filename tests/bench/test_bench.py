"""`layerkit bench`: what it measures is what `fix` makes, and nothing is left behind."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from layerkit import fix, open_image
from layerkit.bench import Setting, default_limits, layers_size, measure, warm
from layerkit.bench.once import Once
from layerkit.cli.main import run
from layerkit.errors import DamagedError, UsageError
from layerkit.image.media_types import Compression
from layerkit.progress import SILENT
from tests import tar_building as tar
from tests.sources.builders import docker_archive, gzipped, write_tar

LIMIT = 100_000


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Two layers, of which one, of 20 files of 20 kB, is over the limit."""
    chance = random.Random(1)
    large = tar.layer(tar.directory("d"), *(tar.file(f"d/{n}", chance.randbytes(20_000)) for n in range(20)))
    return write_tar(tmp_path / "image.tar", docker_archive(gzipped(large), tar.layer(tar.file("small", b"x"))))


def test_rows_are_what_fix_makes(image: Path) -> None:
    source = open_image(image)
    settings = [Setting(LIMIT), Setting(LIMIT, Compression.ZSTD), Setting(2 * LIMIT, Compression.GZIP, 1)]
    rows = measure(source, settings, runs=2, jobs=1)
    assert [row.setting for row in rows] == settings
    for row in rows:
        limit, compression, level = row.setting
        fixed = fix(open_image(image), max_layer_size=limit, compression=compression, level=level, jobs=1)
        layers = fixed.platforms()[0].manifest.layers
        assert row.digest == fixed.root.digest
        assert (row.layers, row.largest) == (len(layers), max(layer.size for layer in layers))
        assert row.total == sum(layer.size for layer in layers) == layers_size(fixed)
        assert row.largest <= limit
        assert len(row.seconds) == 2
        assert min(row.seconds) <= row.median <= max(row.seconds)
    assert rows[0].parts > rows[2].parts > 2


def test_runs_alternate(image: Path) -> None:
    class Order(Once):
        def task(self, name: str, total: int) -> Any:
            if "layer" in name and "image.tar" in name:
                tasks.append(name)
            return super().task(name, total)

    tasks: list[str] = []
    measure(open_image(image), [Setting(LIMIT), Setting(2 * LIMIT)], runs=1, progress=Order(SILENT))
    once = list(tasks)
    tasks.clear()
    measure(open_image(image), [Setting(LIMIT), Setting(2 * LIMIT)], runs=3, progress=Order(SILENT))
    assert tasks == once * 3


def test_limits_follow_the_image(image: Path) -> None:
    source = open_image(image)
    largest = max(layer.size for layer in source.platforms()[0].manifest.layers)
    assert default_limits(source) == (largest // 2, largest // 4, 65_536)


def test_a_setting_that_cannot_be_done(image: Path) -> None:
    chance = random.Random(2)
    large = tar.layer(*(tar.file(str(n), chance.randbytes(150_000)) for n in range(2)))
    path = write_tar(image.parent / "other.tar", docker_archive(gzipped(large)))
    fine, not_fine = measure(open_image(path), [Setting(200_000), Setting(LIMIT)], runs=2)
    assert (len(fine.seconds), fine.problem) == (2, "")
    assert not not_fine.seconds
    assert "over the limit" in not_fine.problem


def test_errors_are_not_rows(image: Path) -> None:
    with pytest.raises(UsageError, match="expected at least"):
        measure(open_image(image), [Setting(1000)])
    data = bytearray(image.read_bytes())
    data[100_000] ^= 1
    image.write_bytes(data)
    warm(open_image(image))
    with pytest.raises(DamagedError):
        measure(open_image(image), [Setting(LIMIT)])


def test_the_table_fits(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(image.parent.iterdir())
    assert run(["bench", str(image), "--limit", "100kB", "--limit", "200kB", "--runs", "1", "-q"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert all(len(line) <= 80 for line in lines[1:])
    assert [line.split()[:3] for line in lines[-6:]] == [
        [limit, "kB", way] for limit in ("100", "200") for way in ("keep", "gzip", "zstd")
    ]
    assert all(line.endswith("B/s") for line in lines[-6:])
    assert sorted(image.parent.iterdir()) == before


def test_json(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", str(image), "--limit", "100kB", "--compression", "keep", "--compression", "zstd:1", "--runs", "2"]
    assert run([*arguments, "--no-verify", "--json", "-q"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["runs"], found["verified"]) == (2, False)
    assert [(row["limit"], row["compression"]) for row in found["rows"]] == [(LIMIT, "keep"), (LIMIT, "zstd:1")]
    for row in found["rows"]:
        assert len(row["allSeconds"]) == 2
        assert row["bytesPerSecond"] == found["layersSize"] / row["seconds"]
        assert row["largestLayer"] <= LIMIT


def test_what_cannot_be_done_is_told(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(2)
    path = write_tar(image.parent / "o.tar", docker_archive(tar.layer(tar.file("f", chance.randbytes(150_000)))))
    assert run(["bench", str(path), "--limit", "100kB", "--limit", "1GB", "--compression", "keep", "--runs", "1", "-q"]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[:4] for line in out.splitlines()[-2:]] == [["100", "kB", "keep", "can't"], ["1.00", "GB", "keep", "1"]]
    assert err.startswith("warning: 100 kB keep: ")
    assert "over the limit of 100,000" in err
    assert run(["bench", str(path), "--limit", "100kB", "--runs", "1", "-q"]) == 4


def test_messages_come_once() -> None:
    class Kept(Once):
        def note(self, text: str) -> None:
            said.append(text)

        warn = note

    said: list[str] = []
    once = Once(Kept(SILENT))
    for _ in range(2):
        once.note("a")
        once.warn("b")
    assert said == ["a", "b"]
