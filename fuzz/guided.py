"""The same targets, led by coverage: atheris changes the bytes that choices are drawn from, and keeps what reaches new code.

atheris is LLVM's libFuzzer for Python (wheels for Linux). It instruments layerkit's code as that is imported, and ends the
process with its first finding, whose input it leaves in the folder as `crash-...`.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import atheris

from fuzz.choices import BytesChoices
from fuzz.running import MOST_SECONDS


def lead(target: str, corpus: Path, *, seconds: int, seed: int) -> None:
    """Ends the process."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("layerkit", "fuzz", "tests")]:
        del sys.modules[name]  # imported anew, instrumented
    with atheris.instrument_imports(include=["layerkit"]):
        from fuzz.targets import TARGETS
    corpus.mkdir(parents=True, exist_ok=True)
    attempt = TARGETS[target]

    def try_bytes(data: bytes) -> None:
        folder = Path(tempfile.mkdtemp(prefix="layerkit-fuzz-"))
        try:
            attempt(BytesChoices(data), folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    options = [
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-timeout={MOST_SECONDS:.0f}",
        "-rss_limit_mb=4096",
        "-max_len=4096",
    ]
    atheris.Setup([sys.argv[0], str(corpus), f"-artifact_prefix={corpus}/", *options], try_bytes)
    atheris.Fuzz()
