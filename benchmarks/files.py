"""Files of this machine, and layers made of them: the running interpreter's library and packages, then the system's /usr.

The order is that of their paths; owners and times are the files' own. What programs write while they run (bytecode) is left
out, so that the same machine gives the same layer again.
"""

import os
import stat
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

GREATEST_SHARE = 40
"""Files larger than this fraction of the layer are left out: one file can't be split."""

_SKIPPED = frozenset({"__pycache__", ".git"})


def installed() -> Iterator[Path]:
    """Directories, files and symlinks, each directory before what is in it."""
    paths = sysconfig.get_paths()
    found = [Path(paths[name]) for name in ("stdlib", "platlib", "purelib")]
    found += [Path(entry) for entry in sys.path if entry.endswith("site-packages")]
    roots: list[Path] = []
    for root in (*found, Path("/usr")):
        real = root.resolve()
        if real.is_dir() and not any(real.is_relative_to(other) for other in roots):
            roots.append(real)
    for root in roots:
        yield from below(root, without=[other for other in roots if other != root])


def below(root: Path, without: list[Path] | None = None) -> Iterator[Path]:
    """`root` and what is in it, depth first, by name."""
    yield root
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _SKIPPED and path not in (without or ()):
                yield from below(path, without)
        elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
            yield path


def write_tar(target: Path, paths: Iterator[Path], size: int | None, *, root: Path = Path("/")) -> None:
    """A tar of `paths`, named from `root` on, that ends when it has `size` bytes; None: all of them."""
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
        for path in paths:
            if size is not None and archive.offset >= size:
                break
            try:
                found = path.lstat()
                if stat.S_ISREG(found.st_mode) and size is not None and found.st_size > size // GREATEST_SHARE:
                    continue
                member = archive.gettarinfo(path, str(path.relative_to(root)) or ".")
                member.mtime = int(found.st_mtime)
                if not member.isreg():
                    archive.addfile(member)
                    continue
                with path.open("rb") as file:
                    archive.addfile(member, file)
            except PermissionError:
                continue


def install_torch(folder: Path) -> Path:
    """`pip install --target` of PyTorch with its CUDA libraries, several GB. Returns the root to be packed."""
    root = folder / "root"
    target = root / "usr/local/lib/python3/site-packages"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(target), "torch"], check=True
    )
    return root


def gzip_file(source: Path, target: Path) -> None:
    """gzip -6 without name and time, as builders do."""
    with source.open("rb") as raw, target.open("wb") as packed:
        subprocess.run(["gzip", "-6", "-n", "-c"], stdin=raw, stdout=packed, check=True)
