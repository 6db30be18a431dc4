"""The frame around every command: exit codes, messages, variables, what is imported when."""

import errno
import importlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from layerkit.cli import main
from layerkit.errors import CannotFixError, DamagedError, LayerkitError, RefusedError, UnreachableError, UsageError
from tests.images import attested_archive, large


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Runs a command that raises; its exit code."""

    def run(error: BaseException) -> int:
        @click.command()
        def command() -> None:
            raise error

        def found(self: object, ctx: object, name: str) -> Any:
            return command

        monkeypatch.setattr(main.CommandsByName, "get_command", found)
        return main.run(["inspect"])

    return run


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (DamagedError("x"), 3),
        (CannotFixError("x"), 4),
        (RefusedError("x"), 5),
        (UnreachableError("x"), 6),
        (KeyboardInterrupt(), 130),
        (click.UsageError("x"), 2),
        (OSError(errno.ENOSPC, "No space left on device", "out.tar"), 4),
        (PermissionError(errno.EACCES, "Permission denied", "in.tar"), 3),
        (RuntimeError("x"), 70),
    ],
)
def test_exit_codes(raising: Callable[[BaseException], int], error: BaseException, code: int) -> None:
    assert raising(error) == code


def test_messages_go_to_standard_error_without_a_traceback(
    raising: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    raising(DamagedError("image.tar: layer\x1b[2J: expected 2, found 1"))
    raising(FileNotFoundError(errno.ENOENT, "No such file or directory", "none.tar"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: image.tar: layer\\x1b[2J: expected 2, found 1\nerror: none.tar: No such file or directory\n"


def test_a_bug_shows_its_traceback(raising: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]) -> None:
    raising(ZeroDivisionError("here"))
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "bug in layerkit" in err


def test_every_error_has_a_documented_code() -> None:
    def below(kind: type[LayerkitError]) -> set[int]:
        return {kind.exit_code}.union(*(below(child) for child in kind.__subclasses__()))

    assert below(LayerkitError) - {1, 130} == {2, 3, 4, 5, 6}


def test_unknown_commands_are_usage_errors() -> None:
    assert main.run(["no-such-command"]) == 2
    assert main.run(["--no-such-option"]) == 2


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("layerkit ")
    assert main.run(["--help"]) == 0
    assert "IMAGE is a file" in capsys.readouterr().out


def test_help_says_what_each_command_says_of_itself() -> None:
    context = click.Context(main.cli)
    commands = {name: main.cli.get_command(context, name) for name in main.COMMANDS}
    assert {name: command.get_short_help_str(200) for name, command in commands.items() if command} == main.COMMANDS
    assert main.cli.get_command(context, "main") is None, "a module, no command"


def test_variables_mirror_options_for_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    @click.command()
    @click.option("--max-layer-size")
    def command(max_layer_size: str) -> None:
        seen.append(max_layer_size)

    monkeypatch.setattr(importlib, "import_module", lambda name: type("module", (), {"command": command}))
    monkeypatch.setattr(main.CommandsByName, "list_commands", lambda self, ctx: ["fix"])
    monkeypatch.setenv("LAYERKIT_MAX_LAYER_SIZE", "512MB")
    assert main.run(["fix"]) == 0
    assert main.run(["fix", "--max-layer-size", "1GB"]) == 0
    assert seen == ["512MB", "1GB"]


NEVER = ("tqdm", "urllib3", "magic", "docker", "matplotlib", "layerkit.api")


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [(["--help"], ("rich", *NEVER)), (["inspect", "--json", "image.tar"], ("rich", *NEVER)), (["inspect", "image.tar"], NEVER)],
)
def test_only_what_a_command_needs_is_imported(tmp_path: Path, arguments: list[str], heavy: tuple[str, ...]) -> None:
    attested_archive(tmp_path / "image.tar", [large()])
    code = f"import sys, layerkit.cli.main as m; print(m.run({arguments!r}), [name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "0 []"


def _script(body: str, **more: Any) -> "subprocess.Popen[str]":
    """layerkit with one command whose body is given."""
    code = f"""
import click, sys, time
from layerkit.cli import main
@click.command()
def command():
    {body}
main.CommandsByName.get_command = lambda self, ctx, name: command
sys.argv = ["layerkit", "inspect"]
main.main()
"""
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, **more)


def test_foreign_text_is_one_line(raising: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]) -> None:
    raising(DamagedError("image.tar: x\n::add-mask::y\r\u2028z"))
    assert capsys.readouterr().err == "error: image.tar: x\\n::add-mask::y\\r\\u2028z\n"


@pytest.mark.parametrize(
    ("redirection", "code", "says"),
    [
        ("<&-", 0, ""),
        (">&-", 4, "standard output is closed"),
        ("2>&-", 0, ""),
        ("<&- >&- 2>&-", 4, ""),
        (">/dev/full", 4, "No space"),
    ],
)
def test_closed_streams(tmp_path: Path, redirection: str, code: int, says: str) -> None:
    attested_archive(tmp_path / "image.tar", [large()])
    for arguments in ("inspect image.tar", "fix image.tar out.tar", "--help"):
        command = f"{shlex.quote(sys.executable)} -m layerkit.cli {arguments} {redirection}"
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code, (arguments, done.stderr)
        assert says in done.stderr
        assert "Exception" not in done.stderr


def test_an_image_on_a_closed_standard_input(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{shlex.quote(sys.executable)} -m layerkit.cli inspect - <&-"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "standard input: expected an image, found an empty file" in done.stderr) == (3, True)


def test_nohup_keeps_its_promise() -> None:
    body = "import signal; print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, flush=True)"
    with _script(body, stdout=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
        out, _ = process.communicate(timeout=20)
    assert out == "True\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_unwind(number: signal.Signals, code: int, tmp_path: Path) -> None:
    mark = tmp_path / "unwound"
    body = f"""
    try:
        print('started', flush=True); time.sleep(30)
    finally:
        open({str(mark)!r}, 'w').close()
    """
    with _script(body, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(0.05)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert mark.exists()
    assert "Traceback" not in err


def test_a_reader_that_leaves_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with _script("click.echo('x' * 100_000)", stdout=write) as process:
        os.close(write)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (141, "")


def test_names_that_are_no_text_can_be_printed() -> None:
    with _script("print('a\\udcffb')", stdout=subprocess.PIPE) as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "a\\udcffb\n", "")
