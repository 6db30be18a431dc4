"""Files and folders as `Owners` is shown them. In: a root on this machine, or a few files' contents. Out: what it needs."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from layerkit.packages import GoModule, GoReader, Owners, Package, wanted


@dataclass
class Root:
    """Paths are from the root, without a leading slash."""

    files: dict[bytes, bytes] = field(default_factory=dict)
    """Those that are wanted."""
    links: dict[bytes, bytes] = field(default_factory=dict)
    paths: list[bytes] = field(default_factory=list)
    """Of all regular files."""
    go: dict[bytes, GoModule] = field(default_factory=dict)

    def owners(self) -> Owners:
        return Owners(self.files, self.links.get, self.go)


def read_root(top: Path, *, without: Collection[str] = (), go: bool = False) -> Root:
    """`without`: folders of the root that aren't looked at."""
    root = Root()
    start = os.fsencode(top)
    for folder, folders, names in os.walk(start):
        if folder == start:
            folders[:] = [name for name in folders if os.fsdecode(name) not in without]
        for name in folders + names:
            whole = os.path.join(folder, name)  # noqa: PTH118 (bytes)
            path = os.path.relpath(whole, start)
            if os.path.islink(whole):  # noqa: PTH114
                root.links[path] = os.readlink(whole)  # noqa: PTH115
            elif os.path.isfile(whole):  # noqa: PTH113
                root.paths.append(path)
                _read(root, path, Path(os.fsdecode(whole)), go)
    return root


def _read(root: Root, path: bytes, file: Path, go: bool) -> None:
    if wanted(path, file.stat().st_size):
        root.files[path] = file.read_bytes()
    if go:
        reader = GoReader()
        with file.open("rb") as stream:
            while (data := stream.read(1 << 20)) and not reader.done:
                reader.update(data)
        reader.close()
        if reader.module is not None:
            root.go[path] = reader.module


def no_links(path: bytes) -> bytes | None:
    return None


def owners_of(files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> Owners:
    """Of files that are all wanted."""
    for path, data in files.items():
        assert wanted(path.encode(), len(data)), path
    targets = {path.encode(): target.encode() for path, target in (links or {}).items()}
    return Owners({path.encode(): data for path, data in files.items()}, targets.get)


def owner(owners: Owners, path: str) -> Package | None:
    number = owners.owner(path.encode())
    return None if number is None else owners.packages[number]


def named(owners: Owners, path: str) -> str | None:
    """`kind name version` of the package that a path belongs to."""
    found = owner(owners, path)
    return None if found is None else f"{found.kind} {found.name} {found.version}"


def listed(owners: Owners) -> list[str]:
    return [f"{package.kind} {package.name} {package.version}" for package in owners.packages]
