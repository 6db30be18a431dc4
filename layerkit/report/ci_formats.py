"""Findings as the services show them that run the check. In: findings, and what they are about. Out: text for standard output.

`github`: annotations of a workflow. `sarif`: SARIF 2.1.0, which code scanning reads. `junit`: XML as test reports have it, with a
suite for the image and one for each platform. Text from the image goes in escaped: it may hold anything.
"""

from collections.abc import Sequence
from importlib.metadata import metadata
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from layerkit.report.explained import EXPLAINED, Explanation
from layerkit.report.findings import Finding
from layerkit.report.text import json_text, one_line

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def github(findings: Sequence[Finding], name: str) -> str:
    """A line per finding; none when there is none."""
    return "\n".join(
        f"::error title={_property(f'{finding.code} {name}')}::{_value(one_line(str(finding)))}" for finding in findings
    )


def sarif(findings: Sequence[Finding], name: str) -> str:
    """One run, with a rule for every code, so that what was found no more can be told from what isn't looked for."""
    about = metadata("layerkit")
    documentation = _documentation(about.get_all("Project-URL") or [])
    codes = list(EXPLAINED)
    driver = {
        "name": "layerkit",
        "version": about["Version"],
        "rules": [_rule(code, explained, documentation) for code, explained in EXPLAINED.items()],
    }
    results = [_result(finding, codes.index(finding.code), name) for finding in findings]
    return json_text({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]})


def junit(findings: Sequence[Finding], name: str, platforms: Sequence[str]) -> str:
    """A suite for the image as a whole and one per platform; one without findings has a single case, that passed."""
    suites: dict[str, list[Finding]] = {"image": [], **{platform: [] for platform in platforms}}
    for finding in findings:
        suites[_platform_of(finding, platforms)].append(finding)
    root = ElementTree.Element("testsuites", name="layerkit check", tests="0", failures=str(len(findings)), errors="0")
    for suite, found in suites.items():
        element = ElementTree.SubElement(
            root,
            "testsuite",
            name=one_line(f"{name} {suite}"),
            tests=str(max(1, len(found))),
            failures=str(len(found)),
            errors="0",
            skipped="0",
        )
        for finding in found:
            _case(element, f"{finding.code} {finding.where}", finding)
        if not found:
            _case(element, "nothing found")
    root.set("tests", str(len(root.findall("testsuite/testcase"))))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode")


def _case(suite: ElementTree.Element, title: str, finding: Finding | None = None) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=suite.get("name", ""), name=one_line(title))
    if finding is not None:
        failure = ElementTree.SubElement(case, "failure", type=finding.code, message=one_line(finding.message))
        failure.text = one_line(str(finding))


def _platform_of(finding: Finding, platforms: Sequence[str]) -> str:
    """`linux/arm64 layer 3 (…)` is about `linux/arm64`, not about `linux/arm`."""
    return next((one for one in platforms if finding.where == one or finding.where.startswith(f"{one} layer ")), "image")


def _rule(code: str, explained: Explanation, documentation: str | None) -> dict[str, Any]:
    rule = {
        "id": code,
        "shortDescription": {"text": explained.found},
        "fullDescription": {"text": f"{explained.found}: {explained.why}"},
        "help": {
            "text": f"{explained.why}. What to do: {explained.advice}".replace("`", ""),
            "markdown": f"{explained.why}. What to do: {explained.advice}",
        },
        "defaultConfiguration": {"level": "error"},
    }
    return rule if documentation is None else {**rule, "helpUri": documentation}


def _result(finding: Finding, index: int, name: str) -> dict[str, Any]:
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": "error",
        "message": {"text": one_line(f"{finding.where}: {finding.message}; {finding.advice}")},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": _uri(name)}},
                "logicalLocations": [{"fullyQualifiedName": one_line(finding.where)}],
            }
        ],
    }


def _uri(name: str) -> str:
    """A path is a relative reference, in which a colon would end a scheme."""
    safe = "/:@" if name.startswith("docker://") else "/"
    try:
        data = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a pair that stands for no byte
        data = name.encode("utf-8", "backslashreplace")
    return quote(data, safe=safe)


def _documentation(urls: Sequence[str]) -> str | None:
    """`Documentation, https://…` of the package's own metadata, if it says."""
    return next((url for label, _, url in (one.partition(", ") for one in urls) if label == "Documentation"), None)


def _value(text: str) -> str:
    """GitHub's workflow commands take these by number."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _value(one_line(text)).replace(":", "%3A").replace(",", "%2C")
