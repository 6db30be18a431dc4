"""One kind of table: numbers to the left, and a path or a name that takes what room there is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from layerkit.report.elided import Elided
from layerkit.report.text import one_line


@dataclass(frozen=True)
class Column:
    """Of numbers: to the right, never cut."""

    name: str
    width: int = 7


COST, SIZE = Column("pushed"), Column("size")
FILES, LAYER = Column("files", 6), Column("layer", 6)


def listing(title: str, columns: Sequence[Column], last: str, rows: Iterable[tuple[Sequence[str], str]]) -> RenderableType:
    """An empty line and the table; nothing for no rows. The last column is foreign text."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, expand=True, title_style="bold")
    for column in columns:
        table.add_column(column.name, justify="right", no_wrap=True, min_width=column.width)
    table.add_column(last, no_wrap=True, overflow="ellipsis", ratio=1)
    for numbers, text in rows:
        table.add_row(*map(Text, numbers), Elided(one_line(text)))
    return Group(Text(), table) if table.row_count else Text("", end="")
