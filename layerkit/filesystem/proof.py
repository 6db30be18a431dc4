"""The proof that a layer's parts still say the same.

In: the layer's raw tar as it streams by, and what each part consists of, which is held against what the part's stream gives when
it is read back (`weave`). Out: nothing, or ProofError. The tree that the parts make together must be the tree that the layer
makes, down to what they hide of the layers below, and every file's content the same. The trees share nothing with the splitter's
decisions. They are digests; if they differ, both sides are read once more, to say in what.

Contents are told apart by XXH3 with 128 bits: files that differ by mistake have the same once in 2**128, and it takes a thirtieth
of SHA-256's time. It doesn't resist somebody who makes two files with the same on purpose; but here one side is what
layerkit itself made of the other.
"""

from collections.abc import Collection, Iterable, Sequence

import xxhash

from layerkit.errors import DamagedError, ProofError
from layerkit.filesystem.compare import compare, differing, same_markers
from layerkit.filesystem.difference import Difference
from layerkit.filesystem.directory import Directory
from layerkit.filesystem.layer_tree import LayerTree
from layerkit.filesystem.view import overlay
from layerkit.image.blob import Buffer
from layerkit.tar.framing import Member
from layerkit.tar.header import END_OF_ARCHIVE

_SHOWN = 5
"""Differences named in an error."""


class Proof:
    """Of one layer. `where` names it."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._source = LayerTree(where, xxhash.xxh3_128)
        self._parts: list[LayerTree] = []

    def see(self, data: Buffer, members: Iterable[Member]) -> None:
        """The layer's next bytes, and the members whose headers end in them."""
        self._source.take(data, members)

    def consists(self, number: int, data: Buffer) -> None:
        """The next bytes of part `number`, from 0."""
        while number >= len(self._parts):
            self._parts.append(LayerTree(f"{self._where}: new layer {len(self._parts) + 1}", xxhash.xxh3_128))
        self._parts[number].feed(data)

    def close(self, dropped: Collection[bytes], source: Iterable[Buffer], parts: Sequence[Iterable[Buffer]]) -> None:
        """All was seen. Raises ProofError when the parts aren't what they should be. `dropped` are the names of members at the
        layer's root that were left out on purpose; the raw tars of layer and parts are only read to say what differs."""
        before, after = self._source.root, Directory()
        before.remove(dropped)
        for part in self._parts:
            part.feed(END_OF_ARCHIVE)
            after = overlay(after, part.close())
        self._parts = []
        keys = differing(before, after)
        differences: list[Difference] = []
        if keys:
            again = self._read_again([source], keys), self._read_again(parts, keys)
            again[0].remove(dropped)
            if differing(before, again[0]) or differing(after, again[1]):
                raise DamagedError(f"{self._where}: it is another when it is read once more: something else writes to it")
            differences = compare(*again)
        if differences or not same_markers(before, after):
            raise self._error(differences, len(parts))

    def _read_again(self, tars: Iterable[Iterable[Buffer]], keys: frozenset[int]) -> Directory:
        """With the entries of these paths."""
        view = Directory()
        for pieces in tars:
            tree = LayerTree(self._where, xxhash.xxh3_128, wanted=keys)
            for piece in pieces:
                tree.feed(piece)
            view = overlay(view, tree.close())
        return view

    def _error(self, differences: Sequence[Difference], parts: int) -> ProofError:
        shown: Sequence[str] = [str(difference) for difference in differences[:_SHOWN]] or ["what it hides of lower layers"]
        more = f" and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        return ProofError(
            f"{self._where}: the {parts} layers made of it don't give the same filesystem: {'; '.join(shown)}{more}. "
            "Nothing was published. The layer is odd in a way that layerkit can't split safely: please report it; another "
            "--max-layer-size may avoid it"
        )
