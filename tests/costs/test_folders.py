"""Paths of directories as numbers."""

from hypothesis import given
from hypothesis import strategies as st

from layerkit.costs.folders import ROOT, Folders

paths = st.lists(st.sampled_from([b"a", b"b", b"\xff", b"long name"]), max_size=6).map(b"/".join)


@given(st.lists(paths, max_size=50))
def test_each_path_has_one_number(given_paths: list[bytes]) -> None:
    folders = Folders()
    numbers = {path: folders.number_of(path) for path in given_paths}
    assert all(folders.path(number) == path for path, number in numbers.items())
    assert len(set(numbers.values())) == len(numbers)
    assert folders.number_of(b"") == ROOT
    assert all(folders.above[number] < number for number in range(1, len(folders)))


def test_deep_paths_are_held_once() -> None:
    folders = Folders()
    above = b"/".join([b"d"] * 2000)
    for number in range(500):
        folders.number_of(above + b"/%d" % number)
    assert len(folders) == 2501
