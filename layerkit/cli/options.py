"""Options that several commands share. Each decorator adds click options and hands the command one value made of them.

@splitting_options     -> splitting: Splitting
@connection_options    -> connection: Connection
@upload_options        -> upload: Upload
@jobs_option           -> jobs: int | None
@json_option           -> as_json: bool
@verbosity             -> progress: Progress (closed when the command ends)
"""

import contextlib
import functools
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from layerkit.choices import CompressionChoice, parse_compression, parse_platform
from layerkit.cli.progress import open_progress
from layerkit.image.media_types import Family
from layerkit.progress import Progress
from layerkit.sizes import parse_rate, parse_size

Command = TypeVar("Command", bound=Callable[..., Any])


def size(text: str) -> int:
    """Bytes, with or without a unit. Raises click.BadParameter, as the two below do: click adds which option it was."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def rate(text: str) -> float:
    """Bytes per second."""
    try:
        return parse_rate(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def compression(text: str) -> CompressionChoice:
    """`keep|gzip|zstd|none[:LEVEL]`."""
    try:
        return parse_compression(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def platform(text: str) -> str:
    """`os/architecture[/variant]`."""
    try:
        return parse_platform(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@dataclass(frozen=True)
class Splitting:
    """How an image is rewritten."""

    max_layer_size: int | None
    """Bytes of the compressed layer; None: the target's profile decides."""
    compression: CompressionChoice
    family: Family | None
    """None: what the target takes."""
    platforms: tuple[str, ...]
    """Empty: all of them."""
    keep_attestations: bool
    save_attestations: Path | None
    allow_oversized: bool
    verify: bool


@dataclass(frozen=True)
class Connection:
    """How a registry is spoken to. The password is no part of it: `cli` reads it from standard input when it is needed."""

    username: str | None
    password_stdin: bool
    authfile: Path | None
    ca_file: Path | None
    plain_http: bool


@dataclass(frozen=True)
class Upload:
    chunk_size: int | None
    """Bytes; None: the target's profile decides."""
    reuse_from: tuple[str, ...]
    forget: bool
    """What earlier runs learned of the registry."""


def _with(options: Sequence[Callable[[Command], Command]], function: Command) -> Command:
    for option in reversed(options):
        function = option(function)
    return function


platform_option = click.option(
    "--platform",
    "platforms",
    type=platform,
    metavar="OS/ARCH",
    multiple=True,
    help="Only this platform (linux/amd64); may be given several times.",
)

_SPLITTING: list[Callable[[Any], Any]] = [
    click.option(
        "--max-layer-size",
        type=size,
        metavar="SIZE",
        help="The largest compressed layer: 1GB, 512MB, 1GiB.  [default: the target's]",
    ),
    click.option(
        "--compression",
        type=compression,
        metavar="keep|gzip|zstd|none[:LEVEL]",
        default="keep",
        show_default=True,
        help="Of the layers that are split; keep makes uncompressed ones gzip.",
    ),
    click.option(
        "--format",
        "family",
        type=click.Choice(["auto", "docker", "oci"]),
        default="auto",
        show_default=True,
        help="Family of media types; auto is what the target takes.",
    ),
    platform_option,
    click.option("--keep-attestations", is_flag=True, help="Leave provenance and SBOM attestations in."),
    click.option(
        "--save-attestations",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Write the attestations that are taken out to DIR.",
    ),
    click.option("--allow-oversized", is_flag=True, help="Keep layers that can't be split small enough, with a warning."),
    click.option(
        "--no-verify", "verify", is_flag=True, flag_value=False, default=True, help="Skip the proof that nothing changed."
    ),
]

_CONNECTION: list[Callable[[Any], Any]] = [
    click.option("--username", "-u", help="Instead of the credentials that docker or podman stored."),
    click.option("--password-stdin", is_flag=True, help="Read the password or token from standard input."),
    click.option(
        "--authfile", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Credentials as podman stores them."
    ),
    click.option(
        "--ca-file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Trust this CA, in PEM, as well."
    ),
    click.option("--plain-http", is_flag=True, help="Speak http; without it only loopback may."),
]

_UPLOAD: list[Callable[[Any], Any]] = [
    click.option("--chunk-size", type=size, metavar="SIZE", help="Bytes sent in one request.  [default: the target's]"),
    click.option(
        "--reuse-from",
        multiple=True,
        metavar="REFERENCE",
        help="An image at the registry whose layers needn't be sent again; may be given several times.",
    ),
    click.option("--forget", is_flag=True, help="Forget what earlier pushes learned of the registry: ways, sizes, time limits."),
]


def splitting_options(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(**given: Any) -> Any:
        family = given.pop("family")
        given["splitting"] = Splitting(
            max_layer_size=given.pop("max_layer_size"),
            compression=given.pop("compression"),
            family=None if family == "auto" else Family(family),
            platforms=tuple(given.pop("platforms")),
            keep_attestations=given.pop("keep_attestations"),
            save_attestations=given.pop("save_attestations"),
            allow_oversized=given.pop("allow_oversized"),
            verify=given.pop("verify"),
        )
        return function(**given)

    return _with(_SPLITTING, wrapper)


def connection_options(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(**given: Any) -> Any:
        connection = Connection(
            username=given.pop("username"),
            password_stdin=given.pop("password_stdin"),
            authfile=given.pop("authfile"),
            ca_file=given.pop("ca_file"),
            plain_http=given.pop("plain_http"),
        )
        if connection.password_stdin and not connection.username:
            raise click.UsageError("--password-stdin needs --username")
        if connection.password_stdin and "-" in given.values():
            raise click.UsageError("--password-stdin and an image on standard input (-) can't be had together")
        return function(connection=connection, **given)

    return _with(_CONNECTION, wrapper)


def upload_options(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(**given: Any) -> Any:
        upload = Upload(given.pop("chunk_size"), tuple(given.pop("reuse_from")), given.pop("forget"))
        return function(upload=upload, **given)

    return _with(_UPLOAD, wrapper)


jobs_option = click.option(
    "--jobs", "-j", type=click.IntRange(min=1), help="How much is done at a time.  [default: by the machine]"
)

rate_option = click.option("--rate", type=rate, metavar="RATE", help="Say how long a push takes on such a line: 50Mbit, 10MB/s.")

json_option = click.option("--json", "as_json", is_flag=True, help="The result as JSON.")


class _ToProgress(logging.Handler):
    """What is logged, among the other lines, above the bars."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.note(self.format(record))


@contextlib.contextmanager
def _logged(verbose: int, progress: Progress) -> Iterator[None]:
    """layerkit's own log. Nobody else's: urllib3 would write queries, which may be signatures."""
    handler = _ToProgress(progress)
    logger = logging.getLogger("layerkit")
    before = logger.level
    logger.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def verbosity(function: Callable[..., Any]) -> Callable[..., Any]:
    """`-q` leaves warnings and errors; `-v` adds what layerkit logs: decisions and requests, without queries; `-vv` details."""

    @functools.wraps(function)
    def wrapper(quiet: bool, verbose: int, **given: Any) -> Any:
        with open_progress(sys.stderr, quiet=quiet) as progress, _logged(verbose, progress):
            return function(progress=progress, **given)

    return _with(
        [
            click.option("--quiet", "-q", is_flag=True, help="Only results, warnings and errors."),
            click.option("--verbose", "-v", count=True, help="Tell more."),
        ],
        wrapper,
    )
