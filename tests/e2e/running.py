"""layerkit as its users run it: a process with arguments, an environment, two streams and an exit code."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

LAYERKIT = [sys.executable, "-m", "layerkit.cli"]

needs_skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed (Debian: apt install skopeo)")
needs_umoci = pytest.mark.skipif(shutil.which("umoci") is None, reason="umoci is not installed (Debian: apt install umoci)")


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def environment(home: Path, **more: str) -> dict[str, str]:
    """Nobody's credentials and settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAYERKIT_", "DOCKER_", "XDG_"))}
    return {**kept, "HOME": str(home), "COLUMNS": "80", **more}


def layerkit(home: Path, *arguments: object, variables: Mapping[str, str] | None = None, stdin: bytes = b"") -> Ran:
    """One command line, to its end. Whatever happens, there is no traceback."""
    done = subprocess.run(
        [*LAYERKIT, *map(str, arguments)],
        env=environment(home, **(variables or {})),
        input=stdin,
        capture_output=True,
        timeout=120,
        check=False,
    )
    ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in ran.err, ran.err
    return ran


def run(*command: object) -> str:
    """A program of somebody else, which must succeed; what it printed."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
