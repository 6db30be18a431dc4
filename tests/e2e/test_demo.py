"""The README's first command, as a newcomer gives it."""

import subprocess
import sys
from pathlib import Path

from tests.e2e.running import environment

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo(tmp_path: Path) -> None:
    """Whatever is installed beside layerkit: its image is made of that."""
    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=tmp_path,
        env=environment(tmp_path, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "no difference" in done.stderr
    assert "6. Before and after" in done.stdout
