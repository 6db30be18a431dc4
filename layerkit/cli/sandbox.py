"""`layerkit sandbox`: a registry on loopback that answers as a real one does, to rehearse a pipeline."""

import errno
import tempfile
import textwrap
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from layerkit.cli.options import size, verbosity
from layerkit.progress import Progress
from layerkit.sandbox import Fault, Request, Sandbox, dialects


def fault(text: str) -> Fault:
    try:
        return Fault.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def login(text: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if not user or not colon or not password:
        raise click.BadParameter("expected USER:PASSWORD, made up for the rehearsal")
    return user, password


SECONDS = click.FloatRange(min=0)


def _listed(name: str, title: str) -> str:
    return textwrap.fill(title, 76, initial_indent=f"  {name:<20} ", subsequent_indent=" " * 23)


@click.command(epilog="\b\nNAMEs for --as:\n" + "\n".join(_listed(name, dialect.title) for name, dialect in dialects().items()))
@click.option(
    "--as",
    "dialect",
    type=click.Choice(list(dialects())),
    default="replicated",
    show_default=True,
    metavar="NAME",
    help="The registry whose habits are taken on; see below. Other options change single ones.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="On 127.0.0.1.  [default: any free one]")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="An OCI layout to keep what is pushed in.  [default: temporary]",
)
@click.option("--max-blob", type=size, metavar="SIZE", help="Larger blobs are never taken.")
@click.option("--max-body", type=size, metavar="SIZE", help="Larger request bodies: 413.")
@click.option("--max-chunk", type=size, metavar="SIZE", help="Larger chunks are refused, as the registry does it.")
@click.option("--min-chunk", type=size, metavar="SIZE", help="Chunks have to be this large, but for the last.")
@click.option(
    "--deadline", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Requests that take longer: 524."
)
@click.option(
    "--commit-rate",
    type=size,
    metavar="SIZE",
    help="Bytes a second a commit proceeds at; past --deadline it goes on after a 524.",
)
@click.option("--lose-answer", "lose_answers", is_flag=True, default=None, help="Commits succeed, and are answered with 524.")
@click.option("--forget-broken", is_flag=True, default=None, help="A broken chunk ends its upload, as with docker-registry 2.8.")
@click.option("--attestations/--no-attestations", default=None, help="Take them, or answer 400.")
@click.option("--deletion/--no-deletion", default=None, help="Allow it, or answer 405.")
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    metavar="NAME",
    help="One that was made beforehand, where a push makes none; * stands for any characters.",
)
@click.option(
    "--token-login",
    "login",
    type=login,
    metavar="USER:PASSWORD",
    help="Ask for a token login with these made-up credentials.",
)
@click.option("--token-seconds", type=SECONDS, help="How long a token lives.")
@click.option("--latency", type=SECONDS, metavar="SECONDS", help="Before each answer.")
@click.option("--rate", type=size, metavar="SIZE", help="Bytes a second taken of each upload.")
@click.option(
    "--fault",
    "faults",
    type=fault,
    multiple=True,
    metavar="FAULT",
    help="METHOD:STATUS@N fails every Nth such request, @N% so many of 100. STATUS may be reset; ;retry-after=VALUE may follow.",
)
@click.option("--seed", type=int, help="Of the faults by chance.")
@verbosity
def command(dialect: str, port: int, folder: Path | None, progress: Progress, **given: Any) -> None:
    """Run a registry on 127.0.0.1 that answers as a real one does.

    Prints its address, and runs until Ctrl-C. Nothing leaves this machine:

    \b
      layerkit sandbox --as ghcr --port 5000 &
      layerkit push image.tar 127.0.0.1:5000/app/worker:1.0
    """
    spoken = dialects()[dialect]
    limits = replace(spoken.limits, **{field: value for field, value in given.items() if value not in (None, ())})

    def tell(request: Request) -> None:
        progress.note(f"{request.method} {request.path}: {request.status or 'connection lost'}")

    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="layerkit-sandbox-")))
        try:
            sandbox = stack.enter_context(Sandbox(place, limits, port=port, on_request=tell))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise click.UsageError(f"--port {port}: {error.strerror}") from None
        click.echo(sandbox.address)
        progress.note(f"{spoken.title}")
        if not limits.makes_repositories and not limits.repositories:
            progress.note("a push makes no repository here: name those that are there with --repository NAME")
        progress.note(f"keeping what is pushed in {place}; Ctrl-C ends")
        threading.Event().wait()
