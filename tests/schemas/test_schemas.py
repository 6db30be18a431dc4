"""The published schemas: valid themselves, and what real runs print holds to them."""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from layerkit.cli.main import run
from layerkit.sandbox import Limits, Sandbox
from layerkit.schemas import DOCUMENTS, VERSIONS, schema
from tests.images import attested_archive, large, small

ROOT = Path(__file__).resolve().parents[2]
LIMIT = "150kB"


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    attested_archive(tmp_path / "image.tar", [small(), large(8, 50_000)])
    attested_archive(tmp_path / "other.tar", [small(), small("other")])
    with Sandbox(tmp_path / "registry", Limits()) as served:
        yield served


def check(name: str, found: Any) -> None:
    Draft202012Validator(schema(name), format_checker=Draft202012Validator.FORMAT_CHECKER).validate(found)
    assert found["schema"] == f"layerkit.{name}/{VERSIONS[name]}"
    assert next(iter(found)) == "schema"


def test_there_is_one_for_every_document() -> None:
    there = {Path(one.name).stem for one in files("layerkit.schemas").iterdir() if one.name.endswith(".json")}
    assert there == set(DOCUMENTS)
    explained = (ROOT / "docs/json.md").read_text()
    assert all(f"| `{name}` |" in explained for name in DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_is_valid_and_closed(name: str) -> None:
    found = schema(name)
    Draft202012Validator.check_schema(found)
    assert found["$id"] == f"urn:layerkit:schema:{name}:{VERSIONS[name]}"
    with pytest.raises(ValidationError):
        Draft202012Validator(found).validate({"nobody": "knows this field"})


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("inspect", "inspect image.tar", 0),
        ("inspect", "inspect --files 5 image.tar", 0),
        ("inspect", f"inspect --plan image.tar --max-layer-size {LIMIT}", 0),
        ("dry-run", f"fix-and-push image.tar AT/app/worker:1 --dry-run --rate 50Mbit --max-layer-size {LIMIT}", 0),
        ("inspect-several", "inspect image.tar other.tar", 0),
        ("inspect-several", "inspect --files 5 image.tar other.tar", 0),
        ("diff", "diff other.tar image.tar", 0),
        ("check", "check image.tar --profile replicated --max-layer-size 150kB", 1),
        ("fix", f"fix image.tar fixed.tar --max-layer-size {LIMIT}", 0),
        ("push", "push image.tar AT/app/worker:1", 0),
        ("dry-run", f"fix-and-push image.tar AT/app/worker:1 --dry-run --max-layer-size {LIMIT}", 0),
        ("fix-and-push", f"fix-and-push image.tar AT/app/worker:1 --max-layer-size {LIMIT}", 0),
        ("verify", "verify image.tar other.tar", 1),
        ("profiles", "profiles", 0),
        ("profiles", "profiles ghcr", 0),
        ("bench", "bench image.tar --limit 150kB --limit 70kB --compression keep --runs 1", 0),
    ],
)
def test_what_is_printed(name: str, arguments: str, code: int, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*arguments.replace("AT/", f"{sandbox.address}/").split(), "--json"]) == code
    check(name, json.loads(capsys.readouterr().out))


def test_a_row_that_bench_cannot_do(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    attested_archive(Path("one.tar"), [large(1, 200_000)])
    assert run(["bench", "one.tar", "--limit", "100kB", "--limit", "1GB", "--compression", "keep", "--runs", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert ["problem" in row for row in found["rows"]] == [True, False]
    check("bench", found)


def test_blank(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"{sandbox.address}/app/worker:1"
    assert run(["push", "image.tar", name]) == 0
    capsys.readouterr()
    assert run(["blank", name, "--yes", "--json"]) == 0
    check("blank", json.loads(capsys.readouterr().out))


def test_lines_of_batch(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    Path("list").write_text(f"image.tar {sandbox.address}/a:1\nnot-there.tar {sandbox.address}/b:1\n")
    assert run(["batch", "list"]) != 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(one["status"] for one in found) == ["done", "failed"]
    for one in found:
        check("batch", one)


def test_a_forgotten_field_is_found(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", "--files", "5", "image.tar", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    found["contents"][0]["layers"][0]["forgotten"] = 1
    with pytest.raises(ValidationError, match="forgotten"):
        check("inspect", found)


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(DOCUMENTS)
    assert run(["schema", "inspect"]) == 0
    assert json.loads(capsys.readouterr().out) == schema("inspect")
    assert run(["schema", "nobody"]) == 2
    assert "expected one of inspect," in capsys.readouterr().err
