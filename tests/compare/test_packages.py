"""Which packages came, went, or are of another version."""

from hypothesis import given
from hypothesis import strategies as st

from layerkit.compare.packages import packages_changed
from layerkit.costs.contents import PackageFound

packages = st.lists(
    st.builds(
        PackageFound,
        kind=st.sampled_from(["deb", "python"]),
        name=st.sampled_from(["a", "b"]),
        version=st.sampled_from(["1", "2", "3"]),
        files=st.just(1),
        size=st.just(1),
        cost=st.integers(0, 9),
    ),
    max_size=6,
)


def package(name: str, version: str, cost: int, kind: str = "deb") -> PackageFound:
    return PackageFound(kind, name, version, 1, cost, cost)


def test_changes() -> None:
    old = [package("libc", "1", 50), package("gone", "1", 70), package("same", "1", 9), package("torch", "2.8", 300, "python")]
    new = [package("libc", "2", 60), package("new", "1", 80), package("same", "1", 8), package("torch", "2.8", 1)]
    assert [(one.kind, one.name, one.version_before, one.version) for one in packages_changed(old, new)] == [
        ("deb", "new", "", "1"),
        ("deb", "libc", "1", "2"),
        ("deb", "torch", "", "2.8"),
        ("python", "torch", "2.8", ""),
        ("deb", "gone", "1", ""),
    ]


@given(packages)
def test_nothing_changed(there: list[PackageFound]) -> None:
    assert packages_changed(there, there) == []


@given(packages, packages)
def test_numbers_add_up(old: list[PackageFound], new: list[PackageFound]) -> None:
    found = packages_changed(old, new)
    assert len(old) + sum(1 for one in found if one.version) - sum(1 for one in found if one.version_before) == len(new)
    assert all(one.version != one.version_before for one in found)
