"""Tables on standard output, as wide as the terminal."""

import shutil
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

PIPED_WIDTH = 160
"""Columns of a table that no terminal limits."""
_WIDEST = 1000
"""Columns at most, whatever COLUMNS says."""


def print_tables(*tables: "RenderableType", piped_width: int = PIPED_WIDTH) -> None:
    """`piped_width`: columns where there is no terminal."""
    from rich.console import Console, Group  # which neither JSON nor a page needs

    width = piped_width
    if sys.stdout.isatty():
        width = min(shutil.get_terminal_size((80, 24)).columns, _WIDEST)
    # With a height rich doesn't look at the environment, where anything may stand.
    console = Console(file=sys.stdout, width=width, height=100, highlight=False)
    with console.capture() as captured:
        console.print(Group(*tables))
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
