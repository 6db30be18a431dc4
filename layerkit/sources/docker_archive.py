"""Docker archives: `manifest.json`, a config, and layers under many names (`docker save`, kaniko, jib, bazel, nix...).

In: a folder with `manifest.json`. Out: an `Image`. The archive has no registry manifest, so one is made: Docker schema 2, each
layer's media type decided by its bytes. A digest is taken from where it is known (an uncompressed layer's is its diff_id, a
compressed one's is in its name) and verified when the layer is read; a compressed layer without one is hashed, once. A config
whose name says another digest is read with a warning, as docker and podman do.
"""

import hashlib
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from layerkit.compression.kind import compression_of
from layerkit.errors import DamagedError, ImageError, MissingBlobError, NotAnImageError
from layerkit.image.blob import Blob, FileRange, blob_of
from layerkit.image.digest import Digest, encoded, sha256
from layerkit.image.foreign import kind_of
from layerkit.image.image import Image
from layerkit.image.keys import ARCHIVE_ITEM, specified
from layerkit.image.layout import DOCKER_FILE, Name, same_name
from layerkit.image.manifest import Descriptor, load_json, new_manifest, parse_config
from layerkit.image.media_types import DOCKER_CONFIG, DOCKER_MANIFEST, Compression, Family, layer_type
from layerkit.progress import Progress
from layerkit.sources.folder import Folder, read_document
from layerkit.sources.naming import Held, ambiguous, at_position, unknown
from layerkit.sources.transports import Transport

_HEX = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@dataclass(frozen=True)
class Item:
    """One image of the archive."""

    config: str
    names: tuple[str, ...]
    layers: tuple[str, ...]


def open_docker_archive(folder: Folder, name: str | None, kind: str, progress: Progress) -> Image:
    """The image called `name`, or the only one. Raises ImageError for what is missing or damaged, UsageError when there are
    several."""
    item = _choose(read_items(folder), name, folder.name)
    config_raw = _file(folder, item.config, "config")
    where = f"{folder.name}: {item.config}"
    raw = read_document(config_raw, where)
    named = _HEX.search(posixpath.basename(item.config))
    warnings: tuple[str, ...] = ()
    if named and encoded(sha256(raw)) != named[0]:
        warnings = (
            f"{where}: the config isn't what its name says, but {sha256(raw)}: whatever wrote the archive altered it; it is read "
            "all the same, as docker and podman do",
        )
    config = parse_config(raw, where)
    if len(config.diff_ids) != len(item.layers):
        raise DamagedError.mismatch(
            f"{folder.name}: {DOCKER_FILE}",
            expected=f"{len(config.diff_ids)} layers, as many as {item.config} has diff_ids",
            found=f"{len(item.layers)}",
        )
    blobs: dict[Digest, Blob] = {}
    hashed: dict[str, Blob] = {}
    layers = [
        _layer(folder, path, diff_id, blobs, hashed, progress) for path, diff_id in zip(item.layers, config.diff_ids, strict=True)
    ]
    config_blob = blob_of(raw)
    manifest = new_manifest(DOCKER_MANIFEST, Descriptor.of(DOCKER_CONFIG, config_blob.digest, config_blob.size), layers)
    manifest_blob = blob_of(manifest.raw)
    blobs[config_blob.digest] = config_blob
    blobs[manifest_blob.digest] = manifest_blob
    asked = [own for own in item.names if name and same_name(name, own)]
    names = tuple(map(Name, dict.fromkeys(asked or item.names)))
    return Image(folder.name, manifest.descriptor(), blobs, names, kind, warnings)


def held_by_docker(folder: Folder) -> list[Held]:
    """Each name once; what has none by its position. Raises as `read_items`."""
    items = read_items(folder)
    is_alone = len({(item.config, item.layers) for item in items}) == 1
    if is_alone and len({name for item in items for name in item.names}) <= 1:
        return [Held(None, next((name for item in items for name in item.names), None), Transport.DOCKER_ARCHIVE)]
    found: dict[str, Held] = {}
    for number, item in enumerate(items):
        for name in item.names or (None,):
            by = name or f"@{number}"
            found.setdefault(by, Held(by, name, Transport.DOCKER_ARCHIVE))
    return list(found.values())


