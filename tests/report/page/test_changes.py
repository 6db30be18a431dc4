"""The page of `diff`."""

from pathlib import Path

from layerkit.cli.main import run
from layerkit.compare.changes import Change, Changes, FileChanged, LayerCompared, PackageChanged, Sums
from layerkit.costs.contents import GroupFound
from layerkit.report.page import changes_page
from tests.report.page.conftest import Opening
from tests.sources.builders import docker_archive, tar, write_tar

EVIL = '</script><img src=x onerror="alert(1)">'


def changes(platform: str = "linux/amd64", **more: object) -> Changes:
    values: dict[str, object] = {
        "platform": platform,
        "before": Sums(10, 5_000_000, 2_000_000),
        "after": Sums(12, 6_000_000, 2_500_000),
        "added": Sums(3, 900_000, 400_000),
        "removed": Sums(1, 10, 5),
        "changed_before": Sums(1, 100_000, 50_000),
        "changed": Sums(1, 200_000, 150_000),
        "files": (
            FileChanged(f"/opt/{EVIL}", Change.ADDED, 0, 900_000, 0, 400_000),
            FileChanged("/opt/app", Change.CHANGED, 100_000, 200_000, 50_000, 150_000),
            FileChanged("/opt/gone", Change.REMOVED, 10, 0, 5, 0),
        ),
        "arriving": (GroupFound("/opt", 4, 1_100_000, 550_000),),
        "leaving": (GroupFound("/opt", 2, 100_010, 50_005),),
        "packages": (PackageChanged("python", "torch", "2.8", "2.9", 1_000, 2_000), PackageChanged("deb", "curl", "", "8", 0, 9)),
        "layers": (
            LayerCompared(1, "sha256:0", 1_000_000, True, "FROM", 0),
            LayerCompared(2, "sha256:1", 1_500_000, False, f"COPY {EVIL}", 900_000),
        ),
        "send": 1_500_000,
        "unchanged": 900_000,
    }
    return Changes(**{**values, **more})  # type: ignore[arg-type]


def test_everything_is_told(opening: Opening) -> None:
    page = opening(changes_page("old.tar", "new.tar", [changes()])).page
    assert page.title() == "old.tar → new.tar: what changed"
    assert page.locator("main h2").all_inner_texts() == ["Layers", "Packages", "Files"]
    assert (
        "A push sends 1.50 MB where the old image is. About 900 kB of it didn't change: 60 %."
        in page.locator(".verdict").inner_text()
    )
    text = page.locator("main").inner_text()
    for part in ("torch 2.8 → 2.9", "curl 8, added", f"COPY {EVIL}", "/opt/gone", "1 of 2 layers are new"):
        assert part in text
    assert page.locator("img").count() == 0


def test_nothing_changed(opening: Opening) -> None:
    same = changes(files=(), arriving=(), leaving=(), packages=(), layers=(), send=0, unchanged=0)
    page = opening(changes_page("a", "b", [same])).page
    assert "All layers are the same." in page.locator(".verdict").inner_text()
    assert page.locator("main h2").count() == 0


def test_several_platforms_on_a_phone(opening: Opening) -> None:
    page = opening(changes_page("a", "b", [changes(), changes("linux/arm64")]), width=360).page
    assert page.locator("main h2:visible").count() == 3
    page.get_by_role("button", name="linux/arm64").click()
    assert page.locator("#platform-2").is_visible()
    assert not page.locator("#platform-1").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_command(tmp_path: Path) -> None:
    old = write_tar(tmp_path / "old.tar", docker_archive(tar({"a": b"x" * 9000})))
    new = write_tar(tmp_path / "new.tar", docker_archive(tar({"a": b"y" * 9000})))
    page = tmp_path / "diff.html"
    assert run(["diff", "-q", str(old), str(new), "--html", str(page)]) == 0
    assert '"change":"changed"' in page.read_text()
