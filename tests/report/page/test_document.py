"""What goes into a page: bounded, counted, escaped."""

import json
from dataclasses import replace

from layerkit.costs.contents import Contents, FileFound, Node
from layerkit.report.page import PlatformPage, image_page
from layerkit.report.page.document import MOST_PLATFORMS, page_document
from layerkit.report.page.text import MOST_ROWS
from layerkit.report.planned import Planned, PlannedLayer
from tests.report.page.sample import LIMIT, image_summary, layer_summary, many, platform_summary, ranker

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--",
    "\u2028\u2029",
    "\u202ereversed",
    "\udc80\udcff",
    "x" * 4_000,
    "\x00\x1b[2J",
)


def hostile_image(count: int = 1) -> tuple[list[str], str]:
    """The texts of a document in which everything foreign is hostile, and the whole page."""
    summary, (page,), findings = ranker()
    name = "".join(HOSTILE)
    layers = [replace(layer, created_by=name) for layer in summary.platforms[0].layers] * count
    assert page.contents is not None
    assert page.planned is not None
    found = replace(
        page.contents,
        platform=name,
        largest=tuple(replace(one, path=f"/{name}") for one in page.contents.largest),
        packages=tuple(replace(one, name=name, version=name, kind=name) for one in page.contents.packages),
        duplicates=tuple(replace(one, paths=(name,) * 50) for one in page.contents.duplicates),
        notes=(name,),
    )
    advice = tuple(replace(one, title=name, step=name, help=f"{name}\n{name}", paths=(name,) * 50) for one in page.advice)
    planned = replace(page.planned, taken_out=(name,), after=tuple(replace(one, holds=(name,) * 9) for one in page.planned.after))
    tree = Node("", 1, 1, 1, (Node(name, 1, 1, 1),))
    hostile = PlatformPage(found, {1: tree}, advice, planned)
    platform = platform_summary(name, layers)
    summary = replace(image_summary(name, [platform]), names=(name,) * 40, absent=(name,) * 500)
    findings = [replace(finding, where=name, message=name, advice=name) for finding in findings]
    texts: list[str] = []
    collect(page_document(summary, [hostile], findings), texts)
    return texts, image_page(summary, [hostile], findings)


def collect(value: object, texts: list[str]) -> None:
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict):
        for one in value.values():
            collect(one, texts)
    elif isinstance(value, list | tuple):
        for one in value:
            collect(one, texts)


def test_hostile_text_is_short_and_visible() -> None:
    texts, page = hostile_image()
    assert all(line.isprintable() for text in texts for line in text.split("\n"))
    assert max(len(line) for text in texts for line in text.split("\n")) <= 400
    assert page.encode()
    assert "alert(1)<" not in page
    assert page.count("<script") == page.count("</script")


def test_lists_are_bounded_and_what_is_left_out_is_counted() -> None:
    summary, (page,), findings = ranker()
    assert isinstance(page.contents, Contents)
    rows = tuple(FileFound(f"/{number}", 9, 9, 1) for number in range(5_000))
    document = page_document(summary, [replace(page, contents=replace(page.contents, largest=rows))], findings * 500)
    assert len(document["platforms"][0]["contents"]["largest"]) == MOST_ROWS
    assert len(document["findings"]) == MOST_ROWS
    assert document["findingCount"] == len(findings) * 500


def test_an_image_of_a_million_layers_makes_a_small_page() -> None:
    layer = layer_summary(1, 5, "RUN true " * 40)
    platform = platform_summary("linux/amd64", [replace(layer, number=number) for number in range(1, 20_001)])
    plan = Planned(
        "", (5,) * 20_000, (PlannedLayer(1, layer.digest, 5, 1, 0, 1, None, ("/x",) * 9),) * 20_000, LIMIT, (), 5, None
    )
    page = image_page(image_summary("x", [platform] * 400), [PlatformPage(planned=plan)] * 400)
    assert len(page) < 2_000_000
    document = page_document(image_summary("x", [platform] * 400), [], [])
    assert len(document["platforms"]) == MOST_PLATFORMS
    assert document["platformCount"] == 400
    assert document["platforms"][0]["layerCount"] == 20_000


def test_a_layer_that_is_there_twice() -> None:
    layer = layer_summary(1, 700, "RUN a")
    platform = platform_summary("linux/amd64", [layer, layer_summary(2, 50, "RUN b"), replace(layer, number=3)])
    (found,) = page_document(image_summary("x", [platform]), [], [])["platforms"]
    assert [one["first"] for one in found["layers"]] == [1, 2, 1]
    assert found["size"] == 750


def test_nothing_is_known() -> None:
    document = page_document(*many(0))
    assert document["platforms"][0]["layers"] == []
    assert document["platforms"][0]["contents"] is None
    assert json.dumps(document)
