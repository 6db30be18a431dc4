"""A browser to look at pages with: the system's Chromium, without a window. Tests that need it skip where it isn't there."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@dataclass
class Opened:
    """A page that is shown, and what it said and asked for meanwhile."""

    page: "Page"
    said: list[str] = field(default_factory=list)
    """On its console, or as errors."""
    asked: list[str] = field(default_factory=list)
    """Addresses, but for its own."""


Opening = Callable[..., Opened]


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    api = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=arguments)
        yield found
        found.close()


@pytest.fixture
def opening(browser: "Browser", tmp_path: Path) -> Iterator[Opening]:
    """Opens HTML as a browser opens a file. Every page that was opened has to have been quiet, and to have asked for nothing."""
    every: list[Opened] = []

    def opened(html: str, *, width: int = 1280, height: int = 900, **options: Any) -> Opened:
        path = tmp_path / f"{len(every)}.html"
        path.write_text(html, encoding="utf-8")
        shown = Opened(browser.new_context(viewport={"width": width, "height": height}, **options).new_page())
        shown.page.on("console", lambda message: shown.said.append(message.text))
        shown.page.on("pageerror", lambda error: shown.said.append(str(error)))
        shown.page.on("request", lambda request: shown.asked.append(request.url))
        shown.page.goto(path.as_uri())
        shown.asked.remove(path.as_uri())
        every.append(shown)
        return shown

    yield opened
    for shown in every:
        shown.page.context.close()
    assert [shown.said for shown in every if shown.said] == []
    assert [address for shown in every for address in shown.asked if not address.startswith("data:")] == []
