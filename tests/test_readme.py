"""The README's commands and code do what it says."""

import re
import shlex
from pathlib import Path

import click
import pytest

import layerkit
from layerkit.cli.main import COMMANDS, cli
from layerkit.errors import LayerkitError
from layerkit.sandbox import Limits, Sandbox
from tests.images import attested_archive, large

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


LINES = [
    line.partition("| ")[2] or line
    for block in blocks("sh")
    for line in block.splitlines()
    if re.search(r"(^|\| )layerkit ", line)
]


@pytest.mark.parametrize("line", LINES)
def test_commands_have_these_options(line: str) -> None:
    program, name, *arguments = shlex.split(line)
    assert program == "layerkit"
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    command.make_context(name, arguments).close()


def test_every_command_is_in_the_table() -> None:
    there = [name for name in COMMANDS if cli.get_command(click.Context(cli), name)]
    for name in there:
        assert re.search(rf"^\| .*`{name}[ `]", README, re.MULTILINE), name


def test_exit_codes_are_those_of_the_errors() -> None:
    def below(kind: type[LayerkitError]) -> set[int]:
        return {kind.exit_code}.union(*(below(child) for child in kind.__subclasses__()))

    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert below(LayerkitError) - {1} <= listed


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make (\w+)`", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_the_library_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("python")
    attested_archive(tmp_path / "image.tar", [large()])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with Sandbox(tmp_path / "registry", Limits(attestations=False, max_blob=200_000)) as sandbox:
        code = code.replace("registry.example.com", sandbox.address).replace("1_000_000_000", "100_000")
        exec(compile(code, "README.md", "exec"), {})
        printed = capsys.readouterr().out.strip()
        name, _, digest = printed.partition("@")
        assert name == f"{sandbox.address}/my-app/worker:1.0"
        there = layerkit.open_image(f"docker://{name}", environment={})
        assert there.root.digest == digest
