"""Debian's packages. In: `status` and the lists beside it. Out: what is installed, and what each package owns.

`status` holds a paragraph for each package; `info/NAME.list` its files, or `info/NAME:ARCH.list` where several architectures may
be installed side by side. Images without a package manager (distroless) have a file for each package in `status.d`, and beside
it a list of checksums.
"""

import io
import re
from collections.abc import Iterator
from typing import NamedTuple

from layerkit.packages.package import Files, Installed, Problem
from layerkit.packages.wanted import DPKG

_STATUS = DPKG + b"status"
_STATUS_D = DPKG + b"status.d/"
_INFO = DPKG + b"info/"
_DIVERSIONS = DPKG + b"diversions"

_FIELD = re.compile(rb"^(?:(Package|Status|Version|Architecture):[ \t]*([^\n]*)|[ \t\r\n]*)$", re.MULTILINE)
_GONE = (b"not-installed", b"config-files")
"""States in which a package has no files, other than its configuration."""
_CHECKSUM = re.compile(rb"[0-9a-f]{32,128} [ *](.*)")


class _Diversion(NamedTuple):
    to: bytes
    by: bytes
    """The package whose own file stays at the path."""


def read(files: Files, problem: Problem) -> Iterator[Installed]:
    diverted = _diversions(files.get(_DIVERSIONS, b""))
    for path in sorted(path for path in files if path == _STATUS or _is_paragraph(path)):
        found = 0
        for fields in _paragraphs(files[path]):
            found += 1
            status = fields.get(b"Status", b"install ok installed").split()
            if status and status[-1] in _GONE:
                continue
            name = fields[b"Package"]
            paths = _divert(_files_of(files, path, fields), name, diverted)
            yield Installed("deb", name, fields.get(b"Version", b""), path, paths)
        if not found and files[path].strip():
            problem(path, "no paragraph that names a package")


def _is_paragraph(path: bytes) -> bool:
    return path.startswith(_STATUS_D) and not path.endswith((b".md5sums", b".list", b"/")) and b"/" not in path[len(_STATUS_D) :]


def _paragraphs(data: bytes) -> Iterator[dict[bytes, bytes]]:
    """Those that name a package."""
    fields: dict[bytes, bytes] = {}
    for match in _FIELD.finditer(data):
        if match[1] is not None:
            fields.setdefault(match[1], match[2].strip())
        elif fields:
            if fields.get(b"Package"):
                yield fields
            fields = {}
    if fields.get(b"Package"):
        yield fields


def _files_of(files: Files, status: bytes, fields: dict[bytes, bytes]) -> Iterator[bytes]:
    name = fields[b"Package"]
    stems = [_INFO + name + b":" + fields.get(b"Architecture", b""), _INFO + name]
    if status.startswith(_STATUS_D):
        stems = [status, _STATUS_D + name]
    for stem in stems:
        if (data := files.get(stem + b".list")) is not None:
            return _list(data)
        if (data := files.get(stem + b".md5sums")) is not None:
            return _checksums(data)
    return iter(())


def _list(data: bytes) -> Iterator[bytes]:
    """A line for each path. What is above the next line's path is a directory, and left out."""
    before = b""
    for line in io.BytesIO(data):
        path = line.rstrip(b"\n")
        if before and not path.startswith(before + b"/"):
            yield before
        before = path
    if before:
        yield before


def _checksums(data: bytes) -> Iterator[bytes]:
    return (match[1] for line in io.BytesIO(data) if (match := _CHECKSUM.fullmatch(line.rstrip(b"\n"))))


def _diversions(data: bytes) -> dict[bytes, _Diversion]:
    """Three lines each: the path, where other packages' file is instead, and whose file stays (`:` for no package's)."""
    lines = data[: 1 << 20].split(b"\n")
    return {path: _Diversion(to, by) for path, to, by in zip(lines[::3], lines[1::3], lines[2::3], strict=False)}


def _divert(paths: Iterator[bytes], name: bytes, diverted: dict[bytes, _Diversion]) -> Iterator[bytes]:
    if not diverted:
        return paths
    return (found.to if (found := diverted.get(path)) and found.by != name else path for path in paths)
