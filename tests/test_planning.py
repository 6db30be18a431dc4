"""Before and after: what a plan says is what a fix does."""

import json
import random
import re
from pathlib import Path

import pytest

from layerkit.cli.main import run
from layerkit.image.image import Image
from layerkit.planning import held, planned_of
from layerkit.progress import SILENT
from layerkit.rewrite import FixOptions, fix_image
from layerkit.sources import open_image
from tests.costs.reading import layer_files
from tests.sources.builders import docker_archive, tar, write_tar
from tests.tar_building import file, layer

NOISE = random.Random(8).randbytes(2_000_000)
LIMIT = 600_000


@pytest.fixture
def image(tmp_path: Path) -> Image:
    large = tar({f"opt/{'ab'[number % 2]}/{number}": NOISE[number * 90_000 : (number + 1) * 90_000] for number in range(20)})
    archive = docker_archive(tar({"etc/small": b"x" * 5000}), large, tar({"srv/app": NOISE[:50_000]}))
    return open_image(str(write_tar(tmp_path / "image.tar", archive)))


def test_a_plan_is_what_a_fix_does(image: Image) -> None:
    fixed = fix_image(image, FixOptions(max_layer_size=LIMIT))
    (planned,) = planned_of(list(image.platforms()), fixed, LIMIT, SILENT, rate=1_000_000)
    (result,) = fixed.image.platforms()
    assert [(layer.digest, layer.size) for layer in planned.after] == [(one.digest, one.size) for one in result.manifest.layers]
    assert [layer.number for layer in planned.after] == list(range(1, len(planned.after) + 1))
    assert [layer.source for layer in planned.after] == sorted(layer.source for layer in planned.after)
    split = [layer for layer in planned.after if layer.source == 2]
    assert [layer.part for layer in split] == list(range(1, len(split) + 1))
    assert len(split) == split[0].parts > 3
    assert planned.before == tuple(one.size for one in image.platforms()[0].manifest.layers)
    assert planned.send == sum(layer.size for layer in planned.after) + result.manifest.config.size
    assert planned.seconds == planned.send / 1_000_000
    assert any("/opt/a" in line for layer in split for line in layer.holds)


def test_what_is_there_is_not_sent(image: Image) -> None:
    fixed = fix_image(image, FixOptions(max_layer_size=LIMIT))
    (result,) = fixed.image.platforms()
    first = result.manifest.layers[0]
    (planned,) = planned_of(list(image.platforms()), fixed, LIMIT, SILENT, there=lambda digest: digest == first.digest)
    assert [layer.there for layer in planned.after] == [True] + [False] * (len(planned.after) - 1)
    assert planned.send == sum(layer.size for layer in planned.after[1:]) + result.manifest.config.size
    assert planned.seconds is None


def paths_held(*runs: bytes) -> list[str]:
    lines = held(layer_files(layer(*runs)))
    assert all(re.fullmatch(r"/\S+ [\d.]+ k?B", line) for line in lines)
    return [line.split()[0] for line in lines]


def test_what_a_part_holds() -> None:
    several = [file("usr/lib/a", NOISE[:500_000]), file("usr/lib/b", NOISE[500_000:900_000])]
    assert paths_held(*several) == ["/usr/lib/a", "/usr/lib/b"]
    assert paths_held(file("usr/lib/x/a", NOISE[:500_000]), file("etc/b", b"x")) == ["/usr/lib/x/a"]
    files = [file(f"srv/{number}", NOISE[number * 1000 : (number + 1) * 1000]) for number in range(300)]
    assert paths_held(*files, file("opt/model", NOISE[:900_000])) == ["/opt/model", "/srv"]
    assert paths_held() == []


def test_inspect_with_a_plan(image: Image, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["inspect", "-q", image.name, "--plan", "--max-layer-size", str(LIMIT), "--rate", "8Mbit"]
    assert run(arguments) == 0
    out = capsys.readouterr().out
    assert "linux/amd64: the plan" in out
    assert "3 layers of" in out
    assert "none above 600 kB" in out
    assert "a push sends 1.8" in out
    assert "about 2 s" in out
    assert run([*arguments, "--json"]) == 0
    (planned,) = json.loads(capsys.readouterr().out)["planned"]
    output = tmp_path / "fixed.tar"
    assert run(["fix", "-q", image.name, str(output), "--max-layer-size", str(LIMIT)]) == 0
    (fixed,) = open_image(str(output)).platforms()
    assert [layer["digest"] for layer in planned["after"]] == [layer.digest for layer in fixed.manifest.layers]
    page = tmp_path / "page.html"
    assert run([*arguments, "--html", str(page)]) == 0
    assert "/opt/a " in page.read_text()


def test_what_cannot_be_fixed_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    big = write_tar(tmp_path / "big.tar", docker_archive(tar({"big": NOISE})))
    assert run(["inspect", str(big), "--plan", "--max-layer-size", "500kB"]) == 0
    out = capsys.readouterr().out
    assert "1 above 500 kB" in out


@pytest.mark.parametrize(
    "arguments", [["inspect", "x.tar", "--rate", "1MB"], ["fix-and-push", "x.tar", "h.example/a:1", "--rate", "1MB"]]
)
def test_a_rate_of_nothing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "--rate is for" in capsys.readouterr().err
