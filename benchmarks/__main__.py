"""`python -m benchmarks`: measures, and writes a report as Markdown, JSON and PNG."""

import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from benchmarks import fixing, next_release, plot, pushing, report, scaling
from benchmarks.contest import Result, Rules, Say
from benchmarks.machine import describe
from benchmarks.material import FULL, Material, given_layer, installed_layer
from benchmarks.results import Section
from layerkit.cli.options import size as byte_size
from layerkit.report.sizes import format_seconds, format_size
from layerkit.sizes import parse_size

EXPERIMENTS = ("fix", "push", "classic", "next-release", "entries", "sizes", "cores", "inspect")
DEFAULT_SIZE = 1_000_000_000
USUAL_LIMIT = 1_000_000_000
"""Bytes of a part, unless the layer is too small for that."""


def size(text: str) -> int | None:
    """Bytes; None: the full size."""
    if text == FULL:
        return None
    try:
        return DEFAULT_SIZE if text in ("", "default") else parse_size(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}, or default, or full") from None


def names(text: str) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    for name in chosen:
        if name not in EXPERIMENTS:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(EXPERIMENTS)}")
    return chosen


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--size",
    type=size,
    default="default",
    envvar="SIZE",
    metavar="SIZE|default|full",
    help="Of the layer as a tar: default is 1 GB of installed files, full about 6 GB (pip install torch).",
)
@click.option(
    "--layer",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A layer that exists, gzip or tar, instead of one that is made. It is only read.",
)
@click.option(
    "--limit", type=byte_size, metavar="SIZE", help="Of a part.  [default: 1 GB, or a third of a small layer]", show_default=False
)
@click.option("--only", type=names, default=",".join(EXPERIMENTS), metavar="NAME,...", help="Experiments.")
@click.option("--without", default="", metavar="NAME,...", help="Leave out contenders with these words in their names.")
@click.option("--runs", type=click.IntRange(min=1), default=3, help="Of each contender; medians are shown.")
@click.option("--once-above", type=float, default=60.0, metavar="SECONDS", help="A contender that takes longer runs once.")
@click.option("--slow", is_flag=True, help="Recompress all of a large layer too, instead of reckoning it from a sample.")
@click.option("--entries", "most", type=click.IntRange(min=30), default=scaling.ENTRIES, help="Of the layer with most of them.")
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build/benchmarks/work"),
    help="Where layers are made and kept; up to four times the layer's tar.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build/benchmarks"),
    help="Where the report goes: report.md, report.json, report.png.",
)
def main(
    size: int | None,
    layer: Path | None,
    limit: int | None,
    only: tuple[str, ...],
    without: str,
    runs: int,
    once_above: float,
    slow: bool,
    most: int,
    work: Path,
    out: Path,
) -> None:
    """Measure layerkit and the alternatives on the same files, in alternation.

    The report is printed, and written after every experiment, so that what is measured is kept if the rest is interrupted.
    """
    began = time.monotonic()
    for folder in (work, out):
        folder.mkdir(parents=True, exist_ok=True)

    def say(text: str) -> None:
        click.echo(f"[{format_seconds(time.monotonic() - began):>12}] {text}", err=True)

    rules = Rules(runs, once_above, frozenset(part.strip() for part in without.split(",")), work.resolve(), say, slow)
    material = None
    if needs_material(only):
        material = given_layer(layer.resolve(), rules.work, say) if layer else installed_layer(size, rules.work, say)
    chosen = limit or (min(USUAL_LIMIT, scaling.part_limit(material)) if material else USUAL_LIMIT)
    conditions = [
        f"{'One run' if runs == 1 else f'Medians of {runs} runs'}, contenders in alternation; "
        f"one that takes more than {once_above:g} s runs once.",
        "Inputs are read before each run, so they come from the page cache; what was written before is on disk.",
        "Peak memory is that of a command's largest process. Temporary disk counts TMPDIR and deleted files that are open.",
    ]
    if material:
        conditions.append(
            f"The layer: {material.entries:,} entries, {format_size(material.raw_size)} as tar, {format_size(material.size)} as "
            f"gzip{' (given)' if layer else ' -6'}."
        )
    sections: list[Section] = []
    machine = describe()
    for section in measured(only, material, layer, size, chosen, most, rules):
        sections.append(section)
        picture = plot.draw(sections, out / "report.png")
        text = report.markdown(machine, conditions, sections, "report.png" if picture else None)
        (out / "report.md").write_text(text)
        (out / "report.json").write_text(report.document(machine, conditions, sections))
    click.echo((out / "report.md").read_text())
    say(f"written to {out}")


def needs_material(only: Sequence[str]) -> bool:
    return bool({"fix", "push", "classic", "sizes", "cores"}.intersection(only))


def measured(
    only: Sequence[str],
    material: Material | None,
    layer: Path | None,
    size: int | None,
    limit: int,
    most: int,
    rules: Rules,
) -> Iterator[Section]:
    """A section for each experiment that was asked for; one that fails says so in its place."""
    whole: list[Result] = []

    def fix(of: Material) -> Section:
        whole.extend(fixing.race(of, limit, rules))
        return fixing.section(of, limit, whole)

    with_material: dict[str, Callable[[Material], Section | None]] = {
        "fix": fix,
        "push": lambda of: pushing.gzip_layer(of, limit, rules),
        "classic": lambda of: pushing.docker_archive(of, limit, rules),
        "sizes": lambda of: scaling.sizes(of, rules, whole),
        "cores": lambda of: scaling.cores(of, rules),
    }
    alone: dict[str, Callable[[], Section | None]] = {
        "next-release": lambda: next_release.section(next_release.LARGEST if layer or size is None else size, rules),
        "entries": lambda: scaling.entries(rules, most),
        "inspect": lambda: fixing.inspect(rules),
    }
    for name in EXPERIMENTS:
        if name not in only:
            continue
        try:
            if name in alone:
                section = alone[name]()
            else:
                assert material is not None
                section = with_material[name](material)
        except Exception as error:  # the other experiments are worth having
            traceback.print_exc()
            yield Section(name, name, f"FAILED: {type(error).__name__}: {error}")
            continue
        if section is not None:
            yield section


def _main() -> None:
    if not sys.platform.startswith("linux"):
        sys.exit("the benchmarks read /proc: they run on Linux only")
    main()


__all__ = ["EXPERIMENTS", "Say", "main"]

if __name__ == "__main__":
    _main()
