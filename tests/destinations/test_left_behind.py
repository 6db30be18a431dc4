"""Nothing stays of what is dropped before anybody could take it back."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from layerkit.destinations import open_destination

FORMS = ["{}/out.tar", "oci:{}/out", "docker-archive:{}/out.tar"]


@pytest.mark.parametrize("form", FORMS)
def test_what_nobody_has_is_gone(tmp_path: Path, form: str) -> None:
    destination = open_destination(form.format(tmp_path))
    assert [path for path in tmp_path.iterdir() if path.name.endswith(".partial")]
    del destination
    gc.collect()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", FORMS)
def test_nor_at_the_program_s_end(tmp_path: Path, form: str) -> None:
    """An interrupt whose traceback still holds it."""
    code = (
        "import sys; from layerkit.destinations import open_destination\n"
        f"destination = open_destination({form.format(tmp_path)!r})\n"
        "sys.kept = destination; raise KeyboardInterrupt"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert b"KeyboardInterrupt" in ran.stderr
    assert list(tmp_path.iterdir()) == []
