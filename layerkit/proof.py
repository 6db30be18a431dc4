"""The proof that a rewritten layer still says the same.

In: the source's raw tar as it streams by while it is split, and the new layers' blobs as they are made. Out: nothing, or
ProofError. Each new layer is read back from its compressed bytes, those that will be published: its SHA-256 must be the
diff_id that the config will hold, and the tree that the new layers make together must be the tree the source makes, down to
what they hide of the layers below. The trees are `verify`'s, which shares nothing with the splitter's decisions.

Contents are told apart by CRC-32 in these trees: that a new layer's bytes are the source's is what its SHA-256 says already; the
tree only has to notice when they ended up under another name.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from isal import isal_zlib

from layerkit.errors import ProofError
from layerkit.image.blob import Buffer
from layerkit.image.digest import short
from layerkit.layers.decode import decoded
from layerkit.layers.handover import ahead
from layerkit.layers.part import Part
from layerkit.priority import give_way
from layerkit.progress import SILENT, Progress
from layerkit.rewrite.layers import LayerChange
from layerkit.verify.compare import compare, same_markers
from layerkit.verify.layer_tree import Directory, LayerTree
from layerkit.verify.view import overlay

_AHEAD = 32
"""Pieces that may be decoded ahead of hashing them: the last part's proof is what remains when everything else is done."""

_SHOWN = 5
"""Differences named in an error."""


class Crc32:
    """CRC-32 in the shape of hashlib's objects."""

    def __init__(self, data: bytes = b"") -> None:
        self._value = isal_zlib.crc32(data)

    def update(self, data: Buffer, /) -> None:
        self._value = isal_zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _EndedError(Exception):
    """Nobody waits for this part any more."""


class Prover:
    """Proves the changes of one image, in the background. Use as a context manager; `check` waits for all proofs."""

    def __init__(self, *, jobs: int | None = None, progress: Progress = SILENT) -> None:
        self._pool = ThreadPoolExecutor(jobs or os.cpu_count() or 1, thread_name_prefix="proof", initializer=give_way)
        self._progress = progress
        self._ended = threading.Event()
        self._sources: dict[str, LayerTree] = {}
        self._begun: dict[str, list[tuple[Part, Future[Directory]]]] = {}
        self._proofs: list[tuple[LayerChange, LayerTree, list[Future[Directory]]]] = []

    def watch(self, where: str) -> Callable[[Buffer], None]:
        """What is to see the raw tar of the layer called `where`."""
        tree = self._sources[where] = LayerTree(where, Crc32)
        return tree.feed

    def begin(self, part: Part, where: str) -> None:
        """Begins with a part that the layer called `where` will probably have. From any thread."""
        self._begun.setdefault(where, []).append((part, self._pool.submit(self._read_back, part, where)))

    def prove(self, change: LayerChange) -> None:
        """These are a layer's parts, whose source was watched; what else was begun for it doesn't count."""
        begun = self._begun.pop(change.where, [])
        futures = []
        for part in change.parts:
            found = next((future for other, future in begun if other is part), None)
            futures.append(found or self._pool.submit(self._read_back, part, change.where))
        for _, future in begun:
            if future not in futures:
                future.cancel()
        self._proofs.append((change, self._sources.pop(change.where), futures))

    def check(self) -> None:
        """Raises ProofError for the first change that isn't what it should be."""
        for change, source, parts in self._proofs:
            view = Directory()
            for part in parts:
                view = overlay(view, part.result())
            before = source.close()
            for path in change.dropped:
                before.children.pop(path, None)
            _check_same(before, view, change)
        self._proofs.clear()

    def __enter__(self) -> "Prover":
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _read_back(self, part: Part, layer: str) -> Directory:
        where = f"{layer}: new layer {short(part.blob.digest)}"
        tree = LayerTree(where, Crc32)
        hasher = hashlib.sha256()
        with self._progress.task(f"prove {short(part.blob.digest)}", part.recipe.length) as task:
            for data in ahead(decoded(part.blob.content, where), _AHEAD, begin=give_way):
                hasher.update(data)
                tree.feed(data)
                task.advance(len(data))
                if self._ended.is_set():
                    raise _EndedError
        found = f"sha256:{hasher.hexdigest()}"
        if found != part.diff_id:
            raise ProofError(
                f"{where}: expected content of diff_id {part.diff_id}, found {found}. Nothing was published. This is a bug in "
                "layerkit, or faulty memory: please try again, and report it if it happens twice"
            )
        return tree.close()


def _check_same(before: Directory, after: Directory, change: LayerChange) -> None:
    differences = compare(before, after)
    if not differences and same_markers(before, after):
        return
    shown: Sequence[str] = [str(difference) for difference in differences[:_SHOWN]] or ["what it hides of lower layers"]
    more = f" and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
    raise ProofError(
        f"{change.where}: the {len(change.parts)} layers made of it don't give the same filesystem: {'; '.join(shown)}{more}. "
        "Nothing was published. This is a bug in layerkit: please report it; another --max-layer-size may avoid it"
    )
