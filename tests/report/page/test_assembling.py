"""The file as it is written: small, complete, and nothing in it but data that the image could have reached."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.report.page import image_page
from layerkit.report.page.assembling import embedded
from tests.report.page.sample import PAGES, bare, many, ranker

FILES = files("layerkit.report.page").joinpath("files")


class Elements(HTMLParser):
    """Scripts and styles with their text, and every attribute that may name something elsewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = [("", {}, "")]
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes), ""))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(("", {}, ""))

    def handle_data(self, data: str) -> None:
        tag, attributes, text = self.found[-1]
        self.found[-1] = (tag, attributes, text + data)


@pytest.mark.parametrize("name", PAGES)
def test_small_and_alone(name: str) -> None:
    page = image_page(*PAGES[name]())
    assert len(page.encode()) < 400_000
    elements = Elements(page).found
    assert [attributes for tag, attributes, _ in elements if "src" in attributes or tag in ("img", "iframe", "object")] == []
    assert [
        attributes["href"] for _, attributes, _ in elements if not (attributes.get("href") or "data:").startswith("data:")
    ] == []
    assert "@import" not in page
    assert "url(" not in page


def test_the_policy_names_what_is_there() -> None:
    elements = Elements(image_page(*bare())).found
    policy = next(attributes["content"] for _, attributes, _ in elements if "http-equiv" in attributes) or ""
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for tag in ("script", "style"):
        texts = [text for found, attributes, text in elements if found == tag and attributes.get("type") != "application/json"]
        assert texts
        assert rules[f"{tag}-src"].split() == [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(st.characters()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_data_is_nothing_to_a_reader_of_html(value: object) -> None:
    text = embedded(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not set(text) & set("<>&")


def test_the_same_image_makes_the_same_page() -> None:
    assert image_page(*ranker()) == image_page(*ranker())


def test_an_image_of_500_layers_is_told_in_full() -> None:
    page = image_page(*many(500))
    data = json.loads(next(text for _, attributes, text in Elements(page).found if attributes.get("id") == "data"))
    assert [layer["number"] for layer in data["platforms"][0]["layers"]] == list(range(1, 501))


def test_the_library_is_what_its_authors_publish_and_its_licence_goes_with_it() -> None:
    folder = FILES.joinpath("d3-hierarchy")
    origin = dict(line.split("=") for line in folder.joinpath("ORIGIN").read_text().splitlines() if "=" in line)
    library = folder.joinpath("d3-hierarchy.min.js").read_bytes()
    assert sha256(library).hexdigest() == origin["sha256"]
    assert f"/d3-hierarchy/ v{origin['version']} ".encode() in library
    page = image_page(*bare())
    assert library.decode() in page
    assert folder.joinpath("LICENSE").read_text() in page


def colours() -> dict[str, tuple[str, str]]:
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", FILES.joinpath("page.css").read_text())
    return {name: (light, dark) for name, light, dark in found}


def luminance(colour: str) -> float:
    """WCAG 2.1, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


KINDS = ("native", "build", "python", "web", "java", "archive", "data", "text", "other")
READ = [
    *((text, ground) for text in ("ink", "quiet", "link", "bad", "good") for ground in ("paper", "panel")),
    *(("quiet", ground) for ground in ("faint",)),
    *((text, f"{text}-paper") for text in ("bad", "good", "warn")),
    *(("ink", f"{ground}-paper") for ground in ("bad", "good", "warn")),
    *(("on-kind", kind) for kind in KINDS),
]


@pytest.mark.parametrize(("text", "ground"), READ)
def test_text_can_be_read(text: str, ground: str) -> None:
    """WCAG AA: 4.5 to 1, light and dark."""
    for one, other in zip(colours()[text], colours()[ground], strict=True):
        assert contrast(one, other) >= 4.5


def test_bars_can_be_told_from_what_is_behind_them() -> None:
    """WCAG AA for graphics: 3 to 1."""
    for bar in ("bar", "bar-part", "bad-bar"):
        for one, other in zip(colours()[bar], colours()["paper"], strict=True):
            assert contrast(one, other) >= 3


def test_neighbours_on_the_map_differ() -> None:
    for place in (0, 1):
        shades = [colours()[kind][place] for kind in KINDS]
        assert len(set(shades)) == len(KINDS)
        assert all(one != other for one, other in pairwise(shades))
