"""`python -m fuzz`: tries inputs for some minutes, and says what was found."""

import sys
import time
from collections import Counter
from pathlib import Path

import click

from fuzz.running import Outcome, outcomes
from fuzz.targets import TARGETS


def names(text: str) -> list[str]:
    chosen = [part.strip() for part in text.split(",") if part.strip()]
    for name in chosen:
        if name not in TARGETS:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(TARGETS)}")
    return chosen


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--minutes", type=click.FloatRange(min=0), default=5.0, help="How long.")
@click.option("--inputs", type=click.IntRange(min=1), help="Of each target at most.")
@click.option("--seed", type=int, default=1, help="The first; the next input has the next one.")
@click.option("--only", type=names, default=",".join(TARGETS), metavar="NAME,...", help="Targets.")
@click.option(
    "--guided",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Led by the code that inputs reach (needs layerkit[fuzz]); what reached new code is kept there.",
)
def main(minutes: float, inputs: int | None, seed: int, only: list[str], guided: Path | None) -> None:
    """Inputs that nobody thought of, and what layerkit makes of them. Ends with 1 when something was found."""
    if guided is not None:
        if len(only) != 1:
            raise click.UsageError("--guided leads one target at a time: choose it with --only")
        from fuzz.guided import lead

        lead(only[0], guided, seconds=int(60 * minutes), seed=seed)
        return
    said: Counter[tuple[str, str]] = Counter()
    worst: dict[str, Outcome] = {}
    found = []
    for outcome in outcomes(only, seed, until=time.monotonic() + 60 * minutes, most=inputs):
        said[outcome.target, "FOUND" if outcome.is_finding else outcome.said] += 1
        if outcome.target not in worst or outcome.seconds > worst[outcome.target].seconds:
            worst[outcome.target] = outcome
        if outcome.is_finding:
            found.append(outcome)
            again = f"python -m fuzz --only {outcome.target} --seed {outcome.seed} --inputs 1"
            click.echo(f"\nFOUND by {again}\n{outcome.said}", err=True)
    for target in only:
        counts = {what: count for (name, what), count in said.items() if name == target}
        slowest = f"; slowest {worst[target].seconds:.1f} s (seed {worst[target].seed})" if target in worst else ""
        click.echo(f"{target}: {sum(counts.values()):,} inputs{slowest}")
        for what, count in sorted(counts.items(), key=lambda item: -item[1]):
            click.echo(f"    {count:7,}  {what}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
