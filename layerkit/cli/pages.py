"""Where pages go."""

from pathlib import Path

import click

from layerkit.progress import Progress

html_option = click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a page to look at, which needs no network.",
)


def write_page(path: Path, page: str, progress: Progress) -> None:
    """It appears whole or not at all. Raises OutputError."""
    from layerkit.destinations.whole_file import WholeFile

    with WholeFile(path) as file:
        file.write(page.encode())
        file.commit()
    progress.note(f"{path}: written")
