"""`layerkit verify`: are two images the same filesystem? One line per difference on standard output, exit 1 if there is any."""

from dataclasses import asdict

import click

from layerkit.cli.images import opened
from layerkit.cli.options import Connection, connection_options, jobs_option, json_option, platform_option, verbosity
from layerkit.filesystem import verify
from layerkit.progress import Progress
from layerkit.report.text import escaped, json_text
from layerkit.schemas import document

EXIT_DIFFERENT = 1


@click.command()
@click.argument("before")
@click.argument("after")
@platform_option
@jobs_option
@json_option
@connection_options
@verbosity
def command(
    before: str,
    after: str,
    platforms: tuple[str, ...],
    jobs: int | None,
    as_json: bool,
    connection: Connection,
    progress: Progress,
) -> int:
    """Compare the filesystems of two images.

    Paths, types, contents, modes, owners, times of files and directories, xattrs, devices, which paths share an inode, and the
    config but for its layers. Each difference is a line: path, what, before, after. Nothing is unpacked.
    """
    if before == after == "-":
        raise click.UsageError("only one of the images can come from standard input (-)")
    images = [opened(spec, connection, progress, platforms) for spec in (before, after)]
    found = verify(images[0], images[1], platforms=platforms, progress=progress, jobs=jobs)
    if as_json:
        click.echo(json_text(document("verify", {"differences": [asdict(one) for one in found]})))
    else:
        for difference in found:
            click.echo(escaped(str(difference)))
        count = f"{len(found):,} difference{'s' if len(found) > 1 else ''}" if found else "no difference"
        progress.note(f"{images[0].name} and {images[1].name}: {count}")
    return EXIT_DIFFERENT if found else 0
