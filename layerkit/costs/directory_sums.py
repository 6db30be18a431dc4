"""What directories cost with all that is in them. In: files, one at a time. Out: sums, rolled up from the leaves to the root."""

from array import array
from collections.abc import Iterator

from layerkit.costs.contents import GroupFound
from layerkit.costs.folders import ROOT, Folders
from layerkit.costs.groups import largest_groups
from layerkit.costs.layer_files import LayerFiles
from layerkit.costs.shown import shown

DOMINATED = 0.9
"""A directory that owes so much of its cost to one directory in it isn't listed: that one is."""


class DirectorySums:
    """`add` it files of any layers, then `roll_up`."""

    def __init__(self) -> None:
        self.folders = Folders()
        self.files = array("Q", [0])
        self.sizes = array("Q", [0])
        self.costs = array("Q", [0])
        """By the directory's number."""
        self._numbers: dict[int, array[int]] = {}
        """By the layer's index: each of its directories' numbers here."""

    def add(self, layer: LayerFiles, folder: int, size: int, cost: int, files: int = 1) -> None:
        """A file in that directory of that layer."""
        number = self.number_of(layer, folder)
        self.files[number] += files
        self.sizes[number] += size
        self.costs[number] += cost

    def number_of(self, layer: LayerFiles, folder: int) -> int:
        """Of a layer's directory, here."""
        known = self._numbers.setdefault(layer.index, array("I"))
        theirs = layer.folders
        while len(known) <= folder:
            number = len(known)
            name = theirs.names[number]
            known.append(self.folders.child(known[theirs.above[number]], name) if number else ROOT)
        missing = len(self.folders) - len(self.files)
        if missing > 0:
            for column in (self.files, self.sizes, self.costs):
                column.extend([0] * missing)
        return known[folder]

    def roll_up(self) -> None:
        """From now on the sums are of all that is below, too."""
        above = self.folders.above
        for number in range(len(self.files) - 1, ROOT, -1):
            to = above[number]
            self.files[to] += self.files[number]
            self.sizes[to] += self.sizes[number]
            self.costs[to] += self.costs[number]

    def largest(self, count: int) -> tuple[GroupFound, ...]:
        """By cost, but for the root, and for those that one directory in them explains. After `roll_up`."""
        heaviest = array("Q", bytes(8 * len(self.files)))
        for number in range(len(self.files) - 1, ROOT, -1):
            to = self.folders.above[number]
            heaviest[to] = max(heaviest[to], self.costs[number])
        telling = (number for number in self._all() if heaviest[number] < DOMINATED * self.costs[number])
        found = (GroupFound(str(number), self.files[number], self.sizes[number], self.costs[number]) for number in telling)
        return tuple(
            GroupFound(shown(self.folders.path(int(one.name))), one.files, one.size, one.cost)
            for one in largest_groups(found, count)
        )

    def _all(self) -> Iterator[int]:
        return (number for number in range(1, len(self.files)) if self.sizes[number])
