"""Every command's help fits a terminal of 80 columns, and the documents about installation and CI name options that there are."""

import re
import shlex
from pathlib import Path

import click
import pytest

from layerkit.cli.main import COMMANDS, cli, run

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_80_columns(name: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*([name] if name else []), "--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("document", ["ci.md", "install.md", "json.md"])
def test_links_lead_somewhere(document: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)", (DOCS / document).read_text()):
        assert target.startswith("https://") or (DOCS / target).exists(), target


@pytest.mark.parametrize("document", ["ci.md", "install.md"])
def test_commands_have_these_options(document: str) -> None:
    text = "\n".join(re.findall(r"^```(?:sh|groovy)\n(.*?)^```", (DOCS / document).read_text(), re.MULTILINE | re.DOTALL))
    found = re.findall(r"(?:^|\| )\s*layerkit ([^>|\n]+)", text.replace("\\\n", " "), re.MULTILINE)
    assert found
    for line in found:
        name, *arguments = shlex.split(line)
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        command.make_context(name, arguments).close()
