"""layerkit as its users run it: a process with arguments, an environment, two streams and an exit code."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

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


def measured(home: Path, *arguments: object, variables: Mapping[str, str] | None = None) -> Measured:
    """`layerkit`, with what it cost."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.monotonic()
        process = subprocess.Popen(
            [*LAYERKIT, *map(str, arguments)],
            env=environment(home, **(variables or {})),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        watch = threading.Timer(120, process.kill)
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        watch.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        said = [_all_of(file) for file in (out, err)]
    assert "Traceback" not in said[1], said[1]
    peak = usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * 1024
    return Measured(process.returncode, said[0], said[1], seconds, peak)


def _all_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
