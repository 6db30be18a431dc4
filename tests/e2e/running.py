"""layerkit as its users run it: a process with arguments, an environment, two streams and an exit code."""

import os
import shutil
import subprocess
import sys
import tempfile
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


@dataclass(frozen=True)
class Measured(Ran):
    seconds: float
    peak: int
    """Bytes of memory."""


_LAUNCHER = """
import resource, subprocess, sys, time
began = time.monotonic()
code = subprocess.run(sys.argv[2:], timeout=120).returncode
seconds, peak = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
open(sys.argv[1], "w").write(f"{code} {seconds} {peak}")
"""
"""Small, as a process begins with the peak memory of the one that starts it (getrusage(2) counts what is before exec)."""


def measured(home: Path, *arguments: object, variables: Mapping[str, str] | None = None) -> Measured:
    """`layerkit`, with what it cost."""
    with tempfile.NamedTemporaryFile() as figures:
        command = [sys.executable, "-c", _LAUNCHER, figures.name, *LAYERKIT, *map(str, arguments)]
        done = subprocess.run(
            command, env=environment(home, **(variables or {})), stdin=subprocess.DEVNULL, capture_output=True, check=True
        )
        code, seconds, peak = Path(figures.name).read_text().split()
    ran = Measured(int(code), done.stdout.decode(), done.stderr.decode(), float(seconds), int(peak) * _UNIT)
    assert "Traceback" not in ran.err, ran.err
    return ran


_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes of ru_maxrss."""
