"""`layerkit verify`: a line per difference, exit 1 if any."""

import json
import re
from pathlib import Path

import pytest

from layerkit.cli.main import run
from tests.layered import image_of, write_layout
from tests.tar_building import directory, file, layer


@pytest.fixture
def layouts(tmp_path: Path) -> tuple[str, str]:
    before = image_of(layer(directory("etc"), file("etc/passwd", b"a"), file("b")))
    after = image_of(layer(directory("etc"), file("etc/passwd", b"a", mode=0o600)))
    return str(write_layout(before, tmp_path / "before")), str(write_layout(after, tmp_path / "after"))


def test_same(layouts: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", layouts[0], f"oci:{layouts[0]}"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "no difference" in err


def test_different(layouts: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", *layouts]) == 1
    out, err = capsys.readouterr()
    assert out == "/b: type: file -> absent\n/etc/passwd: mode: 0644 -> 0600\n"
    assert "2 differences" in err
    assert run(["verify", "-q", *layouts]) == 1
    assert capsys.readouterr().err == ""


def test_json(layouts: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "--json", *layouts]) == 1
    assert json.loads(capsys.readouterr().out)["differences"][1] == {
        "path": "/etc/passwd",
        "what": "mode",
        "before": "0644",
        "after": "0600",
        "platform": "",
    }
    assert run(["verify", "--json", layouts[0], layouts[0]]) == 0
    assert json.loads(capsys.readouterr().out)["differences"] == []


def test_usage(layouts: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", layouts[0]]) == 2
    assert run(["verify", "-", "-"]) == 2
    assert run(["verify", *layouts, "--platform", "linux/s390x"]) == 2
    assert "no image for linux/s390x; there is linux/amd64" in capsys.readouterr().err


def test_damaged(layouts: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    for blob in Path(layouts[1]).glob("blobs/sha256/*"):
        data = blob.read_bytes()
        if data[:2] == b"\x1f\x8b":
            blob.write_bytes(data[:-5] + b"zzzzz")
    assert run(["verify", *layouts]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"error: .*layer 1 \(.*expected", err)
    assert run(["verify", layouts[0], "/nowhere"]) == 3
