"""Node's packages. In: the `package.json` directly in each folder of a `node_modules`. Out: packages, each with its folder."""

from collections.abc import Iterator

from layerkit.image.foreign import ForeignError, read_json
from layerkit.packages.package import Files, Installed, Problem
from layerkit.packages.wanted import npm_folder


def read(files: Files, problem: Problem) -> Iterator[Installed]:
    for path in sorted(files):
        if not path.endswith(b"/package.json") or not (folder := npm_folder(path)):
            continue
        try:
            found = read_json(files[path])
        except ForeignError as error:
            problem(path, str(error))
            continue
        if not isinstance(found, dict):
            continue
        name, version = found.get("name"), found.get("version")
        if isinstance(name, str) and isinstance(version, str) and name and version:
            yield Installed("npm", name, version, path, folders=(folder,), alone=True)
