"""`layerkit completion`: the scripts in the shells themselves, and where they are put."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from layerkit.cli.completion import SHELLS, place, script
from layerkit.cli.main import run

BASH = """
source "$1"
COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2))
_layerkit_completion layerkit
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """With a `layerkit` on PATH that is this one."""
    program = tmp_path / "bin/layerkit"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom layerkit.cli.main import main\nmain()\n")
    program.chmod(0o755)
    root = Path(__file__).resolve().parents[2]
    return {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(root), "HOME": str(tmp_path)}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["layerkit", "fix"], {"fix", "fix-and-push"}),
        (["layerkit", "check", "--form"], {"--format"}),
        (["layerkit", "check", "--format", "s"], {"sarif"}),
        (["layerkit", "completion", ""], {"bash", "zsh", "fish"}),
    ],
)
def test_bash_completes(words: list[str], expected: set[str], environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "script").write_text(script("bash"))
    arguments = ["bash", "--norc", "-c", BASH, "bash", str(tmp_path / "script"), *words]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == expected
    assert done.stderr == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_takes_it(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} isn't installed")
    (tmp_path / "script").write_text(script(shell))
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


@pytest.mark.parametrize(
    ("shell", "where"),
    [
        ("bash", ".local/share/bash-completion/completions/layerkit"),
        ("zsh", ".local/share/zsh/site-functions/_layerkit"),
        ("fish", ".config/fish/completions/layerkit.fish"),
    ],
)
def test_install(
    shell: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "BASH_COMPLETION_USER_DIR"):
        monkeypatch.delenv(name, raising=False)
    for _ in range(2):  # the second replaces the first
        assert run(["completion", shell, "--install"]) == 0
        assert capsys.readouterr().out == f"{tmp_path / where}\n"
    assert run(["completion", shell]) == 0
    assert (tmp_path / where).read_text() == capsys.readouterr().out
    assert [path.name for path in (tmp_path / where).parent.iterdir()] == [Path(where).name]
    assert stat.S_ISREG((tmp_path / where).stat().st_mode)


def test_other_places() -> None:
    assert place("bash", {"HOME": "/h", "BASH_COMPLETION_USER_DIR": "/b"}) == Path("/b/completions/layerkit")
    assert place("zsh", {"HOME": "/h", "XDG_DATA_HOME": "/d"}) == Path("/d/zsh/site-functions/_layerkit")
    assert place("fish", {"HOME": "/h", "XDG_CONFIG_HOME": "/c"}) == Path("/c/fish/completions/layerkit.fish")


def test_where_it_cannot_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert run(["completion", "fish", "--install"]) == 4
    assert "error: " in capsys.readouterr().err
    monkeypatch.delenv("HOME")
    assert run(["completion", "fish", "--install"]) == 2
    assert run(["completion", "tcsh"]) == 2
