"""How many directories the paths of a tar may lead through."""

import pytest

from layerkit.errors import DamagedError
from layerkit.tar.folder_bound import FolderBound
from layerkit.tar.framing import MAX_PATH, Framer, Member
from tests.tar_building import file, layer, symlink


def members(count: int) -> list[Member]:
    return Framer("layer").feed(layer(*(file(f"{number}") for number in range(count))))


def test_a_tree_of_directories_with_entries_has_no_end() -> None:
    bound = FolderBound("layer")
    for member in members(100_000):
        bound.add(80, member)


def test_too_many_for_the_members_that_bring_them() -> None:
    bound = FolderBound("layer")
    few = members(10)
    with pytest.raises(DamagedError, match="layer: offset 4,096: 8: expected paths that lead through at most 50,027 directories"):
        for number in range(60_000):
            bound.add(10, few[number // 6000])


def test_too_long_for_the_members_that_bring_them() -> None:
    bound = FolderBound("layer")
    with pytest.raises(DamagedError, match="expected directories whose paths take at most"):
        for member in members(3000):
            bound.add(MAX_PATH, member)


def test_symlinks_that_lead_through_each_other() -> None:
    bound = FolderBound("layer")
    for member in members(10_000):
        bound.follow(200, member)
    with pytest.raises(DamagedError, match="symlinks above it that have led through at most"):
        for member in members(1000):
            bound.follow(4000, member)


@pytest.mark.parametrize("member", [file("d/" * 9000), symlink("l", "d/" * 9000)])
def test_paths_that_nothing_could_be_made_of(member: bytes) -> None:
    with pytest.raises(DamagedError, match="layer: offset 0: expected a path of at most 16,384 bytes, found 18,000"):
        Framer("layer").feed(layer(member))
