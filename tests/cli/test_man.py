"""The man pages: those of this version, right roff, and in the wheel."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest

from layerkit.cli.main import COMMANDS, cli
from layerkit.cli.man import pages

ROOT = Path(__file__).resolve().parents[2]


def test_they_are_of_this_version() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "man").iterdir()}
    assert written == pages(), "make man writes them again"


@pytest.mark.parametrize("name", ["layerkit.1", *(f"layerkit-{name}.1" for name in COMMANDS)])
def test_roff(name: str) -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff isn't installed")
    arguments = ["groff", "-man", "-ww", "-z", "-k", "-T", "utf8", str(ROOT / "man" / name)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_they_say_what_the_help_says() -> None:
    root = click.Context(cli, info_name="layerkit")
    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None
        page = pages()[f"layerkit-{name}.1"].replace("\\-", "-")
        for parameter in command.params:
            for option in parameter.opts if isinstance(parameter, click.Option) and not parameter.hidden else ():
                assert option in page, (name, option)


def test_the_wheel_has_them(tmp_path: Path) -> None:
    source = tmp_path / "source"
    left_out = shutil.ignore_patterns("__pycache__")
    for name in ("layerkit", "man"):
        shutil.copytree(ROOT / name, source / name, ignore=left_out)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    arguments = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path / "dist"), str(source)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if "Could not find a version" in done.stdout + done.stderr:
        pytest.skip("setuptools can't be fetched to build with")
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp_path / "dist").iterdir()
    names = zipfile.ZipFile(wheel).namelist()
    found = {name.rpartition("/")[2] for name in names if ".data/data/share/man/man1/" in name}
    assert found == set(pages())
    assert {"layerkit/schemas/check.json", "layerkit/schemas/contents.json"} <= set(names)
