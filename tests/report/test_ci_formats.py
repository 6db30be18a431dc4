"""Findings as CI services read them: held by SARIF's own schema, by reading the XML again, and by what images can be called."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from layerkit.cli.main import run
from layerkit.report.ci_formats import _documentation, junit, sarif
from layerkit.report.explained import EXPLAINED
from layerkit.report.findings import CODES, Finding
from tests.images import FIRST, SECOND, add_image, large, small
from tests.sources.builders import Files, add_index, docker_archive, layout, write_tar

CHECKS = Path(__file__).resolve().parents[2] / "docs/checks.md"
SCHEMA: dict[str, Any] = json.loads((Path(__file__).parent / "sarif-2.1.0.json").read_text())
"""As OASIS publishes it."""
FORMATS = Draft4Validator.FORMAT_CHECKER

names = st.text(st.characters(codec=None), min_size=1)
findings = st.lists(st.builds(Finding, st.sampled_from(list(EXPLAINED)), st.sampled_from([FIRST, "index"]) | names, names, names))


@given(findings, names)
def test_sarif_is_sarif(found: list[Finding], name: str) -> None:
    document = json.loads(sarif(found, name).encode())
    Draft4Validator(SCHEMA, format_checker=FORMATS).validate(document)
    (one,) = document["runs"]
    rules = one["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(EXPLAINED)
    assert [result["ruleId"] for result in one["results"]] == [finding.code for finding in found]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in one["results"])


@given(findings, names)
def test_junit_adds_up(found: list[Finding], name: str) -> None:
    root = ElementTree.fromstring(junit(found, name, [FIRST, SECOND]).encode())
    suites = root.findall("testsuite")
    assert len(suites) == 3
    assert [len(suite.findall("testcase")) for suite in suites] == [int(suite.get("tests", "")) for suite in suites]
    assert sum(int(suite.get("failures", "")) for suite in suites) == len(root.findall(".//failure")) == len(found)
    assert int(root.get("tests", "")) == len(root.findall(".//testcase"))
    assert sorted(failure.get("type", "") for failure in root.iter("failure")) == sorted(one.code for one in found)


def test_of_a_real_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    files: Files = {}
    one, two = add_image(files, [large()]), add_image(files, [small()], platform=SECOND)
    write_tar(tmp_path / "image.tar", layout(files, add_index(files, [one, two])))
    options = ["--max-layer-size", "100kB", "--profile", "generic"]
    assert run(["check", "image.tar", "--format", "sarif", *options]) == 1
    (found,) = json.loads(capsys.readouterr().out)["runs"]
    (result,) = found["results"]
    assert result["ruleId"] == "LK001"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "image.tar"
    assert run(["check", "image.tar", "--format", "junit", *options]) == 1
    root = ElementTree.fromstring(capsys.readouterr().out)
    failures = {suite.get("name"): suite.get("failures") for suite in root.iter("testsuite")}
    assert failures == {"image.tar image": "0", f"image.tar {FIRST}": "1", f"image.tar {SECOND}": "0"}


def test_nothing_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = str(write_tar(tmp_path / "image.tar", docker_archive(small().raw)))
    assert run(["check", spec, "--format", "sarif", "--profile", "ghcr"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["results"] == []
    assert run(["check", spec, "--format", "github", "--profile", "ghcr"]) == 0
    assert capsys.readouterr().out == ""
    assert run(["check", spec, "--format", "json", "--profile", "ghcr"]) == 0
    as_format = capsys.readouterr().out
    assert run(["check", spec, "--json", "--profile", "ghcr"]) == 0
    assert capsys.readouterr().out == as_format
    assert run(["check", spec, "--json", "--format", "sarif"]) == 2


def test_explanations_are_those_of_the_docs() -> None:
    rows = [line for line in CHECKS.read_text().splitlines() if line.startswith("| LK")]
    assert rows == [f"| {code} | {one.found} | {one.why} | {one.advice} |" for code, one in EXPLAINED.items()]
    assert set(EXPLAINED) == {*CODES, "LK020"}


def test_where_the_docs_are() -> None:
    assert (
        _documentation(["Source, https://example.com", "Documentation, https://example.com/docs"]) == "https://example.com/docs"
    )
    assert _documentation([]) is None
