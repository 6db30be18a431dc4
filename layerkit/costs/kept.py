"""The contents that are kept while layers are read.

In: files' contents as they go by. Out: the first bytes of large files, which tell what they are, all of those files that tell
which packages there are, and what Go's binaries say of themselves.
"""

import heapq

from layerkit.costs.content_types import HEAD_BYTES
from layerkit.costs.layer_files import LayerFiles, Reader
from layerkit.image.blob import Buffer
from layerkit.packages import GoModule, GoReader, wanted
from layerkit.packages.wanted import MAX_METADATA

MIN_HEAD = 16 << 10
"""Bytes of a file that is looked at: smaller ones are many, and matter little."""
MIN_GO = 256 << 10
"""Bytes of a program that is asked whether it is Go's: those are larger than 1 MB."""
_EXECUTABLE = 0o111
MAX_HEADS = 2000
"""Of the largest files, as many beginnings are kept: 8 MB."""
MAX_KEPT = 96 << 20
"""Bytes of files that tell of packages, in all."""


class Kept:
    """Of all layers."""

    def __init__(self, room: int = MAX_KEPT, heads: int = MAX_HEADS) -> None:
        """`room`: bytes of files that tell of packages; `heads`: beginnings."""
        self.whole: dict[tuple[int, int], bytes] = {}
        """By the layer's index and the member's number."""
        self.go: dict[tuple[int, int], GoModule] = {}
        """Likewise."""
        self.left_out = 0
        """Files that were wanted when there was no room any more."""
        self._room = room
        self._most = heads
        self._is_asked = room > 0
        self._heads: list[tuple[int, int, int, bytes]] = []
        """A heap of size, layer's index, member's number, head."""

    def heads(self) -> dict[tuple[int, int], bytes]:
        """By the layer's index and the member's number."""
        heads = {(index, number): head for _, index, number, head in self._heads}
        return heads | {key: data[:HEAD_BYTES] for key, data in self.whole.items() if len(data) >= MIN_HEAD}

    def reader(self, layer: LayerFiles, number: int, path: bytes) -> Reader | None:
        size = layer.sizes[number]
        if not self._is_asked:
            return None
        if wanted(path, size):
            if size <= self._room:
                self._room -= size
                return _Whole(self, (layer.index, number))
            self.left_out += 1
        elif size > MAX_METADATA and wanted(path, 0):
            self.left_out += 1  # it is larger than any that was meant to be read
        if size >= MIN_GO and layer.modes[number] & _EXECUTABLE:
            return _Binary(self, size, layer.index, number)
        if size >= MIN_HEAD and (len(self._heads) < self._most or size > self._heads[0][0]):
            return _Head(self, size, layer.index, number)
        return None

    def forget(self, index: int) -> None:
        """Nobody has that layer any more."""
        for key in [key for key in self.whole if key[0] == index]:
            self._room += len(self.whole.pop(key))
        self.go = {key: module for key, module in self.go.items() if key[0] != index}
        self._heads = [head for head in self._heads if head[1] != index]
        heapq.heapify(self._heads)

    def keep_head(self, size: int, index: int, number: int, head: bytes) -> None:
        push = heapq.heappush if len(self._heads) < self._most else heapq.heappushpop
        push(self._heads, (size, index, number, head))


class _Whole:
    def __init__(self, kept: Kept, key: tuple[int, int]) -> None:
        self._kept = kept
        self._key = key
        self._data = bytearray()

    def update(self, data: Buffer, /) -> None:
        self._data += data

    def close(self) -> None:
        self._kept.whole[self._key] = bytes(self._data)


class _Head:
    """The beginning of a file."""

    def __init__(self, kept: Kept, *key: int) -> None:
        self._kept = kept
        self._key = key
        self._data = b""

    def update(self, data: Buffer, /) -> None:
        if len(self._data) < HEAD_BYTES:
            self._data += bytes(data[: HEAD_BYTES - len(self._data)])

    def close(self) -> None:
        size, index, number = self._key
        self._kept.keep_head(size, index, number, self._data)


class _Binary(_Head):
    """And its module, if it is Go's."""

    def __init__(self, kept: Kept, *key: int) -> None:
        super().__init__(kept, *key)
        self._go = GoReader()

    def update(self, data: Buffer, /) -> None:
        super().update(data)
        if not self._go.done:
            self._go.update(data)

    def close(self) -> None:
        super().close()
        self._go.close()
        if self._go.module is not None:
            _, index, number = self._key
            self._kept.go[index, number] = self._go.module
