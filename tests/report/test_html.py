"""The page about an image: complete, without network, and safe whatever the image says."""

import re
import sys
from pathlib import Path

import pytest

from layerkit.cli.main import run
from layerkit.errors import UsageError
from layerkit.report.html import image_page
from layerkit.report.summary import summarise
from layerkit.sources import open_image
from tests.sources.builders import docker_archive, tar, write_tar

EVIL = "</script><script>alert(1)</script>"


@pytest.fixture
def path(tmp_path: Path) -> str:
    layers = [tar({f"usr/{EVIL.replace('/', '_')}/a": b"x" * 5000, "usr/lib/b": b"y" * 3000}), tar({"usr/lib/b": b""})]
    history = [{"created_by": f"RUN {EVIL}"}, {"created_by": "COPY b /"}]
    return str(write_tar(tmp_path / "image.tar", docker_archive(*layers, history=history, tags=["app:1"])))


def test_without_the_extra(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UsageError, match=r"pip install 'layerkit\[report\]'"):
        image_page(summarise(open_image(path), 100))


def test_a_page(path: str, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("plotly")
    page = tmp_path / "page.html"
    assert run(["inspect", path, "--files", "5", "--html", str(page), "--max-layer-size", "4kB"]) == 0
    text = page.read_text()
    assert "COPY b /" in text
    assert "3.00 kB replaced or deleted by later layers" in text
    assert "limit: 4.00 kB" in text
    assert "<script>alert(1)" not in text
    assert re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="http', text) == []
    assert [child.name for child in tmp_path.iterdir() if "partial" in child.name] == []


def test_a_page_that_cannot_be_written(path: str, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("plotly")
    assert run(["inspect", path, "--html", str(tmp_path / "nowhere" / "page.html")]) == 4
