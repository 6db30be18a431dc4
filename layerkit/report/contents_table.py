"""What `inspect --files` shows of one platform, as tables. In: `Contents`. Out: something rich can print, from 80 columns on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from layerkit.costs.contents import Contents, GroupFound
from layerkit.report.elided import Elided
from layerkit.report.sizes import format_size
from layerkit.report.text import one_line, plural


@dataclass(frozen=True)
class _Column:
    """Numbers: to the right, never cut."""

    name: str
    width: int = 7


_COST, _SIZE = _Column("pushed"), _Column("size")
_FILES, _LAYER = _Column("files", 6), _Column("layer", 6)


def contents_table(contents: Contents) -> Group:
    return Group(*_parts(contents))


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
    yield _listing(
        "largest files",
        (_COST, _SIZE, _LAYER),
        "path",
        (((format_size(f.cost), format_size(f.size), str(f.layer)), f.path) for f in contents.largest),
    )
    yield _groups("largest directories", contents.directories, "path")
    yield _listing(
        _of("packages", contents.package_count, len(contents.packages)),
        (_COST, _SIZE, _FILES, _Column("kind", 6)),
        "package",
        (
            ((format_size(p.cost), format_size(p.size), f"{p.files:,}", p.kind), f"{p.name} {p.version}")
            for p in contents.packages
        ),
    )
    yield _groups("content types", contents.types, "type")
    yield _groups("names that end with", contents.suffixes, "suffix")
    yield _listing(
        "replaced or deleted by later layers",
        (_COST, _SIZE, _LAYER),
        "path",
        (((format_size(w.cost), format_size(w.size), f"{w.layer} → {w.by}"), w.path) for w in contents.wasted),
    )
    yield _listing(
        "held again by later layers, unchanged but for owner, mode or time",
        (_COST, _SIZE, _FILES, _LAYER),
        "step",
        (
            ((format_size(r.cost), format_size(r.size), f"{r.files:,}", f"{r.of} → {r.layer}"), _command(contents, r.layer))
            for r in contents.rewritten
        ),
    )
    yield _listing(
        "files with the same content",
        (_COST, _SIZE, _Column("copies", 6)),
        "one of them",
        (((format_size(d.cost), format_size(d.size), f"{d.copies:,}"), d.paths[0]) for d in contents.duplicates),
    )
    yield _listing(
        _of("run as their owner or group (setuid, setgid)", contents.privileged_count, len(contents.privileged)),
        (_Column("mode"), _LAYER),
        "path",
        (((f"{p.mode:04o}", str(p.layer)), p.path) for p in contents.privileged),
    )
    yield _listing(
        _of("written by anyone", contents.writable_count, len(contents.writable)),
        (_Column("mode"), _LAYER),
        "path",
        (((f"{p.mode:04o}", str(p.layer)), p.path) for p in contents.writable),
    )


def _about(contents: Contents) -> str:
    """Are costs estimates?"""
    return "about " if any(layer.estimated for layer in contents.layers) else ""


def _of(title: str, there: int, listed: int) -> str:
    return f"{title}: {listed} of {there:,}" if there > listed else title


def _command(contents: Contents, number: int) -> str:
    return contents.layers[number - 1].command


def _groups(title: str, groups: Iterable[GroupFound], last: str) -> RenderableType:
    rows = (((format_size(g.cost), format_size(g.size), f"{g.files:,}"), g.name) for g in groups)
    return _listing(title, (_COST, _SIZE, _FILES), last, rows)


def _listing(title: str, columns: tuple[_Column, ...], last: str, rows: Iterable[tuple[tuple[str, ...], str]]) -> RenderableType:
    """Nothing for no rows."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, expand=True, title_style="bold")
    for column in columns:
        table.add_column(column.name, justify="right", no_wrap=True, min_width=column.width)
    table.add_column(last, no_wrap=True, overflow="ellipsis", ratio=1)
    for numbers, text in rows:
        table.add_row(*numbers, Elided(one_line(text)))
    return Group(Text(), table) if table.row_count else Text("", end="")
