"""Which files a rule is about. In: every file that can be seen, one at a time. Out: sums for each rule and layer."""

import heapq
import re
from dataclasses import dataclass, field

from layerkit.advice.rules import Rules
from layerkit.sizes import parse_size

MAX_PATHS = 5
"""That are told of for one rule and layer: the most expensive."""
_REMEMBERED = 50_000
"""Directories whose rules are known."""
_DEEPEST = 64
"""Directories within each other for which a rule is looked for."""
_NONE = 1 << 30

CUDA = re.compile(
    rb"lib(cudnn|cublas|cublasLt|cufft|curand|cusolver|cusparse|cusparseLt|nccl|nvrtc|nvJitLink|cupti)[a-z_]*\.so(\.[0-9.]+)?"
)
_HOMES = ((b"/nvidia/", "pip's nvidia packages"), (b"usr/local/cuda", "/usr/local/cuda"), (b"usr/lib/", "the system's packages"))
_SMALL = parse_size("1MB")


@dataclass
class Matched:
    """Files of one layer that one rule is about."""

    files: int = 0
    size: int = 0
    cost: int = 0
    dearest: list[tuple[int, bytes]] = field(default_factory=list)
    """A heap of costs and paths."""

    def add(self, path: bytes, size: int, cost: int) -> None:
        self.files += 1
        self.size += size
        self.cost += cost
        item = cost, path
        if len(self.dearest) < MAX_PATHS:
            heapq.heappush(self.dearest, item)
        elif item > self.dearest[0]:
            heapq.heapreplace(self.dearest, item)

    def paths(self) -> list[bytes]:
        """The most expensive first."""
        return [path for _, path in sorted(self.dearest, key=lambda item: (-item[0], item[1]))]


@dataclass(frozen=True)
class _Folder:
    """What rules say of files in a directory."""

    below: int
    """The first rule that means all of them."""
    named: tuple[tuple[int, re.Pattern[bytes]], ...]
    """Those before it that mean files of some names."""


class Tally:
    """`add` it every file that can be seen."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._folders: dict[bytes, _Folder] = {}
        self._below: dict[bytes, int] = {}
        self.matched: dict[tuple[str, int], Matched] = {}
        """By the rule's id and the layer's number."""
        self.cuda: dict[str, dict[str, Matched]] = {}
        """By the library's name, then by where it is from."""

    def add(self, path: bytes, layer: int, size: int, cost: int) -> None:
        """`path`: without a leading slash; `layer`: from 1; bytes."""
        above, _, name = path.rpartition(b"/")
        folder = self._folders.get(above)
        if folder is None:
            if len(self._folders) >= _REMEMBERED:
                self._folders.clear()
            folder = self._folders[above] = self._look(above)
        rule = folder.below
        for number, pattern in folder.named:
            if pattern.fullmatch(name):
                rule = number
                break
        if rule != _NONE:
            self.matched.setdefault((self._rules.paths[rule].id, layer), Matched()).add(path, size, cost)
        if cost >= _SMALL and (library := CUDA.fullmatch(name)):
            home = next((home for part, home in _HOMES if part in b"/" + path or path.startswith(part)), "elsewhere")
            self.cuda.setdefault(library[1].decode(), {}).setdefault(home, Matched()).add(path, size, cost)

    def _look(self, folder: bytes) -> _Folder:
        below = self._first_below(folder)
        named = [
            (number, name)
            for number, rule in enumerate(self._rules.paths[:below])
            for above, name in rule.named
            if above.fullmatch(folder)
        ]
        return _Folder(below, tuple(named))

    def _first_below(self, folder: bytes) -> int:
        """The first rule that means all that is in a directory: one for it, or for one that it is in."""
        end, first = 0, _NONE
        for _ in range(_DEEPEST):
            end = folder.find(b"/", end + 1)
            path = folder if end < 0 else folder[:end]
            found = self._below.get(path)
            if found is None:
                if len(self._below) >= _REMEMBERED:
                    self._below.clear()
                rules = enumerate(self._rules.paths[:first])
                found = self._below[path] = next((n for n, rule in rules if any(p.fullmatch(path) for p in rule.below)), first)
            first = found
            if end < 0:
                break
        return first
