"""A split image still runs: this machine's own Python, in a container of dockerd."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerkit import fix
from tests.judges.conftest import running
from tests.judges.engines import Dockerd
from tests.layered import image_of

pytestmark = pytest.mark.real

LIMIT = 16_000_000
"""Bytes: above the largest file, the interpreter itself or its library, in several parts."""

PROGRAM = """
import decimal, hashlib, json, os, sys, zlib
print(json.dumps([sys.version, hashlib.sha256(zlib.compress(b"x" * 1000)).hexdigest(), str(decimal.Decimal(1) / 7)]))
"""


@pytest.fixture
def dockerd() -> Iterator[Dockerd]:
    with running(Dockerd) as started:
        yield started


def test_python_starts_and_says_the_same(dockerd: Dockerd, tmp_path: Path) -> None:
    python = Path(sys.executable).resolve()
    layer = tmp_path / "layer.tar"
    files = [str(path).lstrip("/") for path in (python, *_libraries(python), Path(os.__file__).parent)]
    skipped = ["--exclude=site-packages", "--exclude=dist-packages", "--exclude=test", "--exclude=__pycache__", "--exclude=*.a"]
    command = [
        "tar",
        "-C",
        "/",
        "--sort=name",
        "--dereference",
        "--hard-dereference",
        *skipped,
        "-cf",
        str(layer),
        *sorted(set(files)),
    ]
    subprocess.run(command, check=True)
    before = image_of(layer.read_bytes())
    after = fix(before, max_layer_size=LIMIT)
    assert len(after.platforms()[0].manifest.layers) > 1
    expected = dockerd.output(before, str(python), "-c", PROGRAM)
    assert sys.version.split()[0] in expected
    assert dockerd.output(after, str(python), "-c", PROGRAM) == expected


def _libraries(program: Path) -> list[Path]:
    """Shared libraries that the interpreter and its extension modules are linked with, as the dynamic loader finds them."""
    extensions = list((Path(os.__file__).parent / "lib-dynload").glob("*.so"))
    found: set[Path] = set()
    for file in (program, *extensions):
        listed = subprocess.run(["ldd", str(file)], capture_output=True, text=True, check=False).stdout
        for path in re.findall(r"(?:=>\s+|^\s+)(/\S+)", listed, re.MULTILINE):
            found |= {Path(path), Path(path).resolve()}
    return sorted(found)
