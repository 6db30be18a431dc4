"""`layerkit schema [NAME]`: the JSON Schemas of what the commands print with --json."""

import click

from layerkit.cli.options import verbosity
from layerkit.errors import UsageError
from layerkit.progress import Progress
from layerkit.report.text import json_text
from layerkit.schemas import DOCUMENTS, VERSIONS, schema


@click.command()
@click.argument("name", required=False)
@verbosity
def command(name: str | None, progress: Progress) -> None:
    """Print the JSON Schema of what a command prints with --json.

    Without NAME: the documents that there are, and which command prints them. What a version of them promises: docs/json.md.
    """
    if name is None:
        for one, printed_by in DOCUMENTS.items():
            click.echo(f"{one:<16} {VERSIONS[one]}  {printed_by}")
        return
    if name not in DOCUMENTS:
        raise UsageError(f"{name!r}: expected one of {', '.join(DOCUMENTS)}")
    click.echo(json_text(schema(name)))
