"""The proof that a layer's parts still say the same.

In: the layer's raw tar as it streams by, and what each part consists of, which is held against what the part's stream gives when
it is read back (`weave`). Out: nothing, or ProofError. The tree that the parts make together must be the tree that the layer
makes, down to what they hide of the layers below, and every file's content the same. The trees share nothing with the splitter's
decisions.

Contents are told apart by XXH3 with 128 bits: files that differ by mistake have the same once in 2**128, and it takes a thirtieth
of SHA-256's time. It doesn't resist somebody who makes two files with the same on purpose; but here one side is what
layerkit itself made of the other.
"""

from collections.abc import Iterable, Sequence

import xxhash

from layerkit.errors import ProofError
from layerkit.image.blob import Buffer
from layerkit.tar.framing import Member
from layerkit.tar.header import END_OF_ARCHIVE
from layerkit.verify.compare import compare, same_markers
from layerkit.verify.layer_tree import Directory, LayerTree
from layerkit.verify.view import overlay

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

    def close(self, dropped: Iterable[bytes]) -> None:
        """All was seen. Raises ProofError when the parts aren't what they should be; `dropped` are the names of members at the
        layer's root that were left out on purpose."""
        after = Directory()
        for part in self._parts:
            part.feed(END_OF_ARCHIVE)
            after = overlay(after, part.close())
        before = self._source.root
        for path in dropped:
            before.children.pop(path, None)
        differences = compare(before, after)
        if not differences and same_markers(before, after):
            return
        shown: Sequence[str] = [str(difference) for difference in differences[:_SHOWN]] or ["what it hides of lower layers"]
        more = f" and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        raise ProofError(
            f"{self._where}: the {len(self._parts)} layers made of it don't give the same filesystem: {'; '.join(shown)}{more}. "
            "Nothing was published. This is a bug in layerkit: please report it; another --max-layer-size may avoid it"
        )
