"""What it was measured on."""

import os
import platform
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

_PACKAGES = ("layerkit", "isal", "zstandard", "urllib3")
_PROGRAMS = {
    "gzip": ("--version",),
    "igzip": ("--version",),
    "pigz": ("--version",),
    "skopeo": ("--version",),
    "crane": ("version",),
    "docker-registry": ("--version",),
}


def describe() -> dict[str, str]:
    """Facts by name, for people."""
    facts = {
        "processor": _first(r"model name\s*:\s*(.+)", "/proc/cpuinfo") or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
    }
    facts |= {name: metadata.version(name) for name in _PACKAGES}
    for name, arguments in _PROGRAMS.items():
        facts[name] = _version(name, arguments)
    return facts


def _memory() -> str:
    found = _first(r"MemTotal:\s*(\d+) kB", "/proc/meminfo")
    return f"{int(found) * 1024 / 1e9:.0f} GB" if found else "unknown"


def _first(pattern: str, path: str) -> str:
    try:
        match = re.search(pattern, Path(path).read_text())
    except OSError:
        return ""
    return match[1] if match else ""


def _version(program: str, arguments: tuple[str, ...]) -> str:
    if shutil.which(program) is None:
        return "not installed"
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    match = re.search(r"v?(\d+(?:\.\d+)+\S*)", done.stdout + done.stderr)
    return match[1] if match else "unknown"
