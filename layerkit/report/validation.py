"""Recomputes everything that an image claims about itself, and reports every mismatch, not the first.

In: an `Image`. Out: one line for each claim that doesn't hold; none for a sound image. All blobs are read, and every layer is
decoded to its end, whatever it is compressed with, and its tar is read as an applier would.
"""

from collections.abc import Iterator

from xxhash import xxh3_128

from layerkit.compression.decode import decoded
from layerkit.compression.kind import compression_of
from layerkit.errors import ImageError, LayerkitError
from layerkit.filesystem.layer_tree import LayerTree
from layerkit.image.blob import Blob
from layerkit.image.digest import Digest, algorithm, hasher_for
from layerkit.image.image import Image, PlatformImage
from layerkit.image.manifest import Descriptor, Manifest
from layerkit.image.media_types import declared_compression, is_foreign_layer, is_ordinary_layer


def validate(image: Image) -> list[str]:
    """What doesn't hold: digests and sizes of all that is present, media types against bytes, diff_ids, tars, and the counts of
    layers, diff_ids and history. A sparse index's absent platforms are no mismatch."""
    return list(_mismatches(image))


def _mismatches(image: Image) -> Iterator[str]:
    try:
        documents = [(descriptor, document) for descriptor, document in image.walk(beside=True) if isinstance(document, Manifest)]
    except ImageError as error:
        yield str(error)
        return
    checked: dict[Digest, str | None] = {}
    for descriptor, manifest in documents:
        for part in (manifest.config, *manifest.layers):
            if part.digest not in checked:
                checked[part.digest] = _blob_mismatch(image, part)
            problem = checked[part.digest]
            if problem:
                yield f"{descriptor.digest}: {problem}"
    try:
        platforms = image.platforms()
    except ImageError as error:
        yield str(error)
        return
    for platform in platforms:
        yield from _platform_mismatches(image, platform)


def _blob_mismatch(image: Image, descriptor: Descriptor) -> str | None:
    if is_foreign_layer(descriptor.media_type) and not image.has(descriptor):
        return None
    try:
        for _ in image.blob(descriptor).verified(image.name):
            pass
    except ImageError as error:
        return str(error)
    return None


def _platform_mismatches(image: Image, platform: PlatformImage) -> Iterator[str]:
    layers, diff_ids = platform.manifest.layers, platform.config.diff_ids
    where = f"{image.name}: {platform.descriptor.digest}"
    if len(layers) != len(diff_ids):
        yield f"{where}: expected {len(layers)} diff_ids, one for each layer, found {len(diff_ids)}"
        return
    filled = sum(1 for line in platform.config.history if not line.empty_layer)
    if platform.config.history and filled != len(layers):
        yield f"{where}: expected history for {len(layers)} layers, found it for {filled}"
    for number, (layer, diff_id) in enumerate(zip(layers, diff_ids, strict=True)):
        if not image.has(layer) or not is_ordinary_layer(layer.media_type):
            continue
        label = f"{where}: layer {number} ({layer.digest})"
        blob = image.blobs[layer.digest]
        compression = compression_of(blob.content)
        if declared_compression(layer.media_type) is not compression:
            yield f"{label}: expected the compression its media type {layer.media_type} says, found {compression.value}"
        found, problem = _read(blob, diff_id, label)
        if found != diff_id:
            yield f"{label}: expected diff_id {diff_id}, found {found}"
        if problem:
            yield problem


def _read(blob: Blob, expected: Digest, where: str) -> tuple[str, str]:
    """The diff_id, recomputed with the algorithm of `expected`, or words for a stream that can't be decoded to its end; and what
    an applier would stumble over in the tar, if anything."""
    hasher = hasher_for(expected)
    tree: LayerTree | None = LayerTree(where, xxh3_128)
    problem = ""
    try:
        for data in decoded(blob.content, where):
            hasher.update(data)
            if tree is not None:
                try:
                    tree.feed(data)
                except ImageError as error:
                    tree, problem = None, str(error)
    except LayerkitError as error:
        return f"a layer that can't be decoded ({error})", problem
    try:
        if tree is not None:
            tree.close()
    except ImageError as error:
        problem = str(error)
    return f"{algorithm(expected)}:{hasher.hexdigest()}", problem
