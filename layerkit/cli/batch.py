"""`layerkit batch LIST`: many images, one pool, results as they come."""

import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from layerkit.batch.list import Line, format_line, parse_list
from layerkit.batch.results import Result, Status
from layerkit.batch.shards import WHOLE, Shard, parse_shard, shard_of
from layerkit.cli.choosing import profile_option
from layerkit.cli.options import (
    Connection,
    Splitting,
    Upload,
    connection_options,
    jobs_option,
    splitting_options,
    upload_options,
    verbosity,
)
from layerkit.cli.printing import print_tables
from layerkit.cli.registries import connector
from layerkit.errors import OutputError, UsageError
from layerkit.image.image import Image
from layerkit.profiles import load_profiles
from layerkit.progress import Progress
from layerkit.report.sizes import format_seconds, format_size
from layerkit.report.text import json_line, one_line, plural
from layerkit.schemas import document
from layerkit.state import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from layerkit.batch.run import Order
    from layerkit.rewrite import Fixed

_TOLD_EVERY = 5.0
"""Seconds between lines that say how many are done, where there is no terminal."""

_MOST_ROWS = 40
"""Images in the table at the end; of more, only those that failed are listed."""


@click.command()
@click.argument("list_file", metavar="LIST")
@click.option("--to", metavar="HOST/PREFIX", help="Where images without a REFERENCE go, under their own names.")
@click.option("--app", metavar="SLUG", help="The same, as `fix-and-push` has it.")
@click.option("--shard", metavar="I/N", help="Only the I-th of N shares.  [default: as the engine's variables say]")
@click.option("--shards", type=click.IntRange(min=1), metavar="N", help="How many there are, where the engine doesn't say.")
@click.option("--images", type=click.IntRange(min=1), metavar="N", help="How many at a time.  [default: 4]")
@click.option("--failed", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a LIST of what is left.")
@click.option(
    "--state",
    "state_folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where it is kept what is done.  [default: ~/.local/state/layerkit]",
)
@profile_option
@splitting_options
@connection_options
@upload_options
@jobs_option
@verbosity
def command(
    list_file: str,
    to: str | None,
    app: str | None,
    shard: str | None,
    shards: int | None,
    images: int | None,
    failed: Path | None,
    state_folder: Path | None,
    profile_name: str | None,
    splitting: Splitting,
    connection: Connection,
    upload: Upload,
    jobs: int | None,
    progress: Progress,
) -> int:
    """Fix and push all images of LIST.

    LIST is a file, or - for standard input; each of its lines is IMAGE REFERENCE, and after that key=value for options of its
    own; # begins a comment. What images share is read, split, proven and sent once; an image that fails doesn't end the others;
    what an earlier run has done isn't done again. Prints a line of JSON for each image. Exits with 1 if some failed.
    """
    from layerkit.batch.options import Asked, deciding  # what speaks HTTP isn't needed to say what is wrong with a list
    from layerkit.batch.orders import orders_of, share
    from layerkit.batch.record import RECORD, Record
    from layerkit.batch.run import AT_A_TIME, Settings, run
    from layerkit.batch.sources import Sources, one_each
    from layerkit.sources import open_image, opened_at

    if to is not None and app is not None:
        raise UsageError("--to and --app say the same thing; give one of them")
    if failed is not None and not failed.parent.is_dir():
        raise UsageError(f"--failed {failed}: there is no folder {failed.parent}")
    share_of = _shard(shard, shards, progress)
    lines = _lines(list_file)
    connect = connector(connection, progress)
    kept = State(state_folder, progress.note) if state_folder is not None else State.of(os.environ, progress.note)
    stdin = sys.stdin.buffer if list_file != "-" and not connection.password_stdin else None

    reading = one_each(connect)

    def other_image(spec: str, platforms: Sequence[str]) -> Image:
        return open_image(spec, progress=progress, connect=reading, platforms=platforms)

    sources = Sources(lambda place: opened_at(place, progress, stdin), other_image, progress)
    asked = Asked(
        max_layer_size=splitting.max_layer_size,
        compression=splitting.compression,
        family=splitting.family,
        platforms=splitting.platforms,
        keep_attestations=splitting.keep_attestations,
        allow_oversized=splitting.allow_oversized,
        verify=splitting.verify,
        profile=profile_name,
        reuse_from=upload.reuse_from,
    )
    orders, unfound = orders_of(lines, sources, deciding(asked, load_profiles(os.environ)), to=to, app=app)
    total = len(orders) + len(unfound)
    orders, unfound, fingerprint = share(orders, unfound, share_of, sources)
    if share_of != WHOLE:
        mine = len(orders) + len(unfound)
        progress.note(f"shard {share_of}: {mine} of {plural(total, 'image')}; all shards of this work say {fingerprint}")
    if upload.forget:
        for registry in {order.target.registry for order in orders}:
            kept.forget(registry)
    settings = Settings(
        connect,
        sources,
        Record(kept.journal(RECORD)),
        kept,
        progress,
        images or AT_A_TIME,
        jobs,
        upload.chunk_size,
        _saving(splitting, progress),
    )
    left = {str(order.target): order.line for order in orders}
    results: list[Result] = []
    try:
        _listen(run(orders, unfound, settings), len(orders) + len(unfound), results, progress)
    except (KeyboardInterrupt, SystemExit):
        progress.warn("interrupted. Run the same command again to go on: what is done, and what has arrived, is not sent again")
        raise
    finally:
        done = {result.reference for result in results if result.status is not Status.FAILED}
        if failed is not None:
            _write_list(failed, [*(line for line, _ in unfound), *(line for name, line in left.items() if name not in done)])
        _table(results, len(left) + len(unfound))
    return 1 if any(result.status is Status.FAILED for result in results) else 0


def _shard(shard: str | None, shards: int | None, progress: Progress) -> Shard:
    """What was asked for, else what the engine says."""
    if shard is not None:
        given = parse_shard(shard)
        if shards is not None and given.count != shards:
            raise UsageError(f"--shard {shard} and --shards {shards} don't say the same")
        return given
    found = shard_of(os.environ, shards)
    if found is None:
        if shards is not None and shards > 1:
            raise UsageError(
                f"--shards {shards}: no variable of an engine says which of them this is; say it: --shard I/{shards}"
            )
        return WHOLE
    if found[0].count > 1:
        progress.note(f"shard {found[0]}, as {found[1]} says")
    return found[0]


def _lines(list_file: str) -> list[Line]:
    if list_file == "-":
        return parse_list(sys.stdin.buffer.read().decode("utf-8", "surrogateescape").splitlines(), "standard input")
    try:
        text = Path(list_file).read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise UsageError(f"{list_file}: {error.strerror}") from None
    return parse_list(text.splitlines(), list_file)


def _saving(splitting: Splitting, progress: Progress) -> "Callable[[Order, Image], Callable[[Fixed], None]]":
    from layerkit.cli import fixing

    return lambda order, image: fixing.saving(splitting, image, progress)


def _listen(found: Iterable[Result], total: int, results: list[Result], progress: Progress) -> None:
    """Prints each as it comes: as JSON, unless bars are being drawn on the same terminal; then in the end."""
    later = sys.stdout.isatty()
    told = time.monotonic()
    try:
        for result in found:
            results.append(result)
            if not later:
                click.echo(json_line(document("batch", result.as_json())))
            if result.status is Status.FAILED:
                progress.warn(f"{result.reference or result.line.image}: {result.error}")
            elif sys.stderr.isatty():
                progress.note(f"{result.status.value} {result.reference}")
            if not sys.stderr.isatty() and time.monotonic() - told > _TOLD_EVERY:
                told = time.monotonic()
                progress.note(f"{len(results)} of {plural(total, 'image')}")
    finally:
        for result in results if later else ():
            click.echo(json_line(document("batch", result.as_json())))


def _write_list(path: Path, lines: Sequence[Line]) -> None:
    text = "".join(f"{format_line(line)}\n" for line in lines)
    try:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise OutputError(f"--failed {path}: {error.strerror}") from None


def _table(results: Sequence[Result], total: int) -> None:
    """What became of them, on standard error."""
    from rich.table import Table
    from rich.text import Text

    if not total:
        return
    failed = [result for result in results if result.status is Status.FAILED]
    table = Table(box=None, pad_edge=False)
    for name in ("status", "reference", "sent", "time", ""):
        table.add_column(name, justify="right" if name in ("sent", "time") else "left", overflow="fold")
    for result in results if len(results) <= _MOST_ROWS else failed:
        why = f"{one_line(result.error or '')} (exit code {result.exit_code})" if result.error else ""
        table.add_row(
            Text(result.status.value),
            Text(one_line(result.reference or result.line.image)),
            format_size(result.bytes_sent),
            format_seconds(result.seconds),
            Text(why),
        )
    unchanged = sum(result.status is Status.UNCHANGED for result in results)
    done = len(results) - len(failed) - unchanged
    parts = [f"{done} done", f"{unchanged} unchanged", f"{len(failed)} failed"]
    if len(results) < total:
        parts.append(f"{total - len(results)} not done")
    sent = format_size(sum(result.bytes_sent for result in results))
    told = Text(f"{plural(total, 'image')}: {', '.join(parts)}; {sent} sent")
    print_tables(*([table] if table.row_count else []), told, err=True)
