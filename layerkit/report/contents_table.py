"""What `inspect --files` shows of one platform, as tables. In: `Contents`. Out: something rich can print, from 80 columns on."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from layerkit.advice import Advice
from layerkit.costs.contents import Contents, GroupFound
from layerkit.report.elided import Elided
from layerkit.report.listing import COST, FILES, LAYER, SIZE, Column, listing
from layerkit.report.sizes import format_size
from layerkit.report.text import one_line, plural


def contents_table(contents: Contents, advice: Sequence[Advice] = ()) -> Group:
    return Group(*_parts(contents), *_advice(advice))


def _parts(contents: Contents) -> Iterator[RenderableType]:
    yield Text()
    yield Text(one_line(contents.platform), style="bold")
    seen = f"{plural(contents.files, 'file')}, {format_size(contents.size)}"
    yield Text(f"{seen}; {_about(contents)}{format_size(contents.files_cost)} of {format_size(contents.cost)} pushed")
    for note in contents.notes:
        yield Text(one_line(note), style="yellow")
    if contents.wasted_cost or contents.duplicated_cost:
        wasted = f"replaced or deleted {format_size(contents.wasted_cost)}, duplicated {format_size(contents.duplicated_cost)}"
        yield Text(f"pushed for nothing: {wasted}")
    yield listing(
        "largest files",
        (COST, SIZE, LAYER),
        "path",
        (((format_size(f.cost), format_size(f.size), str(f.layer)), f.path) for f in contents.largest),
    )
    yield _groups("largest directories", contents.directories, "path")
    yield listing(
        _of("packages", contents.package_count, len(contents.packages)),
        (COST, SIZE, FILES, Column("kind", 6)),
        "package",
        (
            ((format_size(p.cost), format_size(p.size), f"{p.files:,}", p.kind), f"{p.name} {p.version}")
            for p in contents.packages
        ),
    )
    yield _groups("content types", contents.types, "type")
    yield _groups("names that end with", contents.suffixes, "suffix")
    yield listing(
        "replaced or deleted by later layers",
        (COST, SIZE, LAYER),
        "path",
        (((format_size(w.cost), format_size(w.size), f"{w.layer} → {w.by}"), w.path) for w in contents.wasted),
    )
    yield listing(
        "held again by later layers, unchanged but for owner, mode or time",
        (COST, SIZE, FILES, LAYER),
        "step",
        (
            ((format_size(r.cost), format_size(r.size), f"{r.files:,}", f"{r.of} → {r.layer}"), _command(contents, r.layer))
            for r in contents.rewritten
        ),
    )
    yield listing(
        "files with the same content",
        (COST, SIZE, Column("copies", 6)),
        "one of them",
        (((format_size(d.cost), format_size(d.size), f"{d.copies:,}"), d.paths[0]) for d in contents.duplicates),
    )
    yield listing(
        _of("run as their owner or group (setuid, setgid)", contents.privileged_count, len(contents.privileged)),
        (Column("mode"), LAYER),
        "path",
        (((f"{p.mode:04o}", str(p.layer)), p.path) for p in contents.privileged),
    )
    yield listing(
        _of("written by anyone", contents.writable_count, len(contents.writable)),
        (Column("mode"), LAYER),
        "path",
        (((f"{p.mode:04o}", str(p.layer)), p.path) for p in contents.writable),
    )


def _advice(advice: Sequence[Advice]) -> Iterator[RenderableType]:
    """What would help: the gain, what it is, the step that brought it, and what to do."""
    if not advice:
        return
    yield Text()
    yield Text("what would help", style="bold")
    for one in advice:
        table = Table(box=None, pad_edge=False, expand=True, show_header=False)
        table.add_column(justify="right", no_wrap=True, width=COST.width, vertical="top")
        table.add_column(ratio=1)
        table.add_row(format_size(one.gain) if one.gain else "", Text(one_line(one.title), style="bold"))
        if one.layer is not None:
            step = f": {one_line(one.step)}" if one.step else ""
            table.add_row("", Elided(f"layer {one.layer}{step}"))
        for path in one.paths[:2]:
            table.add_row("", Elided(one_line(path)))
        table.add_row("", Text(one_line(one.help.replace("`", ""))))
        yield table


def _about(contents: Contents) -> str:
    """Are costs estimates?"""
    return "about " if any(layer.estimated for layer in contents.layers) else ""


def _of(title: str, there: int, listed: int) -> str:
    return f"{title}: {listed} of {there:,}" if there > listed else title


def _command(contents: Contents, number: int) -> str:
    return contents.layers[number - 1].command


def _groups(title: str, groups: Iterable[GroupFound], last: str) -> RenderableType:
    rows = (((format_size(g.cost), format_size(g.size), f"{g.files:,}"), g.name) for g in groups)
    return listing(title, (COST, SIZE, FILES), last, rows)
