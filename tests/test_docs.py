"""All that is written for people: links lead somewhere, every page can be found, examples run."""

import re
from pathlib import Path

import pytest

import layerkit
from layerkit.profiles import KNOWN
from layerkit.report.sizes import format_size
from layerkit.sandbox import Limits, Sandbox
from tests.images import attested_archive, large, small

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.MULTILINE):
        text = re.sub(r"[^\w\- ]", "", heading.replace("`", "").strip().lower())
        found.add(text.replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", page.read_text())):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(there), f"{page.name}: {target}"


def test_every_page_is_in_the_list() -> None:
    listed = re.findall(r"\]\(([\w./-]+\.md)\)", (ROOT / "docs/README.md").read_text())
    there = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert there <= {Path(name).name for name in listed}


def test_the_guide_to_the_library_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    attested_archive(tmp_path / "image.tar", [small(), large(8, 50_000)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with Sandbox(tmp_path / "registry", Limits()) as sandbox:
        names: dict[str, object] = {"layerkit": layerkit, "registry": sandbox.address}
        for block in re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/library.md").read_text(), re.MULTILINE | re.DOTALL):
            exec(compile(block, "docs/library.md", "exec"), names)
    said = capsys.readouterr().out
    assert f"{sandbox.address}/app/worker:1.0@sha256:" in said
    assert f"{sandbox.address}/app/worker:1.1 done" in said
    assert f"{sandbox.address}/app/other:1.0 failed" in said
    assert "missing.tar" in said


def test_every_profile_has_its_section() -> None:
    """With the figures that the profile has."""
    sections = re.split(r"^### ", (ROOT / "docs/registries.md").read_text(), flags=re.MULTILINE)
    for profile in KNOWN:
        (section,) = [one for one in sections if one.partition("\n")[0].endswith(f"(`{profile.name}`)")]
        assert f"up to {format_size(profile.max_layer_size)}" in section
        assert profile.login in section
        assert ("attestations are taken out" in section) == (not profile.attestations)
        assert ("has to be made beforehand" in section) == (not profile.creates_repositories)
