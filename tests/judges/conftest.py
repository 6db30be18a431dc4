"""Each judge is started once, if it is installed and this is root on Linux."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from tests.judges.engines import JUDGES, Containerd, Dockerd, Judge, Podman, Umoci

SEARCHED = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))

Engine = TypeVar("Engine", Containerd, Dockerd, Podman, Umoci)


@contextmanager
def running(engine: type[Engine]) -> Iterator[Engine]:
    """The engine, started; skips the test where it can't be."""
    missing = [program for program in engine.needs if shutil.which(program, path=SEARCHED) is None]
    if missing:
        pytest.skip(f"{engine.name}: not installed: {', '.join(missing)}")
    if os.geteuid():
        pytest.skip(f"{engine.name}: unpacking with owners and devices, and mounting, take root")
    # Not below pytest's own folder: the socket's path would be too long for the kernel.
    with tempfile.TemporaryDirectory(prefix="judge-") as folder:
        started = engine(Path(folder))
        try:
            started.start()
            yield started
        finally:
            started.stop()


@pytest.fixture(scope="session", params=JUDGES, ids=lambda judge: str(judge.name))
def judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    with running(request.param) as started:
        yield started
