"""Python's packages. In: what installers leave beside the modules. Out: what is installed, and what each package owns.

`NAME.dist-info` has METADATA and RECORD, a list of everything that was installed. Older ones are `NAME.egg-info`, a folder with
PKG-INFO and perhaps a list, or PKG-INFO alone as a file; and eggs, which are a folder of their own.
"""

import io
import re
from collections.abc import Iterator

from layerkit.packages.package import Files, Installed, Problem

_DIST = b".dist-info/METADATA"
_EGG_INFO = b".egg-info/PKG-INFO"
_EGG = b"/EGG-INFO/PKG-INFO"
_FILE = b".egg-info"
_NAME = re.compile(rb"^name:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_VERSION = re.compile(rb"^version:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_HEAD = 64 << 10
"""Bytes in which a name and a version are looked for: they come first."""
_MODULE = re.compile(rb"\w+")


def read(files: Files, problem: Problem) -> Iterator[Installed]:
    described = [path for path in files if path.endswith((_DIST, _EGG_INFO, _EGG, _FILE))]
    # What a package carries along (setuptools/_vendor) comes after the package, and so is part of it.
    for path in sorted(described, key=lambda path: (path.count(b"/"), path)):
        head = re.split(rb"\r?\n\r?\n", files[path][:_HEAD], maxsplit=1)[0]
        name, version = _NAME.search(head), _VERSION.search(head)
        if name is None or version is None or not name[1].strip():
            problem(path, "expected a name and a version in it")
            continue
        owned = _owned(files, path)
        folders = tuple(folder for folder in _folders(files, path) if folder)
        yield Installed("python", name[1].strip(), version[1].strip(), path, owned, folders, alone=True)


def source_of(path: bytes) -> bytes:
    """What a compiled module was made from: `x/__pycache__/y.cpython-311.pyc` from `x/y.py`. Most package managers don't list
    compiled modules, which are made when a package is installed, or first used."""
    folder, _, name = path.rpartition(b"/")
    if folder == b"__pycache__" or folder.endswith(b"/__pycache__"):
        return folder[: -len(b"__pycache__")] + name.partition(b".")[0] + b".py"
    return path[:-1]


def _owned(files: Files, path: bytes) -> Iterator[bytes]:
    """Paths that are listed, and that of the description."""
    info = path.rpartition(b"/")[0]
    yield path
    if path.endswith(_DIST):
        site = info.rpartition(b"/")[0]
        for line in io.BytesIO(files.get(info + b"/RECORD", b"")):
            if entry := _entry(line):
                yield _joined(site, entry)
    elif path.endswith(_EGG_INFO):
        for line in io.BytesIO(files.get(info + b"/installed-files.txt", b"")):
            yield _joined(info, line.rstrip(b"\r\n"))
        for module in _modules(files, info):
            yield module + b".py"


def _folders(files: Files, path: bytes) -> Iterator[bytes]:
    folder, _, _ = path.rpartition(b"/")
    if path.endswith(_EGG):
        yield folder[: -len(b"/EGG-INFO")]
    elif not path.endswith(_FILE):
        yield folder
        yield from _modules(files, folder)


def _modules(files: Files, info: bytes) -> Iterator[bytes]:
    """Paths of what can be imported, without an ending, where there is no list of files."""
    if info.endswith(b".egg-info") and info + b"/installed-files.txt" not in files:
        for line in files.get(info + b"/top_level.txt", b"")[:_HEAD].split():
            if _MODULE.fullmatch(line):
                yield _joined(info.rpartition(b"/")[0], line)


def _entry(line: bytes) -> bytes:
    """A line of RECORD: path, hash, size, separated by commas; quoted when there is a comma or a quote in it."""
    line = line.rstrip(b"\r\n")
    if line.startswith(b'"'):
        end = line.rfind(b'"', 1)
        return line[1:end].replace(b'""', b'"')
    return line.rsplit(b",", 2)[0]


def _joined(folder: bytes, path: bytes) -> bytes:
    return path if path.startswith(b"/") or not folder else folder + b"/" + path
