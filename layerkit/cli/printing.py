"""Tables on standard output or standard error, as wide as the terminal."""

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


def print_tables(*tables: "RenderableType", piped_width: int = PIPED_WIDTH, err: bool = False) -> None:
    """`piped_width`: columns where there is no terminal; `err`: on standard error."""
    from rich.console import Console, Group  # which neither JSON nor a page needs

    width = piped_width
    stream = sys.stderr if err else sys.stdout
    if stream.isatty():
        width = min(shutil.get_terminal_size((80, 24)).columns, _WIDEST)
    # With a height rich doesn't look at the environment, where anything may stand.
    console = Console(file=stream, width=width, height=100, highlight=False)
    with console.capture() as captured:
        console.print(Group(*tables))
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()), err=err)
