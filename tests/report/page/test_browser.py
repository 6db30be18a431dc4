"""The page as a browser shows it: quiet, without network, by mouse and by keyboard, on paper, on a phone."""

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from layerkit.report.page import PlatformPage, image_page
from layerkit.report.planned import Planned, PlannedLayer
from layerkit.report.sizes import format_seconds, format_share, format_size
from tests.report.page.conftest import Opening
from tests.report.page.sample import LIMIT, PAGES, SITE, bare, image_summary, layer_summary, many, platform_summary, ranker
from tests.report.page.test_document import hostile_image

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, Page

WIDTHS = (320, 375, 768, 1280, 1920)

WIDER = """() => [...document.querySelectorAll('main *')]
    .filter(one => !one.closest('.map') && one.getBoundingClientRect().right > innerWidth + 0.5)
    .map(one => one.outerHTML.slice(0, 90))"""
"""What ends beyond the window's edge."""


@pytest.fixture(scope="module")
def ranker_page() -> str:
    return image_page(*ranker())


def headings(page: "Page") -> list[str]:
    return page.locator("main h2:visible").all_inner_texts()


def crumbs(page: "Page") -> list[str]:
    return page.locator(".crumbs li").all_inner_texts()


def focused(page: "Page") -> str:
    """What the keyboard is at, as it is told to those who don't see it."""
    return str(page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.tagName"))


def cell(path: str, layer: int) -> str:
    """A selector."""
    return f'.cell[aria-label^="/{path} in layer {layer}:"]'


def place(found: "Locator") -> "FloatRect":
    box = found.bounding_box()
    assert box is not None
    return box


def test_everything_is_told(ranker_page: str, opening: Opening) -> None:
    page = opening(ranker_page).page
    assert page.title() == "ranker.tar: image report"
    assert headings(page) == [
        "Findings",
        "What would help",
        "Layers",
        "Before and after",
        "Map",
        "What is in it",
        "Waste",
        "Privileged and writable",
    ]
    assert (
        page.locator(".verdict").inner_text()
        == "Layer 3 is above the limit of 1.00 GB. layerkit fix-and-push makes 4 parts of it."
    )
    tiles = dict(zip(page.locator(".tile-name").all_inner_texts(), page.locator(".tile b").all_inner_texts(), strict=True))
    assert tiles["Would help most"] == "\N{MINUS SIGN}485 MB"
    assert tiles["After fix-and-push"] == "8 layers"
    assert page.locator(".table h3").all_inner_texts() == [
        "Layers as they are pushed",
        "Largest files",
        "Largest directories",
        "Packages",
        "Types",
        "Suffixes",
        "Replaced or deleted by later layers",
        "Held again by later layers, unchanged but for owner, mode or time",
        "Files with the same content",
        "Run as their owner or group (setuid, setgid)",
        "Written by anyone",
    ]
    assert "/usr/bin/passwd" in page.locator("main").inner_text()


@pytest.mark.parametrize("name", PAGES)
def test_no_section_is_empty(name: str, opening: Opening) -> None:
    page = opening(image_page(*PAGES[name]())).page
    for section in page.locator("main section").all():
        assert section.locator("li, tr, .row, .lead, .bars").count() > 0, section.inner_text()
    assert page.locator("table:not(:has(tbody tr))").count() == 0


def test_axes_have_whole_numbers(ranker_page: str, opening: Opening) -> None:
    page = opening(ranker_page).page
    for label in page.locator(".axis span, .grid span, .column > span").all_inner_texts():
        assert label.split(" ")[0].replace(",", "").isdigit() or label == ""
    assert page.locator(".columns").first.locator(".column > span").all_inner_texts() == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("largest", [1, 7, 999, 1_000_001, 3_330_000_000, 12_345_678_901_234])
def test_scales(largest: int, opening: Opening, ranker_page: str) -> None:
    ticks = opening(ranker_page).page.evaluate(f"sizeScale({largest}).ticks")
    values = [tick["value"] for tick in ticks]
    assert values == [round(value) for value in values]
    assert 2 <= len(values) <= 7
    assert len({tick["label"] for tick in ticks}) == len(ticks)


def test_sizes_are_written_as_everywhere_else(opening: Opening, ranker_page: str) -> None:
    page = opening(ranker_page).page
    for size in (0, 1, 999, 1000, 12_800, 99_949, 999_499, 999_501, 1_053_000_000, 7 * 10**15):
        assert page.evaluate(f"sizeText({size})") == format_size(size)
        assert page.evaluate(f"shareText({size}, 2000000000)") == format_share(size, 2_000_000_000)
    for seconds in (0, 59, 61, 3_599, 3_600, 86_399):
        assert page.evaluate(f"secondsText({seconds})") == format_seconds(seconds)


def test_the_limit_is_drawn_where_it_is(ranker_page: str, opening: Opening) -> None:
    """The bar of the large layer crosses the line; those of the others end before it."""
    page = opening(ranker_page).page
    line = page.evaluate("""() => {
        const track = document.querySelector('.rows .track').getBoundingClientRect();
        return track.left + parseFloat(getComputedStyle(document.querySelector('.rows .track'), '::after').left);
    }""")
    bars = [place(bar) for bar in page.locator(".rows .bar").all()]
    assert [box["x"] + box["width"] > line for box in bars] == [False, False, True, False, False]
    for chart, above in ((0, 1), (1, 0)):
        plot = page.locator(".plot").nth(chart)
        limit = place(plot.locator(".limit"))["y"]
        tops = [place(bar)["y"] for bar in plot.locator(".column i").all()]
        assert sum(top < limit for top in tops) == above


def test_the_map_opens_by_mouse(ranker_page: str, opening: Opening) -> None:
    page = opening(ranker_page).page
    assert crumbs(page) == ["Image"]
    page.locator(cell(f"{SITE}/torch", 3)).click(position={"x": 40, "y": 8})
    assert crumbs(page) == ["Image", "Layer 3", SITE, "torch"]
    page.locator(cell(f"{SITE}/torch/lib/libtorch_cuda.so", 3)).click()
    assert crumbs(page)[-1] == "lib", "a file opens the directory that it is in"
    assert "733 MB pushed" in page.locator(".readout").inner_text()
    page.locator(".crumbs button", has_text="Layer 3").click()
    assert crumbs(page) == ["Image", "Layer 3"]
    page.locator(".crumbs button").first.click()
    assert crumbs(page) == ["Image"]


def test_the_map_opens_by_keyboard(ranker_page: str, opening: Opening) -> None:
    page = opening(ranker_page).page
    page.locator(".map-bar input").focus()
    page.keyboard.press("Tab")
    assert focused(page).startswith("Layer 3: RUN pip install torch"), "what costs most comes first"
    page.keyboard.press("ArrowRight")
    assert focused(page).startswith("Layer 4: ")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    assert focused(page).startswith(f"/{SITE} in layer 3: 2.65 GB")
    page.keyboard.press("ArrowDown")
    assert focused(page).startswith(f"/{SITE}/nvidia in layer 3")
    assert "1.29 GB pushed" in page.locator(".readout").inner_text()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert crumbs(page) == ["Image", "Layer 3", SITE]
    page.keyboard.press("End")
    page.keyboard.press("Home")
    assert focused(page).startswith(f"/{SITE}/nvidia in layer 3")
    page.keyboard.press("Backspace")
    assert crumbs(page) == ["Image", "Layer 3"]
    page.keyboard.press("Escape")
    assert crumbs(page) == ["Image"]
    page.keyboard.press("Escape")
    assert crumbs(page) == ["Image"], "there is nothing above"
    assert page.locator('.map [tabindex="0"]').count() == 1, "one stop on the way through the page"


def test_tables_lead_to_the_map(ranker_page: str, opening: Opening) -> None:
    page = opening(ranker_page).page
    page.locator("#contents a.to-map", has_text="libcublasLt").click()
    assert crumbs(page)[-1] == "cublas/lib"
    assert focused(page).startswith(f"/{SITE}/nvidia/cublas/lib/libcublasLt.so.12 in layer 3")
    page.locator("#waste a.to-map", has_text="encoder.safetensors").focus()
    page.keyboard.press("Enter")
    assert focused(page).startswith("/srv/app/models/encoder.safetensors in layer 4"), "and not that of layer 5"
    assert page.locator("#permissions a").count() == 0, "what isn't on the map leads nowhere"


def test_focus_can_be_seen(ranker_page: str, opening: Opening) -> None:
    page = opening(ranker_page).page
    page.locator(".map-bar input").focus()
    page.keyboard.press("Tab")
    before = page.locator(".cell").nth(3).evaluate("cell => getComputedStyle(cell).boxShadow")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("getComputedStyle(document.activeElement).boxShadow") != before


def test_search(ranker_page: str, opening: Opening) -> None:
    page = opening(ranker_page).page
    search = page.locator(".map-bar input")
    search.fill("CUDNN")
    assert page.locator(".found [role=status]").inner_text().startswith("2 matches, 422 MB")
    assert page.locator(".cell.hit:not(.open)").count() == 1
    assert page.locator(".cell.miss:not(.open)").count() > 20
    page.locator(".found button", has_text="libcudnn_engines").click()
    assert crumbs(page) == ["Image", "Layer 3", SITE, "nvidia", "cudnn/lib"]
    assert focused(page).startswith(f"/{SITE}/nvidia/cudnn/lib/libcudnn_engines_precompiled.so.9")
    search.fill("app/models")
    assert page.locator(".found li").all_inner_texts() != []
    assert {row.split("\n")[-1] for row in page.locator(".found li").all_inner_texts()} == {"layer 4", "layer 5"}
    search.fill("no such file")
    assert page.locator(".found [role=status]").inner_text().startswith("0 matches")
    search.press("Escape")
    assert page.locator(".found").is_hidden()
    assert page.locator(".cell.hit, .cell.miss").count() == 0


def test_areas_are_costs(ranker_page: str, opening: Opening) -> None:
    """Files that are drawn as large as each other cost as much as each other."""
    page = opening(ranker_page).page
    page.locator(cell(f"{SITE}/nvidia", 3)).click(position={"x": 40, "y": 8})
    areas = []
    for name, cost in (
        ("cudnn/lib/libcudnn_engines_precompiled.so.9", 421_800_000),
        ("cublas/lib/libcublasLt.so.12", 319_300_000),
    ):
        box = place(page.locator(cell(f"{SITE}/nvidia/{name}", 3)))
        areas.append(box["width"] * box["height"] / cost)
    assert areas[0] == pytest.approx(areas[1], rel=0.1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(scheme: str, ranker_page: str, opening: Opening) -> None:
    page = opening(ranker_page, color_scheme=scheme).page

    def is_dark() -> bool:
        channels = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        return bool(sum(channels[:3]) < 3 * 128)

    assert is_dark() == (scheme == "dark")
    page.locator(".theme").click()
    assert is_dark() == (scheme == "light")
    page.locator(".theme").click()
    assert is_dark() == (scheme == "dark")


def test_paper(ranker_page: str, opening: Opening) -> None:
    """White, with everything that a click would show, and nothing to click."""
    page = opening(ranker_page, color_scheme="dark").page
    assert page.locator("tr.folded:visible").count() == 0
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("tr.folded:visible").count() == page.locator("tr.folded").count() > 0
    assert page.locator("button:visible, input:visible").count() == 0
    assert page.locator(".cell:visible").count() > 50
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_paper_has_every_platform_and_layer(opening: Opening) -> None:
    page = opening(image_page(*bare())).page
    assert page.locator(".row .command:visible").count() == 2
    page.emulate_media(media="print")
    assert page.locator(".row .command:visible").count() == 4
    page = opening(image_page(*many(500))).page
    page.emulate_media(media="print")
    assert page.locator(".rows .command:visible").count() == 500


@pytest.mark.parametrize("name", PAGES)
def test_no_width_is_too_narrow(name: str, opening: Opening) -> None:
    page = opening(image_page(*PAGES[name]())).page
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(WIDER) == [], width


@pytest.mark.parametrize("width", WIDTHS)
def test_no_column_is_too_narrow(width: int, ranker_page: str, opening: Opening) -> None:
    """Numbers and short words stay on one line."""
    page = opening(ranker_page, width=width).page
    broken = page.evaluate("""() => [...document.querySelectorAll('td.n, td.short, .row > .size, .tile b')].filter(one => {
        const text = document.createRange();
        text.selectNodeContents(one);
        return text.getBoundingClientRect().height > 2 * parseFloat(getComputedStyle(one).fontSize);
    }).map(one => one.textContent)""")
    assert broken == []


@pytest.mark.parametrize("width", [375, 1280])
def test_hostile_names(width: int, opening: Opening) -> None:
    _, html = hostile_image()
    page = opening(html, width=width).page
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    assert page.locator("main script, main a[href^=javascript]").count() == 0
    assert "</script><script>alert(1)</script><!-- \\u202ereversed\\udc80\\udcff" in page.locator("h1").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(WIDER) == []
    page.locator(".map-bar input").fill("<script>")
    assert page.locator(".found li").count() == 1
    page.locator(".found button").click()
    assert "alert(1)" in focused(page)


def test_names_from_right_to_left(opening: Opening) -> None:
    """A path in Hebrew is still read from its root on."""
    layer = layer_summary(1, 10, "COPY שלום/קובץ /עולם")
    page = opening(image_page(image_summary("תמונה.tar", [platform_summary("linux/amd64", [layer])]))).page
    assert page.locator(".command").evaluate("found => getComputedStyle(found).direction") == "ltr"
    assert page.locator(".command").inner_text() == "COPY שלום/קובץ /עולם"


def test_many_layers(opening: Opening) -> None:
    """Small ones that follow each other are one row until it is opened."""
    page = opening(image_page(*many(500))).page
    rows = page.locator(".rows .row")
    assert rows.count() > 500
    before = page.locator(".rows .row:visible").count()
    assert before < 400
    page.locator(".rows .more").first.click()
    assert page.locator(".rows .row:visible").count() > before
    page.locator(".rows .more").first.click()
    assert page.locator(".rows .row:visible").count() == before


def test_no_layers_and_no_platforms(opening: Opening) -> None:
    page = opening(image_page(*many(0))).page
    assert "This image has no layers." in page.locator(".verdict").inner_text()
    assert headings(page) == []
    page = opening(image_page(image_summary("empty.tar", []))).page
    assert "This image has no platform." in page.locator(".verdict").inner_text()


def test_platforms(opening: Opening) -> None:
    """One at a time."""
    page = opening(image_page(*bare())).page
    tabs = page.locator(".platforms button")
    assert [tab.get_attribute("aria-pressed") for tab in tabs.all()] == ["true", "false"]
    assert page.locator(".platform:visible").get_attribute("data-index") == "0"
    tabs.nth(1).click()
    assert page.locator(".platform:visible").get_attribute("data-index") == "1"
    assert page.locator("#links a").first.get_attribute("href") == "#p2-layers"


def test_estimates_are_called_so(opening: Opening) -> None:
    text = opening(image_page(*ranker(estimated=True))).page.locator("main").inner_text()
    assert "about 4.13 GB" in text
    assert "about 2.73 GB as gzip" in text
    assert "an estimate: uncompressed layers are counted as gzip" in text


def test_a_plan_that_changes_nothing(opening: Opening) -> None:
    layer = layer_summary(1, 10, "COPY a /")
    plan = Planned("linux/amd64", (10,), (PlannedLayer(1, layer.digest, 10, 1, 0, 1, True, ()),), LIMIT, (), 0, 0.0)
    summary = image_summary("a.tar", [platform_summary("linux/amd64", [layer])])
    page = opening(image_page(summary, [PlatformPage(planned=plan)])).page
    assert "No layer is split. A push sends 0 B, in about 0 s; 1 layer is there already." in page.locator("main").inner_text()
    assert page.locator(".columns").count() == 0


def test_everything_has_a_name(ranker_page: str, opening: Opening) -> None:
    """For those who hear a page: what can be used says what it is, and headings go down by one."""
    page = opening(ranker_page).page
    unnamed = page.evaluate("""() => [...document.querySelectorAll('button, input, a, [role=treeitem], [role=img]')].filter(one =>
        !(one.textContent.trim() || one.getAttribute('aria-label'))).length""")
    assert unnamed == 0
    levels = page.evaluate("[...document.querySelectorAll('main h1, main h2, main h3')].map(one => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
