"""Options shared by the commands: what they take, what they refuse, what the command is handed."""

from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from layerkit.choices import CompressionChoice
from layerkit.cli.options import (
    Connection,
    Splitting,
    Upload,
    connection_options,
    jobs_option,
    json_option,
    splitting_options,
    upload_options,
    verbosity,
)
from layerkit.image.media_types import Compression, Family
from layerkit.progress import Progress


def given(*arguments: str) -> tuple[Result, dict[str, Any]]:
    seen: dict[str, Any] = {}

    @click.command()
    @click.argument("image", default="image.tar")
    @splitting_options
    @connection_options
    @upload_options
    @jobs_option
    @json_option
    @verbosity
    def command(**values: Any) -> None:
        seen.update(values)

    return CliRunner().invoke(command, arguments), seen


def test_defaults() -> None:
    result, seen = given()
    assert result.exit_code == 0
    progress: Progress = seen.pop("progress")
    progress.note("still usable")
    assert seen == {
        "image": "image.tar",
        "splitting": Splitting(None, CompressionChoice(None), None, (), False, None, False, True),
        "connection": Connection(None, False, None, None, False),
        "upload": Upload(None, (), False),
        "jobs": None,
        "as_json": False,
    }


def test_everything_given() -> None:
    line = (
        "--max-layer-size 512MB --compression zstd:19 --format docker --platform linux/amd64 --platform linux/arm/v7 "
        "--keep-attestations --allow-oversized --no-verify --jobs 3 --json --chunk-size 10MiB "
        "--reuse-from a.example/b:1 --reuse-from a.example/b:2 --forget --username me --password-stdin --plain-http"
    )
    result, seen = given(*line.split())
    assert result.exit_code == 0, result.output
    splitting: Splitting = seen["splitting"]
    assert splitting.max_layer_size == 512_000_000
    assert splitting.compression == CompressionChoice(Compression.ZSTD, 19)
    assert splitting.family is Family.DOCKER
    assert splitting.platforms == ("linux/amd64", "linux/arm/v7")
    assert (splitting.keep_attestations, splitting.allow_oversized, splitting.verify) == (True, True, False)
    assert seen["upload"] == Upload(10 << 20, ("a.example/b:1", "a.example/b:2"), True)
    assert seen["connection"] == Connection("me", True, None, None, True)
    assert (seen["jobs"], seen["as_json"]) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--max-layer-size huge", "'huge' is not a size"),
        ("--compression brotli", "'brotli' is not one of keep, gzip, zstd, none"),
        ("--compression gzip:12", "a level of gzip is 1 to 9, not '12'"),
        ("--compression zstd:", "a level of zstd is 1 to 22, not ''"),
        ("--compression none:1", "'none' takes no level"),
        ("--compression keep:1", "'keep' takes no level"),
        ("--platform amd64", "'amd64' is not a platform"),
        ("--jobs 0", "0 is not in the range"),
        ("--password-stdin", "--password-stdin needs --username"),
        ("--password-stdin --username me -", "standard input"),
        ("--password secret", "No such option"),
    ],
)
def test_refused(arguments: str, message: str) -> None:
    result, seen = given(*arguments.split())
    assert result.exit_code == 2
    assert message in result.output
    assert seen == {}