def read_items(folder: Folder) -> list[Item]:
    """The images that `manifest.json` lists. Raises NotAnImageError when it lists none, DamagedError when it is no list."""
    content = folder.find(DOCKER_FILE)
    where = f"{folder.name}: {DOCKER_FILE}"
    if content is None:
        raise NotAnImageError(f"{where}: expected the list of a docker archive's images, found no such file")
    listed = load_json(read_document(content, where), where)
    if not isinstance(listed, list):
        raise DamagedError.mismatch(where, expected="a list of images", found=kind_of(listed))
    if not listed:
        raise NotAnImageError(f"{where}: it lists no image")
    return [_item(value, f"{where}: image {number}") for number, value in enumerate(listed)]


def _item(value: object, where: str) -> Item:
    if not isinstance(value, dict):
        raise DamagedError.mismatch(where, expected="an object", found=kind_of(value))
    fields = specified(value, ARCHIVE_ITEM, where)
    config = fields.get("Config")
    if not isinstance(config, str) or not config:
        raise DamagedError.mismatch(f"{where}: Config", expected="the config's file name", found=kind_of(config))
    return Item(config, _strings(fields, "RepoTags", where), _strings(fields, "Layers", where))


def _strings(fields: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = fields.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise DamagedError.mismatch(f"{where}: {key}", expected="a list of names", found=kind_of(value))
    return tuple(value)


def _choose(items: Sequence[Item], name: str | None, where: str) -> Item:
    listed = [(number, item.names) for number, item in enumerate(items)]
    if name is None:
        if len({(item.config, item.layers) for item in items}) > 1:
            raise ambiguous(where, "docker-archive", listed)
        return replace(items[0], names=tuple(own for item in items for own in item.names))
    numbered = at_position(name, items, where)
    found = numbered or next((item for item in items if any(same_name(name, own) for own in item.names)), None)
    if found is None:
        raise unknown(where, name, listed)
    return found


def _file(folder: Folder, path: str, what: str) -> FileRange:
    """A file that `manifest.json` names, however it spells it."""
    if ".." in path.split("/"):
        raise DamagedError.mismatch(f"{folder.name}: {DOCKER_FILE}", expected="names inside the archive", found=repr(path))
    content = folder.find(posixpath.normpath("/" + path).lstrip("/"))
    if content is None:
        raise MissingBlobError(f"{folder.name}: the {what} {path}, which {DOCKER_FILE} lists, is not in the image; save it again")
    return content


def _layer(
    folder: Folder, path: str, diff_id: Digest, blobs: dict[Digest, Blob], hashed: dict[str, Blob], progress: Progress
) -> Descriptor:
    content = _file(folder, path, "layer")
    compression = compression_of(content)
    try:
        media_type = layer_type(Family.DOCKER, compression)
    except KeyError:
        raise ImageError(
            f"{folder.name}: layer {path} is compressed with {compression.value}, which no registry takes; "
            "expected a tar, uncompressed or compressed with gzip or zstd"
        ) from None
    named = _HEX.search(posixpath.basename(path))
    if compression is Compression.NONE:
        blob = Blob(diff_id, content)
    elif named and named[0] != encoded(diff_id):
        blob = Blob(Digest(f"sha256:{named[0]}"), content)
    else:
        blob = hashed.get(path) or _hashed(content, path, progress)
        hashed[path] = blob
    blobs.setdefault(blob.digest, blob)
    return Descriptor.of(media_type, blob.digest, blob.size)


def _hashed(content: FileRange, path: str, progress: Progress) -> Blob:
    hasher = hashlib.sha256()
    with progress.task(f"hashing {path}", content.size) as task:
        for chunk in content.chunks():
            hasher.update(chunk)
            task.advance(len(chunk))
    return Blob(Digest(f"sha256:{hasher.hexdigest()}"), content)
