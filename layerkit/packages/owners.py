"""Who owns what. In: the contents of databases, where symlinks lead, Go's binaries. Out: packages, and each path's owner.

An image may have 1,000,000 owned files, so their paths aren't kept: a table leads from 60 bits of a path's hash to the package's
number. That takes 74 MB for 1,000,000 paths. Two paths share a hash once in 2 million such images, and then one file is counted
with the wrong package. The hash is Python's own, which is keyed: nobody can choose paths that share one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from layerkit.packages import apk, conda, dpkg, java, npm, python, rpm
from layerkit.packages.go import GoModule
from layerkit.packages.package import Files, Installed, Package, Problem
from layerkit.packages.paths import Links, Paths

MAX_PACKAGES = 100_000
MAX_PATHS = 2_000_000
"""Paths that databases may list, all together."""
MAX_PROBLEMS = 20
"""Told one by one."""

_READERS: tuple[Callable[[Files, Problem], Iterator[Installed]], ...] = (
    dpkg.read,
    apk.read,
    rpm.read,
    conda.read,
    python.read,
    npm.read,
)
"""Who comes first wins: what installed a package rather than what the package says of itself. After them folders count, the
nearest first, then what Go's binaries and the names of Java's archives say."""

_MASK = (1 << 60) - 1
"""Whole numbers up to here take 32 bytes, larger ones 48."""
_MAX_LINE = 500
_MAX_DEPTH = 64
"""Directories of a path in which a package is looked for."""


class Owners:
    """`owner` of a path is a number in `packages`. Archives of Java are told by their names, and become packages when they are
    asked for."""

    def __init__(self, files: Files, links: Links, go: Mapping[bytes, GoModule] | None = None) -> None:
        """`files`: content of all files that can be seen and are `wanted`, by path. `links`: where a symlink leads to. `go`: what
        `GoReader` found in files, by path. All paths are from the root, without a leading slash."""
        self._packages: list[Package] = []
        self._problems: list[str] = []
        self._more = 0
        self._paths = Paths(links)
        self._table: dict[int, int] = {}
        self._room = MAX_PATHS
        self._folders: dict[bytes, int] = {}
        self._last: tuple[bytes, int | None] = (b"", None)
        self._alone: dict[bytes, int] = {}
        """Paths of files that are packages by themselves."""
        self._told: set[str] = set()
        for installed in (installed for read in _READERS for installed in read(files, self._problem)):
            if not self._add(installed):
                break
        for path, module in sorted((go or {}).items()):
            if self.owner(path) is None:
                self._own(Installed("go", module.path, module.version, path))

    @property
    def packages(self) -> Sequence[Package]:
        return self._packages

    @property
    def problems(self) -> Sequence[str]:
        """What couldn't be read, a line each."""
        return (*self._problems, f"{self._more:,} more") if self._more else tuple(self._problems)

    def owner(self, path: bytes) -> int | None:
        """Of the file at a path, its number in `packages`. `path`: as the image has it, without a leading slash."""
        found = self._table.get(hash(path) & _MASK)
        if found is None and path.endswith(b".pyc"):
            found = self._table.get(hash(python.source_of(path)) & _MASK)
        if found is None and self._folders:
            found = self._in_folder(path)
        if found is None:
            found = self._alone.get(path)
        if found is None and (archive := java.package_of(path)) is not None:
            found = self._own(archive)
        return found

    def _in_folder(self, path: bytes) -> int | None:
        above = path[: path.rfind(b"/") + 1]
        folder, found = self._last
        if above != folder:
            end, depth, found = above.find(b"/"), 0, None
            while end >= 0 and depth < _MAX_DEPTH:
                found = self._folders.get(above[:end], found)
                end, depth = above.find(b"/", end + 1), depth + 1
            self._last = above, found
        return found

    def _add(self, installed: Installed) -> bool:
        """Is there room for more?"""
        if installed.alone and hash(installed.path) & _MASK in self._table:
            return True
        number = self._number(installed.package())
        if number is None:
            return False
        for folder in installed.folders:
            self._folders.setdefault(folder, number)
        for path in installed.paths:
            if not self._room:
                self._full(f"paths that packages list, more than {MAX_PATHS:,}: the others are left out")
                return False
            self._room -= 1
            real = self._paths.real(path)
            if real is not None:
                self._table.setdefault(hash(real) & _MASK, number)
        return True

    def _own(self, file: Installed) -> int | None:
        number = self._number(file.package())
        if number is not None:
            self._alone[file.path] = number
        return number

    def _number(self, package: Package) -> int | None:
        if len(self._packages) >= MAX_PACKAGES:
            self._full(f"packages, more than {MAX_PACKAGES:,}: the others are left out")
            return None
        self._packages.append(package)
        return len(self._packages) - 1

    def _full(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)

    def _problem(self, path: bytes, text: str) -> None:
        self._tell(f"/{path.decode('utf-8', 'backslashreplace')}: {text}")

    def _tell(self, line: str) -> None:
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(" ".join(line[:_MAX_LINE].splitlines()))
        else:
            self._more += 1
