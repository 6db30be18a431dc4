"""The proof that a rewritten layer still says the same.

In: the source's raw tar as it streams by while it is split, and the raw tar of each new layer as it is read back from its
compressed bytes, those that will be published. Out: nothing, or ProofError. The tree that the new layers make together must be
the tree the source makes, down to what they hide of the layers below, and every file's content the same. The trees are
`filesystem/`'s, which shares nothing with the splitter's decisions. They are digests; should they differ, both sides are read
once more, to say in what. A new layer's diff_id is the SHA-256 of what was read back.

Contents are told apart by XXH3 with 128 bits: files that differ by mistake have the same once in 2**128, and it takes a thirtieth
of SHA-256's time. It doesn't resist somebody who makes two files with the same on purpose; but here one side is what
layerkit itself made of the other.
"""

from collections.abc import Callable, Sequence

import xxhash

from layerkit.errors import DamagedError, ProofError
from layerkit.filesystem.compare import compare, differing, same_markers
from layerkit.filesystem.difference import Difference
from layerkit.filesystem.directory import Directory
from layerkit.filesystem.layer_tree import LayerTree
from layerkit.filesystem.view import overlay
from layerkit.image.blob import Blob, Buffer
from layerkit.layers.decode import decoded_chunks
from layerkit.rewrite.layers import LayerChange

_SHOWN = 5
"""Differences named in an error."""


class Prover:
    """Proves the changes of one image, one after the other."""

    def __init__(self) -> None:
        self._sources: dict[str, LayerTree] = {}

    def watch(self, where: str) -> Callable[[Buffer], None]:
        """What is to see the raw tar of the layer called `where`."""
        tree = self._sources[where] = LayerTree(where, xxhash.xxh3_128)
        return tree.feed

    def witness(self, where: str, number: int) -> LayerTree:
        """What is to see new layer `number` of that layer as it is read back."""
        return LayerTree(f"{where}: new layer {number}", xxhash.xxh3_128)

    def prove(self, change: LayerChange) -> None:
        """All was seen. Raises ProofError when the new layers aren't what they should be."""
        after = Directory()
        for part in change.parts:
            assert isinstance(part.witness, LayerTree), "every part has been read back"
            after = overlay(after, part.witness.close())
        before = self._sources.pop(change.where).close()
        before.remove(change.dropped)
        _check_same(before, after, change)


def _check_same(before: Directory, after: Directory, change: LayerChange) -> None:
    keys = differing(before, after)
    differences = _explained(before, after, change, keys) if keys else []
    if not differences and same_markers(before, after):
        return
    shown: Sequence[str] = [str(difference) for difference in differences[:_SHOWN]] or ["what it hides of lower layers"]
    more = f" and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
    raise ProofError(
        f"{change.where}: the {len(change.parts)} layers made of it don't give the same filesystem: {'; '.join(shown)}{more}. "
        "Nothing was published. This is a bug in layerkit: please report it; another --max-layer-size may avoid it"
    )


def _explained(before: Directory, after: Directory, change: LayerChange, keys: frozenset[int]) -> list[Difference]:
    """The differences at those paths, with all that is read once more. None: what was done in another order comes to the same."""
    source = _read_again(change.source, change.where, keys)
    source.remove(change.dropped)
    parts = Directory()
    for number, part in enumerate(change.parts, 1):
        parts = overlay(parts, _read_again(part.blob, f"{change.where}: new layer {number}", keys))
    if differing(before, source) or differing(after, parts):
        raise DamagedError(f"{change.where}: it isn't the same when it is read once more. Does something else write to it?")
    return compare(source, parts)


def _read_again(blob: Blob, where: str, keys: frozenset[int]) -> Directory:
    tree = LayerTree(where, xxhash.xxh3_128, wanted=keys)
    for data in decoded_chunks(blob.content.chunks(), where):
        tree.feed(data)
    return tree.close()
