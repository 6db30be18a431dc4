"""What it takes to read the headers of a tar, timed without Python's start: run as a script with WAY and TAR, it prints
seconds and the number of entries."""

import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import xxhash

from layerkit.filesystem.layer_tree import LayerTree
from layerkit.image.blob import FileRange, InputFile
from layerkit.plan.planner import Constraints, Planner
from layerkit.tar.framing import Framer, members_of

PARTS = 4
"""Parts that the layer is planned to be split into."""


def by_position(path: Path) -> int:
    """Headers only, data skipped."""
    return sum(1 for _ in members_of(InputFile(path), str(path)))


def as_a_stream(path: Path) -> int:
    """All bytes go by, as they do when a compressed layer is read."""
    file = InputFile(path)
    framer = Framer(str(path))
    count = sum(len(framer.feed(chunk)) for chunk in FileRange(file, 0, file.size).chunks())
    framer.close()
    return count


def planned(path: Path) -> int:
    """The stream, and for each entry the decisions of `fix`: which part it goes to, what is repeated, where to cut."""
    file = InputFile(path)
    framer = Framer(str(path))
    limit = file.size // PARTS
    planner = Planner(str(path), Constraints(limit, limit), lambda text: None)
    count = 0
    for chunk in FileRange(file, 0, file.size).chunks():
        for member in framer.feed(chunk):
            planner.add(member, member.start)
            count += 1
    framer.close()
    planner.finish(file.size)
    return count


def into_a_tree(path: Path) -> int:
    """The stream, and the tree of what it holds, which a proof compares: of the source once, and once more of its parts."""
    file = InputFile(path)
    framer = Framer(str(path))
    tree = LayerTree(str(path), xxhash.xxh3_128)
    count = 0
    for chunk in FileRange(file, 0, file.size).chunks():
        members = framer.feed(chunk)
        tree.take(chunk, members)
        count += len(members)
    framer.close()
    return count


def with_tarfile(path: Path) -> int:
    """Python's own module, for comparison."""
    with tarfile.open(path) as archive:
        return sum(1 for _ in archive)


PLANNED = "as a stream, planned"
WAYS: dict[str, Callable[[Path], int]] = {
    "by position": by_position,
    "as a stream": as_a_stream,
    PLANNED: planned,
    "as a stream, into a tree": into_a_tree,
    "Python's tarfile": with_tarfile,
}


def main() -> None:
    way, path = sys.argv[1], Path(sys.argv[2])
    began = time.perf_counter()
    count = WAYS[way](path)
    print(time.perf_counter() - began, count)


if __name__ == "__main__":
    main()
