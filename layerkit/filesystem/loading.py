"""Layers of both sides, decoded side by side.

In: layers of images. Out: their trees, each layer decoded once however often it occurs (and once more if entries of it are
wanted), its blob's digest and its diff_id compared on the way.
"""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple, Self

from layerkit.compression.decode import decoded_chunks
from layerkit.errors import DamagedError
from layerkit.filesystem.directory import Directory
from layerkit.filesystem.layer_tree import LayerTree
from layerkit.image.blob import Blob, Buffer, Content
from layerkit.image.digest import Digest, algorithm, hasher_for, short
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor
from layerkit.image.seekable import indexing_members
from layerkit.progress import Progress, Task


class Loaded(NamedTuple):
    tree: Directory
    diff_id: Digest


class Loader:
    """Threads that read layers. Use as a context manager: leaving it ends them, in mid-layer if need be."""

    def __init__(self, progress: Progress, jobs: int | None) -> None:
        """`jobs`: layers read at a time; None: one per core."""
        self._progress = progress
        self._pool = ThreadPoolExecutor(jobs or os.cpu_count() or 1, thread_name_prefix="verify")
        self._stop = threading.Event()
        self._loading: dict[tuple[Digest, Digest, frozenset[bytes], frozenset[int]], Future[Loaded]] = {}
        self._checking: list[tuple[Digest, Content, Future[None]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def load(
        self, image: Image, layer: Descriptor, number: int, diff_id: Digest, wanted: frozenset[int] = frozenset()
    ) -> Future[Loaded]:
        """The tree of a layer, without the members that index its bytes, and with the entries of the paths whose keys are
        `wanted`. Its result raises ImageError when the layer is missing or damaged, or isn't what `diff_id` says."""
        left_out = indexing_members(layer)
        key = layer.digest, diff_id, left_out, wanted
        if key not in self._loading:
            where = f"{image.name}: layer {number} ({short(layer.digest)})"
            self._loading[key] = self._pool.submit(self._load, image.blob(layer), where, diff_id, left_out, wanted)
        return self._loading[key]

    def check(self, image: Image, layer: Descriptor) -> Future[None]:
        """Reads a layer that needn't be decoded. Its result raises ImageError when it isn't what its digest says."""
        blob = image.blob(layer)
        for digest, content, future in self._checking:
            if digest == blob.digest and content == blob.content:
                return future
        future = self._pool.submit(self._check, blob, image.name)
        self._checking.append((blob.digest, blob.content, future))
        return future

    def _load(self, blob: Blob, where: str, diff_id: Digest, left_out: frozenset[bytes], wanted: frozenset[int]) -> Loaded:
        tree = LayerTree(where, wanted=wanted or None)
        hasher = hasher_for(diff_id)
        uncompressed = blob.digest == diff_id  # `verified` compares it
        with self._progress.task(f"layer {short(blob.digest)}", blob.size) as task:
            for piece in decoded_chunks(self._counted(blob.verified(where), task), where):
                if not uncompressed:
                    hasher.update(piece)
                tree.feed(piece)
        root = tree.close()
        root.remove(left_out)
        if uncompressed:
            return Loaded(root, diff_id)
        found = Digest(f"{algorithm(diff_id)}:{hasher.hexdigest()}")
        if found != diff_id:
            raise DamagedError.mismatch(
                f"{where}: diff_id",
                expected=f"{diff_id}, as the config says",
                found=found,
                why="engines refuse such an image; build it again",
            )
        return Loaded(root, found)

    def _check(self, blob: Blob, where: str) -> None:
        with self._progress.task(f"layer {short(blob.digest)}", blob.size) as task:
            for _ in self._counted(blob.verified(where), task):
                pass

    def _counted(self, chunks: Iterator[Buffer], task: Task) -> Iterator[Buffer]:
        for chunk in chunks:
            if self._stop.is_set():
                raise InterruptedError("verify was stopped")
            yield chunk
            task.advance(len(chunk))
