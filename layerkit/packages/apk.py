"""Alpine's packages. In: apk's database. Out: what is installed, and what each package owns.

Lines of a letter, a colon and a value; an empty line ends a package. `P` is its name, `V` its version, `F` a directory, `R` a
file in the directory named last.
"""

import io
from collections.abc import Iterator

from layerkit.packages.package import Files, Installed, Problem
from layerkit.packages.paths import MAX_PATH
from layerkit.packages.wanted import APK


def read(files: Files, problem: Problem) -> Iterator[Installed]:
    for path in APK:
        if (data := files.get(path)) is None:
            continue
        found = 0
        for begin, end in _paragraphs(data):
            name, version = _field(data, b"P:", begin, end), _field(data, b"V:", begin, end)
            if name:
                found += 1
                yield Installed("apk", name, version, path, _paths(data[begin:end]))
        if not found and data.strip():
            problem(path, "no package in it")


def _paragraphs(data: bytes) -> Iterator[tuple[int, int]]:
    begin = 0
    while begin < len(data):
        end = data.find(b"\n\n", begin)
        end = len(data) if end < 0 else end
        if end > begin:
            yield begin, end
        begin = end + 1


def _field(data: bytes, key: bytes, begin: int, end: int) -> bytes:
    if not data.startswith(key, begin):
        begin = data.find(b"\n" + key, begin, end) + 1
        if not begin:
            return b""
    line = data.find(b"\n", begin, end)
    return data[begin + len(key) : end if line < 0 else line]


def _paths(paragraph: bytes) -> Iterator[bytes]:
    folder = b""
    for line in io.BytesIO(paragraph):
        if line.startswith(b"F:"):
            folder = line[2:].rstrip(b"\n")
        elif line.startswith(b"R:") and len(folder) <= MAX_PATH:
            yield folder + b"/" + line[2:].rstrip(b"\n")
