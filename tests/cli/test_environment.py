"""Whatever stands in the environment: a command works, or says what it can't use; never a traceback."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.images import attested_archive, large

DIGITS = "9" * 5000
ODD = [
    {"COLUMNS": DIGITS, "LINES": DIGITS},
    {"COLUMNS": "\xb2", "LINES": "\xb2"},
    {"COLUMNS": "1000000000"},
    {"TQDM_NCOLS": "abc", "TQDM_MININTERVAL": "x"},
    {"LAYERKIT_MAX_LAYER_SIZE": DIGITS},
    {"LAYERKIT_MAX_LAYER_SIZE": "\xb2"},
    {"LAYERKIT_JOBS": DIGITS},
    {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    {"TMPDIR": "\udc80"},
    {"HOME": "\udc80", "XDG_RUNTIME_DIR": "\udc80", "DOCKER_CONFIG": "\udc80"},
]


def environment(odd: dict[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], **odd}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return attested_archive(tmp_path / "image.tar", [large()])


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: " ".join(f"{name}={value[:6]!a}" for name, value in odd.items()))
@pytest.mark.parametrize("command", ["inspect", "fix"])
def test_odd_variables(image: Path, odd: dict[str, str], command: str) -> None:
    arguments = [sys.executable, "-m", "layerkit.cli", command, str(image)]
    arguments += [str(image.with_name("out.tar"))] if command == "fix" else []
    done = subprocess.run(arguments, env=environment(odd), capture_output=True, timeout=60, check=False)
    assert done.returncode in ((2,) if any(name.startswith("LAYERKIT_") for name in odd) and command == "fix" else (0, 2)), (
        done.stderr
    )
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("odd", ODD[:4], ids=lambda odd: " ".join(odd))
@pytest.mark.parametrize("command", ["inspect", "fix"])
def test_odd_variables_on_a_terminal(image: Path, odd: dict[str, str], command: str) -> None:
    arguments = [sys.executable, "-m", "layerkit.cli", command, str(image)]
    arguments += [str(image.with_name("out.tar"))] if command == "fix" else []
    ours, theirs = pty.openpty()
    shown = b""
    with subprocess.Popen(arguments, env=environment(odd), stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            try:
                shown += os.read(ours, 1 << 16)
            except OSError:  # they have closed their end
                break
    os.close(ours)
    assert process.returncode == 0, shown
    assert b"Traceback" not in shown
    assert len(shown) < 100_000


@pytest.mark.parametrize("value", ["nonsense://[", "tcp://[::1", "unix:///nowhere"])
def test_a_daemon_that_can_not_be(value: str) -> None:
    arguments = [sys.executable, "-m", "layerkit.cli", "inspect", "docker-daemon:x"]
    done = subprocess.run(arguments, env=environment({"DOCKER_HOST": value}), capture_output=True, timeout=60, check=False)
    assert done.returncode == 3, done.stderr
    assert b"the Docker daemon doesn't answer as expected" in done.stderr
