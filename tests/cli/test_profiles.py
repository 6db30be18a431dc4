"""`layerkit profiles`: the table, one in full, and both for programs."""

import json
import tomllib
from pathlib import Path

import pytest

from layerkit.cli.main import run
from layerkit.profiles import KNOWN
from layerkit.profiles.reading import profiles_in


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "layerkit" / "profiles.toml"


def test_the_table(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profiles"]) == 0
    out, err = capsys.readouterr()
    names = [line.split()[0] for line in out.splitlines()[1:] if not line.startswith(" ")]
    assert names == [profile.name for profile in KNOWN]
    (ghcr,) = [line for line in out.splitlines() if line.startswith("ghcr ")]
    assert ghcr.split()[1:3] == ["ghcr.io", "10.0"]
    assert f"profiles of your own in {own} would be read too" in err


def test_one_in_full_names_its_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profiles", "ghcr"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("[ghcr]\n")
    assert 'upload.way = "whole"  # seen: chunks above 4 MiB are refused with 416' in out
    assert "2026-11-26" in out


@pytest.mark.parametrize("name", [profile.name for profile in KNOWN])
def test_what_it_prints_can_be_read_as_a_file_of_profiles(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profiles", name]) == 0
    text = capsys.readouterr().out
    assert list(tomllib.loads(text)) == [name]
    read = profiles_in(text, "profiles.toml", {profile.name: profile for profile in KNOWN})[name]
    shown = KNOWN.named(name)
    assert (read.hosts, read.upload, read.login, read.max_layer_size) == (
        shown.hosts,
        shown.upload,
        shown.login,
        shown.max_layer_size,
    )


def test_for_programs(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own.parent.mkdir()
    own.write_text('[mine]\nhosts = ["registry.example.com"]\nmax_layer_size = { value = "2GB", source = "its manual" }')
    assert run(["profiles", "--json"]) == 0
    first, *others = json.loads(capsys.readouterr().out)["profiles"]
    assert (first["name"], first["hosts"], first["max_layer_size"]) == ("mine", ["registry.example.com"], 2_000_000_000)
    assert first["sources"]["max_layer_size"] == {"source": "its manual", "date": None}
    assert len(others) == len(list(KNOWN))
    assert run(["profiles", "google", "--json"]) == 0
    (google,) = json.loads(capsys.readouterr().out)["profiles"]
    assert google["creates_repositories"] is False


def test_what_cannot_be_meant(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profiles", "nobody"]) == 2
    own.parent.mkdir()
    own.write_text("[mine]\nparallel = 0")
    assert run(["profiles"]) == 2
    assert f"error: {own}: mine.parallel: expected a whole number" in capsys.readouterr().err
