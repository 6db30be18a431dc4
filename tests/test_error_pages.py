"""The pages about errors: their commands run, and print what the pages say."""

import os
import random
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.images import attested_archive, large, small
from tests.sources.builders import docker_archive, tar, write_tar

PAGES = sorted((Path(__file__).resolve().parents[1] / "docs/errors").glob("*.md"))
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def steps(page: Path) -> list[tuple[str, list[str]]]:
    """Commands, and lines that they print."""
    found: list[tuple[str, list[str]]] = []
    for block in CONSOLE.findall(page.read_text()):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def pattern(line: str) -> re.Pattern[str]:
    """`…` stands for anything, digests and numbers for any."""
    pieces = []
    for piece in re.split(r"(…|[0-9a-f]{12,}|\d[\d,.]*)", line):
        loose = {"…": ".*"}.get(piece) or (r"[0-9a-f]+" if re.fullmatch(r"[0-9a-f]{12,}", piece) else "")
        loose = loose or (r"[\d,.]+" if re.fullmatch(r"\d[\d,.]*", piece) else "")
        pieces.append(loose or re.escape(piece))
    return re.compile("".join(pieces))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    noise = random.Random(1).randbytes(4_000_000)
    layer = tar({f"opt/{number}": noise[number * 400_000 : (number + 1) * 400_000] for number in range(10)})
    image = write_tar(tmp_path / "image.tar", docker_archive(layer, tags=["worker:1.0"]))
    (tmp_path / "truncated.tar").write_bytes(image.read_bytes()[:2_000_000])
    attested_archive(tmp_path / "attested.tar", [small(), large()])
    return tmp_path


def command(text: str, port: int) -> list[str]:
    words = shlex.split(text.replace("5000", str(port)))
    return [sys.executable, "-m", "layerkit.cli", *words[1:]] if words[0] == "layerkit" else words


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "README"], ids=lambda page: page.stem)
def test_a_page(page: Path, place: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAYERKIT_", "XDG_", "COLUMNS"))}
    environment = {**kept, "HOME": str(place / "home")}
    served: list[subprocess.Popen[bytes]] = []
    ran = 0
    try:
        for text, lines in steps(page):
            if text.endswith("&"):
                quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                served.append(subprocess.Popen(command(text[:-1], port), cwd=place, env=environment, **quiet))  # type: ignore[call-overload]
                wait_for(port)
                continue
            if shutil.which(shlex.split(text)[0]) is None and not text.startswith("layerkit"):
                continue
            done = subprocess.run(command(text, port), cwd=place, env=environment, capture_output=True, text=True, timeout=120)
            said = (done.stdout + done.stderr).replace(str(port), "5000").splitlines()
            for line in lines:
                assert any(pattern(line).fullmatch(one) for one in said), f"{text}\n{line}\nsaid {said}"
            ran += 1
    finally:
        for one in served:
            one.terminate()
            one.wait()
    assert ran


def wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the sandbox didn't come")


def test_every_page_is_listed() -> None:
    listed = set(re.findall(r"\(([\w-]+\.md)\)", (PAGES[0].parent / "README.md").read_text()))
    assert listed == {page.name for page in PAGES} - {"README.md"}
