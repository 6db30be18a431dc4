"""What packages cost. In: all files of a platform. Out: the package of each, and for each package what its files take."""

from collections.abc import Iterable, Iterator

from layerkit.costs.contents import PackageFound
from layerkit.costs.groups import Sums
from layerkit.costs.image_files import ImageFiles
from layerkit.costs.layer_files import LayerFiles
from layerkit.costs.reading import PlatformFiles
from layerkit.filesystem.directory import Directory, Inode
from layerkit.packages import Owners


class PackageSums:
    """`add` it files that can be seen."""

    def __init__(self, read: PlatformFiles) -> None:
        files, kept = read.files, read.kept
        self._owners = Owners(
            {files.path_of(*member): kept.whole[key] for key, member in _seen(files, kept.whole)},
            lambda path: _link_at(files.root, path),
            {files.path_of(*member): kept.go[key] for key, member in _seen(files, kept.go)},
        )
        self._sums: dict[int, Sums] = {}
        self._left_out = kept.left_out

    def add(self, path: bytes, size: int, cost: int) -> None:
        owner = self._owners.owner(path)
        if owner is not None:
            self._sums.setdefault(owner, Sums()).add(size, cost)

    def found(self) -> list[PackageFound]:
        """The most expensive first; those without a file that can be seen, too."""
        nothing = Sums()
        packages = []
        for number, package in enumerate(self._owners.packages):
            sums = self._sums.get(number, nothing)
            packages.append(PackageFound(package.kind, package.name, package.version, sums.files, sums.size, sums.cost))
        return sorted(packages, key=lambda one: (-one.cost, -one.size, one.kind, one.name, one.version))

    def notes(self) -> tuple[str, ...]:
        """What couldn't be told, a line each."""
        more = f"{self._left_out:,} files that tell of packages were too many to be read" if self._left_out else ""
        return (*self._owners.problems, more) if more else tuple(self._owners.problems)


def packages_of(read: PlatformFiles) -> list[PackageFound]:
    """All packages of a platform, the most expensive first."""
    sums = PackageSums(read)
    for layer, number in read.files.seen():
        sums.add(read.files.path_of(layer, number), layer.sizes[number], layer.cost_of(number))
    return sums.found()


Key = tuple[int, int]


def _seen(files: ImageFiles, keys: Iterable[Key]) -> Iterator[tuple[Key, tuple[LayerFiles, int]]]:
    layers = {layer.index: layer for layer in files.distinct}
    for index, number in keys:
        layer = layers.get(index)
        if layer is not None and files.is_seen(layer, number):
            yield (index, number), (layer, number)


def _link_at(root: Directory, path: bytes) -> bytes | None:
    """Where the symlink at a path leads to; None: there is none."""
    at = root
    *above, last = path.split(b"/")
    for name in above:
        child = at.children.get(name)
        if not isinstance(child, Directory):
            return None
        at = child
    found = at.children.get(last)
    return found.link if isinstance(found, Inode) else None
