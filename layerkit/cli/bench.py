"""`layerkit bench IMAGE`: how fast and how small, on this machine, with this image."""

import os
import platform
from collections.abc import Sequence
from typing import Any

import click
from rich.table import Table

from layerkit.bench import Row, Setting, default_limits, layers_size, measure, warm
from layerkit.choices import CompressionChoice
from layerkit.cli.images import opened
from layerkit.cli.options import (
    Connection,
    compression,
    connection_options,
    jobs_option,
    json_option,
    size,
    verbosity,
)
from layerkit.cli.printing import print_tables
from layerkit.errors import CannotFixError
from layerkit.image.image import Image
from layerkit.image.media_types import Compression
from layerkit.progress import Progress
from layerkit.report.sizes import format_share, format_size
from layerkit.report.text import json_text, one_line
from layerkit.schemas import document

_DEFAULT_COMPRESSIONS = (
    CompressionChoice(None),
    CompressionChoice(Compression.GZIP),
    CompressionChoice(Compression.ZSTD),
)


@click.command()
@click.argument("image")
@click.option(
    "--limit",
    "limits",
    type=size,
    metavar="SIZE",
    multiple=True,
    help="The largest compressed layer; may be given several times.  [default: by the image]",
)
@click.option(
    "--compression",
    "compressions",
    type=compression,
    metavar="keep|gzip|zstd|none[:LEVEL]",
    multiple=True,
    help="May be given several times.  [default: keep, gzip, zstd]",
)
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True, help="Measurements; their median is shown.")
@click.option("--no-verify", "verify", is_flag=True, flag_value=False, default=True, help="Measure without the proof.")
@connection_options
@jobs_option
@json_option
@verbosity
def command(
    image: str,
    limits: tuple[int, ...],
    compressions: tuple[CompressionChoice, ...],
    runs: int,
    verify: bool,
    connection: Connection,
    jobs: int | None,
    as_json: bool,
    progress: Progress,
) -> None:
    """Measure how fast and how small IMAGE can be fixed on this machine.

    Fixes the image for every limit and compression, several times in alternation, and writes nothing. Speed is in bytes of the
    image's layers per second. An image at a registry is fetched anew each time: save it to a file first to measure this machine.
    """
    source = opened(image, connection, progress)
    chosen = compressions or _DEFAULT_COMPRESSIONS
    settings = [Setting(limit, way.kind, way.level) for limit in limits or default_limits(source) for way in chosen]
    warm(source, progress)
    rows = measure(source, settings, runs=runs, verify=verify, jobs=jobs, progress=progress)
    if all(row.problem for row in rows):
        raise CannotFixError(rows[-1].problem)
    if as_json:
        click.echo(json_text(document("bench", _document(source, rows, runs, verify))))
        return
    print_tables(_table(source, rows, runs, verify), piped_width=80)
    for row in rows:
        if row.problem:
            progress.warn(f"{format_size(row.setting.limit)} {_way(row.setting)}: {row.problem}")


def _table(source: Image, rows: Sequence[Row], runs: int, verify: bool) -> Table:
    before = layers_size(source)
    proof = "with" if verify else "without"
    of = "one run" if runs == 1 else f"median of {runs} runs"
    table = Table(
        title=f"{one_line(source.name)}\n{format_size(before)} of layers · {of} {proof} the proof · {os.cpu_count()} cores",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("limit", justify="right", no_wrap=True)
    table.add_column("compression", no_wrap=True)
    for name in ("new", "largest", "all layers", "size", "time", "speed"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        limit, way = format_size(row.setting.limit), _way(row.setting)
        if row.problem:
            table.add_row(limit, way, "can't")
            continue
        table.add_row(
            limit,
            way,
            str(row.parts),
            format_size(row.largest),
            format_size(row.total),
            format_share(row.total, before),
            f"{row.median:.2f} s",
            f"{format_size(before / row.median)}/s",
        )
    return table


def _way(setting: Setting) -> str:
    return str(CompressionChoice(setting.compression, setting.level))


def _document(source: Image, rows: Sequence[Row], runs: int, verify: bool) -> dict[str, Any]:
    """Sizes in bytes, times in seconds."""
    before = layers_size(source)
    return {
        "image": source.name,
        "layersSize": before,
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
        "runs": runs,
        "verified": verify,
        "rows": [_row(row, before) for row in rows],
    }


def _row(row: Row, before: int) -> dict[str, Any]:
    setting = {"limit": row.setting.limit, "compression": _way(row.setting)}
    if row.problem:
        return {**setting, "problem": row.problem}
    return {
        **setting,
        "digest": row.digest,
        "layers": row.layers,
        "newLayers": row.parts,
        "largestLayer": row.largest,
        "layersSize": row.total,
        "seconds": row.median,
        "allSeconds": row.seconds,
        "bytesPerSecond": before / row.median,
    }
