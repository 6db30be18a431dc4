"""Conda's packages. In: `conda-meta/*.json` of each environment. Out: what is installed, and what each package owns."""

from collections.abc import Iterator
from typing import Any

from layerkit.image.foreign import ForeignError, kind_of, read_json
from layerkit.packages.package import Files, Installed, Problem


def read(files: Files, problem: Problem) -> Iterator[Installed]:
    for path in sorted(files):
        folder, _, name = path.rpartition(b"/")
        if not name.endswith(b".json") or not (folder == b"conda-meta" or folder.endswith(b"/conda-meta")):
            continue
        try:
            found = read_json(files[path])
        except ForeignError as error:
            problem(path, str(error))
            continue
        if isinstance(found, dict) and isinstance(found.get("name"), str) and isinstance(found.get("version"), str):
            prefix = folder[: -len(b"conda-meta")]
            yield Installed("conda", found["name"], found["version"], path, _paths(found, prefix, path), alone=True)
        else:
            problem(path, f"expected an object with a name and a version, found {kind_of(found)}")


def _paths(found: dict[str, Any], prefix: bytes, own: bytes) -> Iterator[bytes]:
    listed = found.get("files")
    yield own
    for path in listed if isinstance(listed, list) else ():
        if isinstance(path, str):
            yield prefix + path.encode("utf-8", "surrogatepass")
