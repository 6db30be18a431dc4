"""`layerkit`: finds the command, runs it, and turns what goes wrong into a message and an exit code.

    0 done                               4 can't be fixed as asked, or the output can't be written
    1 check or verify found something    5 refused by the registry (login, 4xx)
    2 usage                              6 registry unreachable or failing after retries
    3 unreadable or damaged image        130 interrupted (129 hung up, 143 terminated; 141 the output's reader left; 70 a bug)

Commands are imported when they are called, so that `inspect` doesn't wait for what only `fix` needs.
"""

import contextlib
import errno
import importlib
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Any

import click

from layerkit.cli.streams import drop_output, take_streams
from layerkit.errors import LayerkitError
from layerkit.report.text import escaped

COMMANDS = {
    "inspect": "Show platforms, layers, attestations and what exceeds the limit.",
    "diff": "Show what a release adds to the one before, and what a push of it sends.",
    "explore": "Walk through an image: its layers, and what each file costs to push.",
    "check": "Say what a registry would refuse about IMAGE.",
    "fix": "Write the rewritten image to OUTPUT.",
    "push": "Upload the image as it is, the tag last.",
    "fix-and-push": "Make the image fit its registry, and push it.",
    "batch": "Fix and push all images of LIST.",
    "verify": "Compare the filesystems of two images.",
    "profiles": "Show what registries take, and where that is known from.",
    "login": "Log in to REGISTRY (registry.replicated.com unless given).",
    "logout": "Forget the credentials for REGISTRY (registry.replicated.com unless given).",
    "blank": "Push an empty image over the tag of REFERENCE, where images can't be deleted.",
    "bench": "Measure how fast and how small IMAGE can be fixed on this machine.",
    "schema": "Print the JSON Schema of what a command prints with --json.",
    "completion": "Print the script that completes commands and options in a shell.",
    "sandbox": "Run a registry on 127.0.0.1 that answers as a real one does.",
}
"""As `--help` lists them, without importing them: the first sentence of each one's own help."""

ENVIRONMENT_PREFIX = "LAYERKIT"

EXIT_UNREADABLE = 3
EXIT_UNWRITABLE = 4
EXIT_BUG = 70
"""sysexits.h, EX_SOFTWARE: kept apart from 1, which `check` and `verify` give a meaning."""
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
EXIT_SIGNAL = 128
"""And the number of the signal, as shells have it."""

_WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})


class CommandsByName(click.Group):
    """A group whose commands are modules of this package, imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"layerkit.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        command.name = cmd_name
        # One variable per option whatever the command: LAYERKIT_MAX_LAYER_SIZE, not LAYERKIT_FIX_MAX_LAYER_SIZE.
        command.context_settings.setdefault("auto_envvar_prefix", ENVIRONMENT_PREFIX)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderLeftError from error  # click would make an exit code 1 of it


_SWITCH_INTERVAL = 0.0002
"""Seconds for which one thread may keep the others from the interpreter. Threads that inflate and hash need it for microseconds;
with Python's 5 ms they stand still while another plans. It takes 2 % off the time of `fix`."""


class ReaderLeftError(Exception):
    """Whoever read our output has enough (`| head`)."""


@click.group(
    cls=CommandsByName,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every option can be given as a variable: LAYERKIT_MAX_LAYER_SIZE=512MB is --max-layer-size 512MB.",
)
@click.version_option(package_name="layerkit", message="%(prog)s %(version)s")
def cli() -> None:
    """Makes a container image go through a registry that refuses it.

    IMAGE is a file (docker save, buildx -o type=oci; compressed or not), an OCI layout directory, - for standard input, or
    oci-archive:PATH[:NAME], oci:DIR[:NAME], docker-archive:PATH[:NAME], docker-daemon:NAME, docker://REFERENCE.
    """


def main() -> None:
    """The console script."""
    is_heard = take_streams()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _ended)
    sys.setswitchinterval(_SWITCH_INTERVAL)
    if not is_heard:
        _say("error: standard output is closed: the result would be lost; nothing was done. If it isn't wanted: >/dev/null")
        sys.exit(EXIT_UNWRITABLE)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """One command line; its exit code. Messages go to standard error."""
    try:
        code = cli.main(list(arguments), prog_name="layerkit", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted")
        return EXIT_INTERRUPTED
    except LayerkitError as error:
        _say(f"error: {error}")
        return error.exit_code
    except (ReaderLeftError, BrokenPipeError):
        drop_output()
        return EXIT_BROKEN_PIPE
    except OSError as error:
        _say(f"error: {describe(error)}")
        return EXIT_UNWRITABLE if error.errno in _WRITE_ERRORS else EXIT_UNREADABLE
    except Exception:
        traceback.print_exc()
        _say("This is a bug in layerkit. Please report it with the lines above.")
        return EXIT_BUG
    return code if isinstance(code, int) else 0


def describe(error: OSError) -> str:
    """`image.tar: Permission denied`."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody hears it; the exit code stands
        click.echo(escaped(text), err=True)


def _ended(number: int, frame: FrameType | None) -> None:
    """SIGTERM (a cancelled CI job) and SIGHUP (a closed terminal) unwind like Ctrl-C does, so that temporary files go."""
    raise SystemExit(EXIT_SIGNAL + number)
