"""`login` and `logout` against the sandbox, which lets one user in."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerkit.cli import main
from layerkit.cli.login import DEFAULT_REGISTRY, kinds, registry_name
from layerkit.errors import UsageError
from layerkit.profiles import REPLICATED
from layerkit.sandbox import Limits, Sandbox
from tests.images import attested_archive, small

USER, SECRET = "vendor@example.com", "user-token-6b86b273"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "layout", Limits(login=(USER, SECRET))) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's docker configuration; nothing else of this machine is seen."""
    for variable in ("DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return tmp_path / "docker" / "config.json"


def stdin(monkeypatch: pytest.MonkeyPatch, text: str, terminal: bool = False) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(text) if terminal else io.StringIO(text))


def test_in_and_out(registry: Sandbox, config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stdin(monkeypatch, SECRET + "\n")
    assert main.run(["login", registry.address, "--username", USER, "--password-stdin"]) == 0
    packed = base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
    assert json.loads(config.read_text()) == {"auths": {registry.address: {"auth": packed}}}
    said = capsys.readouterr()
    assert said.out == ""
    assert f"logged in to {registry.address} as {USER}; stored in {config}" in said.err
    assert SECRET not in said.err
    assert main.run(["logout", registry.address]) == 0
    assert json.loads(config.read_text()) == {"auths": {}}
    assert main.run(["logout", registry.address]) == 0
    assert "not logged in" in capsys.readouterr().err


def test_a_wrong_secret_is_not_stored(
    registry: Sandbox, config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(monkeypatch, "wrong-5e884898\n")
    assert main.run(["login", registry.address, "--username", USER, "--password-stdin"]) == 5
    assert not config.exists()
    said = capsys.readouterr().err
    assert f"it refused user '{USER}'" in said
    assert "wrong-5e884898" not in said


def test_on_a_terminal_it_asks(
    registry: Sandbox, config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(monkeypatch, f"{USER}\n", terminal=True)
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda prompt: SECRET)
    assert main.run(["login", registry.address]) == 0
    assert registry.address in json.loads(config.read_text())["auths"]
    assert SECRET not in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--username", USER]])
def test_without_a_terminal_it_says_what_is_missing(
    registry: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    stdin(monkeypatch, "")
    assert main.run(["login", registry.address, *arguments]) == 2
    assert "--password-stdin" in capsys.readouterr().err


def test_a_password_is_no_option(registry: Sandbox) -> None:
    assert main.run(["login", registry.address, "--username", USER, "--password", SECRET]) == 2


def test_another_file_that_is_looked_at_first_is_told_of(
    registry: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    podman = tmp_path / "run/containers/auth.json"
    podman.parent.mkdir(parents=True)
    podman.write_text(json.dumps({"auths": {registry.address: {"username": "old", "password": "old"}}}))
    stdin(monkeypatch, SECRET)
    assert main.run(["login", registry.address, "--username", USER, "--password-stdin"]) == 0
    assert f"{podman} has other credentials" in capsys.readouterr().err
    assert main.run(["logout", registry.address]) == 0
    assert f"{podman} still has credentials" in capsys.readouterr().err


def test_a_registry_that_lets_everybody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(tmp_path / "open") as sandbox:
        stdin(monkeypatch, SECRET)
        authfile = tmp_path / "auth.json"
        arguments = ["--username", USER, "--password-stdin", "--authfile", str(authfile)]
        assert main.run(["login", sandbox.address, *arguments]) == 0
        assert "couldn't be checked" in capsys.readouterr().err
        assert sandbox.address in authfile.read_text()


def test_the_three_kinds_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["login", "--help"]) == 0
    help_text = capsys.readouterr().out
    for line in kinds(REPLICATED, DEFAULT_REGISTRY).splitlines():
        assert line.strip() in help_text
    assert help_text.count("  - ") == 3


def test_registry_names() -> None:
    assert registry_name("https://registry.example/") == "registry.example"
    assert registry_name("localhost:5000") == "localhost:5000"
    for text in ("", "registry.example/app", "no host", "https://", "myregistry"):
        with pytest.raises(UsageError, match="expected HOST"):
            registry_name(text)


def test_a_registry_s_own_way_to_log_in_is_said(
    registry: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When it is asked for, when it is refused, and when a push finds nobody logged in."""
    own = tmp_path / "config" / "layerkit" / "profiles.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[mine]\nhosts = ["127.0.0.*"]\nlogin = "a robot, and its token; your name, and a password"')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    stdin(monkeypatch, f"{USER}\n", terminal=True)
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda prompt: "wrong")
    assert main.run(["login", registry.address]) == 5
    said = capsys.readouterr().err
    assert f"{registry.address} takes\n  - a robot, and its token\n  - your name, and a password\n" in said
    assert "nothing was stored; it takes a robot, and its token; your name, and a password\n" in said
    image = attested_archive(tmp_path / "image.tar", [small()])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    assert main.run(["push", str(image), f"{registry.address}/app/worker:1"]) == 5
    said = capsys.readouterr().err
    assert f"run: layerkit login {registry.address} (a robot, and its token; your name, and a password)" in said
