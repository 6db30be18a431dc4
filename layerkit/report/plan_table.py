"""Before and after, side by side. In: `Planned`. Out: something rich can print, from 80 columns on."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from layerkit.report.elided import Elided
from layerkit.report.planned import Planned, PlannedLayer
from layerkit.report.sizes import format_seconds, format_size
from layerkit.report.text import one_line, plural

_THERE = {True: "is there", False: "send", None: ""}


def plan_table(planned: Planned) -> Group:
    return Group(*_parts(planned))


def _parts(planned: Planned) -> Iterator[RenderableType]:
    before, after = planned.before, [layer.size for layer in planned.after]
    yield Text()
    yield Text(one_line(f"{planned.platform}: the plan"), style="bold")
    were, become = f"{plural(len(before), 'layer')} of {format_size(sum(before))}", plural(len(after), "layer")
    above = sum(1 for size in after if size > planned.limit)
    yield Text(f"{were} → {become} of {format_size(sum(after))}, {above or 'none'} above {format_size(planned.limit)}")
    for line in planned.taken_out:
        yield Text(one_line(f"taken out: {line}"))
    yield Text()
    yield _table(planned)
    yield Text()
    time = f", about {format_seconds(planned.seconds)}" if planned.seconds is not None else ""
    yield Text(f"a push sends {format_size(planned.send)}{time}")


def _table(planned: Planned) -> Table:
    asked = any(layer.there is not None for layer in planned.after)
    table = Table(box=None, pad_edge=False, expand=True)
    for name, width in (("#", 2), ("before", 7), ("", 1), ("#", 2), ("after", 7)):
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    table.add_column("digest", no_wrap=True)
    if asked:
        table.add_column("push", no_wrap=True)
    table.add_column("holds", no_wrap=True, overflow="ellipsis", ratio=1)
    for layer in planned.after:
        first = layer.part <= 1
        size = planned.before[layer.source - 1]
        row: list[RenderableType] = [
            str(layer.source) if first else "",
            Text(format_size(size) if first else "", style="bold red" if size > planned.limit else ""),
            ("→" if layer.parts else "=") if first else "",
            str(layer.number),
            Text(format_size(layer.size), style="bold red" if layer.size > planned.limit else ""),
            _short(layer),
        ]
        table.add_row(*row, *([_THERE[layer.there]] if asked else []), _holds(layer))
    return table


def _short(layer: PlannedLayer) -> str:
    return layer.digest.partition(":")[2][:8]


def _holds(layer: PlannedLayer) -> RenderableType:
    return Group(*(Elided(one_line(line)) for line in layer.holds)) if layer.holds else Text()
