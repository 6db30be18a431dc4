"""`layerkit sandbox`: a registry on loopback with the target's documented limits, to rehearse a pipeline."""

import errno
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from layerkit.cli.options import size, verbosity
from layerkit.progress import Progress
from layerkit.sandbox import Fault, Limits, Request, Sandbox

DEFAULT_MAX_BLOB = 2_000_000_000
"""Layers near 2 GB are what the target's edge is known to time out on."""


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


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="On 127.0.0.1.  [default: any free one]")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="An OCI layout to keep what is pushed in.  [default: temporary]",
)
@click.option(
    "--max-blob",
    type=size,
    metavar="SIZE",
    default=str(DEFAULT_MAX_BLOB),
    help="Larger blobs: 524.  [default: 2GB, as the target]",
)
@click.option("--max-body", type=size, metavar="SIZE", help="Larger request bodies: 413.")
@click.option("--min-chunk", type=size, metavar="SIZE", help="Announced as OCI-Chunk-Min-Length and insisted on.")
@click.option(
    "--deadline", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Requests that take longer: 524."
)
@click.option(
    "--commit-rate",
    type=size,
    metavar="SIZE",
    help="Bytes a second a commit proceeds at; past --deadline it goes on after a 524.",
)
@click.option("--lose-answer", is_flag=True, help="Commits succeed, and are answered with 524.")
@click.option("--forget-broken", is_flag=True, help="A broken chunk ends its upload, as with docker-registry 2.8.")
@click.option("--attestations/--no-attestations", default=False, help="Take them, or answer 400.  [default: 400, as the target]")
@click.option("--deletion/--no-deletion", default=False, help="Allow it, or answer 405.  [default: 405, as the target]")
@click.option("--token-login", type=login, metavar="USER:PASSWORD", help="Ask for a token login with these made-up credentials.")
@click.option("--token-seconds", type=click.FloatRange(min=0), default=60.0, show_default=True, help="How long a token lives.")
@click.option("--latency", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS", help="Before each answer.")
@click.option("--rate", type=size, metavar="SIZE", help="Bytes a second taken of each upload.")
@click.option(
    "--fault",
    "faults",
    type=fault,
    multiple=True,
    metavar="FAULT",
    help="METHOD:STATUS@N fails every Nth such request, @N% so many of 100. STATUS may be reset; ;retry-after=VALUE may follow.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the faults by chance.")
@verbosity
def command(
    port: int,
    folder: Path | None,
    max_blob: int,
    max_body: int | None,
    min_chunk: int | None,
    deadline: float | None,
    commit_rate: int | None,
    lose_answer: bool,
    forget_broken: bool,
    attestations: bool,
    deletion: bool,
    token_login: tuple[str, str] | None,
    token_seconds: float,
    latency: float,
    rate: int | None,
    faults: Sequence[Fault],
    seed: int,
    progress: Progress,
) -> None:
    """Run a registry on 127.0.0.1 that refuses what the target refuses.

    Prints its address, and runs until Ctrl-C. Nothing leaves this machine:

    \b
      layerkit sandbox --port 5000 &
      layerkit fix-and-push image.tar 127.0.0.1:5000/app/worker:1.0
    """
    limits = Limits(
        max_blob=max_blob,
        max_body=max_body,
        deadline=deadline,
        commit_rate=commit_rate,
        lose_answers=lose_answer,
        forget_broken=forget_broken,
        attestations=attestations,
        deletion=deletion,
        min_chunk=min_chunk,
        login=token_login,
        token_seconds=token_seconds,
        latency=latency,
        rate=rate,
        faults=faults,
        seed=seed,
    )

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
        progress.note(f"keeping what is pushed in {place}; Ctrl-C ends")
        threading.Event().wait()
