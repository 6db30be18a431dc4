"""Each judge is started once, if it is installed and this is root on Linux."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.judges.engines import JUDGES, Containerd, Dockerd, Judge, Podman, Umoci

SEARCHED = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


@pytest.fixture(scope="session", params=JUDGES, ids=lambda judge: str(judge.name))
def judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    chosen: type[Containerd | Dockerd | Podman | Umoci] = request.param
    missing = [program for program in chosen.needs if shutil.which(program, path=SEARCHED) is None]
    if missing:
        pytest.skip(f"{chosen.name}: not installed: {', '.join(missing)}")
    if os.geteuid():
        pytest.skip(f"{chosen.name}: unpacking with owners and devices, and mounting, take root")
    # Not below pytest's own folder: the socket's path would be too long for the kernel.
    with tempfile.TemporaryDirectory(prefix="judge-") as folder:
        started = chosen(Path(folder))
        try:
            started.start()
            yield started
        finally:
            started.stop()
