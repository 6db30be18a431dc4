"""Which packages came, went, or are of another version. In: all packages of two images. Out: pairs that differ."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from layerkit.compare.changes import PackageChanged
from layerkit.costs.contents import PackageFound


def packages_changed(old: Iterable[PackageFound], new: Iterable[PackageFound]) -> list[PackageChanged]:
    """Those whose versions differ, by what they cost in the new image and then in the old one. Of a package that an image has
    several times, those of the same version are told of by none; the others are paired as they come."""
    before, after = _by_name(old), _by_name(new)
    found = [change for key in {**before, **after} for change in _changes(before.get(key, []), after.get(key, []))]
    return sorted(found, key=lambda one: (-one.cost, -one.cost_before, one.kind, one.name, one.version))


def _changes(old: list[PackageFound], new: list[PackageFound]) -> Iterator[PackageChanged]:
    old, new = list(old), list(new)
    for package in list(new):
        same = next((other for other in old if other.version == package.version), None)
        if same is not None:
            old.remove(same)
            new.remove(package)
    for before, after in zip_longest(old, new):
        named = after or before
        yield PackageChanged(
            kind=named.kind,
            name=named.name,
            version_before=before.version if before is not None else "",
            version=after.version if after is not None else "",
            cost_before=before.cost if before is not None else 0,
            cost=after.cost if after is not None else 0,
        )


def _by_name(packages: Iterable[PackageFound]) -> dict[tuple[str, str], list[PackageFound]]:
    found: dict[tuple[str, str], list[PackageFound]] = {}
    for package in packages:
        found.setdefault((package.kind, package.name), []).append(package)
    return found
