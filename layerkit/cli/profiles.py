"""`layerkit profiles [NAME]`: what is known of registries, the user's own profiles among them."""

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

import click

from layerkit.cli.options import json_option, verbosity
from layerkit.profiles import Profile, load_profiles
from layerkit.profiles.known import own_profiles
from layerkit.progress import Progress
from layerkit.report.sizes import format_size
from layerkit.schemas import document

PIPED_WIDTH = 160
"""Columns of a table that no terminal limits."""


@click.command()
@click.argument("name", required=False)
@json_option
@verbosity
def command(name: str | None, as_json: bool, progress: Progress) -> None:
    """Show what registries take, and where that is known from.

    With NAME: all of one profile, each figure with its source and date. Profiles of your own go into
    ~/.config/layerkit/profiles.toml; docs/registries.md says how.
    """
    profiles = load_profiles(os.environ)
    if name is not None:
        profile = profiles.named(name)
        click.echo(_printed([profile]) if as_json else "\n".join(lines(profile)))
        return
    if as_json:
        click.echo(_printed(profiles))
        return
    _table(list(profiles))
    path = own_profiles(os.environ)
    if path is not None:
        there = "are among them" if path.exists() else "would be read too"
        progress.note(f"profiles of your own in {path} {there}")


def _printed(profiles: Iterable[Profile]) -> str:
    return json.dumps(document("profiles", {"profiles": [_fields(profile) for profile in profiles]}), indent=2)


def values(profile: Profile) -> dict[str, Any]:
    """Every field but the sources, as JSON has it: sizes in bytes, times in seconds."""
    upload = profile.upload
    return {
        "title": profile.title,
        "note": profile.note,
        "hosts": list(profile.hosts),
        "max_layer_size": profile.max_layer_size,
        "max_layers": profile.max_layers,
        "max_manifest_size": profile.max_manifest_size,
        "families": sorted(family.value for family in profile.families),
        "compressions": sorted(compression.value for compression in profile.compressions),
        "attestations": profile.attestations,
        "artifacts": profile.artifacts,
        "indexes": profile.indexes,
        "collapse_index": profile.collapse_index,
        "creates_repositories": profile.creates_repositories,
        "parallel": profile.parallel,
        "commit_seconds": profile.commit_seconds,
        "login": profile.login,
        "helper": profile.helper,
        "upload.way": upload.way.value,
        "upload.chunk_size": upload.chunk_size,
        "upload.max_body": upload.max_body,
        "upload.max_seconds": upload.max_seconds,
    }


def _fields(profile: Profile) -> dict[str, Any]:
    figures = {
        field: {"source": figure.source, "date": figure.date.isoformat() if figure.date else None}
        for field, figure in profile.figures.items()
    }
    return {"name": profile.name, **values(profile), "sources": figures}


def lines(profile: Profile) -> list[str]:
    """A line a field, as it stands in a file of profiles, with its source."""
    found = [f"[{profile.name}]"]
    for field, value in values(profile).items():
        if value in ("", None, []):
            continue
        figure = profile.figures.get(field)
        date = f", {figure.date}" if figure and figure.date else ""
        source = f"  # {figure.source}{date}" if figure else ""
        found.append(f"{field} = {json.dumps(value, ensure_ascii=False)}{source}")
    return found


def _table(profiles: list[Profile]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    columns = ("name", "hosts", "layer", "formats", "compression", "attestations", "upload", "body", "answers in")
    for column in columns:
        table.add_column(column, justify="right" if column in ("layer", "body", "answers in") else "left")
    for profile in profiles:
        upload, shown = profile.upload, values(profile)
        table.add_row(
            profile.name,
            Text("\n".join(profile.hosts) or "-", overflow="fold"),
            format_size(profile.max_layer_size),
            ", ".join(shown["families"]),
            ", ".join(shown["compressions"]),
            "yes" if profile.attestations else "no",
            upload.way.value,
            format_size(upload.max_body) if upload.max_body else "",
            f"{upload.max_seconds:.0f} s" if upload.max_seconds else "",
        )
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
    with console.capture() as captured:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
