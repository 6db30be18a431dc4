"""`layerkit completion SHELL`: the script that completes commands and options, printed, or put where the shell looks for it."""

import os
from collections.abc import Mapping
from pathlib import Path

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from layerkit.cli.options import verbosity
from layerkit.destinations.whole_file import WholeFile, output_errors
from layerkit.errors import UsageError
from layerkit.progress import Progress

PROGRAM = "layerkit"
VARIABLE = "_LAYERKIT_COMPLETE"
"""By which the script asks `layerkit` itself; click takes this name."""

SHELLS: Mapping[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.option("--install", is_flag=True, help="Put it where the shell looks for it, in your home.")
@verbosity
def command(shell: str, install: bool, progress: Progress) -> None:
    """Print the script that completes commands and options in a shell.

    With --install it is written to a file, whose name is printed. bash needs the package bash-completion to find it there.
    """
    text = script(shell)
    if not install:
        click.echo(text)
        return
    path = place(shell, os.environ)
    with output_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
    with WholeFile(path) as file:
        file.write(f"{text}\n".encode())
        file.commit()
    click.echo(path)
    if shell == "zsh":
        progress.note(f"zsh looks there if ~/.zshrc has, before compinit: fpath=({path.parent} $fpath)")
    progress.note("new shells have it")


def script(shell: str) -> str:
    # Of bash alone click would look for a version, by running it: it needs 4.4, which is from 2016.
    made = SHELLS[shell](click.Command(PROGRAM), {}, PROGRAM, VARIABLE)
    return (made.source_template % made.source_vars()).strip()


def place(shell: str, environment: Mapping[str, str]) -> Path:
    """Where a shell looks for completions of one user. Raises UsageError without a home."""
    home = environment.get("HOME")
    if not home:
        raise UsageError(
            f"HOME isn't set, so that there is no place for it; write it yourself: layerkit completion {shell} > FILE"
        )
    data = Path(environment.get("XDG_DATA_HOME") or Path(home) / ".local/share")
    if shell == "bash":
        return Path(environment.get("BASH_COMPLETION_USER_DIR") or data / "bash-completion") / "completions" / PROGRAM
    if shell == "zsh":
        return data / "zsh/site-functions" / f"_{PROGRAM}"
    return Path(environment.get("XDG_CONFIG_HOME") or Path(home) / ".config") / "fish/completions" / f"{PROGRAM}.fish"
