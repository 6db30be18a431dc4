"""What a page shows, as plain values for JSON: foreign text made short and visible, lists and trees bounded.

In: a summary, findings, and what else is known of each platform. Out: a dictionary, whose sizes are in bytes. The page can't get
large, whatever the image says: each list has a longest form, and what was left out is counted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from layerkit.advice import Advice
from layerkit.costs.contents import Contents, LayerFound, Node
from layerkit.image.digest import Digest, short
from layerkit.report.findings import Finding
from layerkit.report.page.text import LINE, MOST_ROWS, rows_of, shortened, shown
from layerkit.report.page.tree import columns
from layerkit.report.planned import Planned, PlannedLayer
from layerkit.report.summary import ImageSummary, LayerSummary, PlatformSummary
from layerkit.report.text import counted

MOST_NODES = 6_000
"""Of trees, over all platforms: about 300 kB."""

MOST_LAYERS = 1_000
"""Over all platforms; each has its share."""

MOST_PLATFORMS = 40
_LISTS = (
    "largest",
    "directories",
    "types",
    "suffixes",
    "packages",
    "wasted",
    "rewritten",
    "duplicates",
    "privileged",
    "writable",
    "notes",
)
"""Of `Contents`."""


@dataclass(frozen=True)
class PlatformPage:
    """What is known of a platform beyond its summary."""

    contents: Contents | None = None
    """None: its layers weren't decoded."""
    trees: Mapping[int, Node] = field(default_factory=dict)
    """By the layer's number: its files."""
    advice: tuple[Advice, ...] = ()
    planned: Planned | None = None


def page_document(summary: ImageSummary, pages: Sequence[PlatformPage], findings: Sequence[Finding]) -> dict[str, Any]:
    """`pages` go with the summary's platforms, in their order; none of them when nothing else is known."""
    pages = pages or [PlatformPage()] * len(summary.platforms)
    pairs = list(zip(summary.platforms, pages, strict=True))[:MOST_PLATFORMS]
    share = len(pairs) or 1
    return {
        "name": shown(summary.name, LINE),
        "kind": summary.kind,
        "names": [shown(name, LINE) for name in summary.names[:10]],
        "digest": summary.digest,
        "size": summary.size,
        "limit": summary.limit,
        "findings": rows_of([asdict(finding) for finding in findings]),
        "findingCount": len(findings),
        "about": counted(found.kind.value for found in summary.referrers),
        "absent": rows_of(summary.absent[:10]),
        "absentCount": len(summary.absent),
        "platformCount": len(summary.platforms),
        "platforms": [_platform(one, page, MOST_NODES // share, max(20, MOST_LAYERS // share)) for one, page in pairs],
    }


def _platform(summary: PlatformSummary, page: PlatformPage, nodes: int, layers: int) -> dict[str, Any]:
    found = {layer.number: layer for layer in page.contents.layers} if page.contents else {}
    listed = Counter(layer.digest for layer in summary.layers)
    first: dict[str, int] = {}
    for layer in summary.layers:
        first.setdefault(layer.digest, layer.number)
    return {
        "platform": shown(summary.platform, LINE),
        "digest": summary.digest,
        "size": sum({layer.digest: layer.size for layer in summary.layers}.values()),
        "layerCount": len(summary.layers),
        "over": [layer.number for layer in summary.layers if layer.exceeds][:MOST_ROWS],
        "overCount": sum(layer.exceeds for layer in summary.layers),
        "layers": [
            _layer(layer, found.get(layer.number), first[layer.digest] if listed[layer.digest] > 1 else layer.number)
            for layer in summary.layers[:layers]
        ],
        "contents": _contents(page.contents) if page.contents else None,
        "tree": asdict(columns(page.trees, nodes)) if page.trees else None,
        "advice": [_advice(one) for one in page.advice[:MOST_ROWS]],
        "planned": _planned(page.planned, layers) if page.planned else None,
    }


def _layer(layer: LayerSummary, found: LayerFound | None, first: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        "number": layer.number,
        "first": first,
        "digest": short(layer.digest),
        "size": layer.size,
        "type": layer.compression.value if layer.compression else shown(layer.media_type, 80),
        "command": shown(layer.command, LINE),
        "present": layer.present,
        "exceeds": layer.exceeds,
        "found": None,
    }
    if found:
        values["found"] = {"cost": found.cost, "estimated": found.estimated, "rawSize": found.raw_size, "files": found.files}
    return values


def _contents(contents: Contents) -> dict[str, Any]:
    """All but its layers, which are told with the summary's."""
    values = asdict(contents)
    del values["layers"]
    values["platform"] = shown(contents.platform, LINE)
    values["estimated"] = any(layer.estimated for layer in contents.layers)
    for name in _LISTS:
        values[name] = rows_of(values[name])
    return values


def _advice(advice: Advice) -> dict[str, Any]:
    """Its help may have several lines."""
    help_lines = [shown(line, LINE) for line in advice.help.splitlines()[:20]]
    return {**asdict(advice), **shortened(asdict(advice)), "help": "\n".join(help_lines), "paths": rows_of(advice.paths[:10])}


def _planned(planned: Planned, layers: int) -> dict[str, Any]:
    return {
        "before": list(planned.before[:layers]),
        "beforeCount": len(planned.before),
        "after": [_planned_layer(layer) for layer in planned.after[:layers]],
        "afterCount": len(planned.after),
        "afterSize": sum({layer.digest: layer.size for layer in planned.after}.values()),
        "limit": planned.limit,
        "takenOut": rows_of(planned.taken_out),
        "send": planned.send,
        "seconds": planned.seconds,
    }


def _planned_layer(layer: PlannedLayer) -> dict[str, Any]:
    return {**asdict(layer), "digest": short(Digest(layer.digest)), "holds": rows_of(layer.holds[:5])}
