"""Descriptors, manifests, indexes and configs: read from JSON, frozen, with the bytes they came from.

In: the bytes of a JSON document and a name for messages. Out: the values, or DamagedError that says which field is wrong.
Only what layerkit looks at is modelled; every other field stays in `fields` and is passed on (image-spec: descriptor.md,
manifest.md, image-index.md, config.md).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from layerkit.errors import DamagedError
from layerkit.image import keys
from layerkit.image.digest import Digest, parse_digest, sha256
from layerkit.image.foreign import MAX_LENGTH, ForeignError, kind_of, read_json
from layerkit.image.keys import specified
from layerkit.image.media_types import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

MAX_LAYERS = 10_000
"""Layers of a manifest, diff_ids and lines of history of a config. Engines take 125 layers; artifacts have hundreds of blobs."""


@dataclass(frozen=True)
class Platform:
    """`os/architecture[/variant]`, as `--platform` takes it (image-spec image-index.md, "platform")."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @classmethod
    def from_json(cls, value: object) -> "Platform | None":
        if not isinstance(value, dict):
            return None
        value = specified(value, keys.PLATFORM, "platform")
        os, architecture, variant = (value.get(key, "") for key in ("os", "architecture", "variant"))
        if not (isinstance(os, str) and isinstance(architecture, str) and isinstance(variant, str)):
            return None
        return cls(os, architecture, variant)

    def matches(self, wanted: str) -> bool:
        """Does `wanted` (os/arch, or os/arch/variant) name this platform? Without a variant, every variant is meant."""
        return str(self) == wanted or f"{self.os}/{self.architecture}" == wanted


@dataclass(frozen=True)
class Descriptor:
    """A reference to a blob: what it is, its digest, its size in bytes (image-spec descriptor.md)."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str]
    fields: Mapping[str, Any]
    """The whole JSON object."""

    @classmethod
    def of(cls, media_type: str, digest: Digest, size: int, **more: Any) -> "Descriptor":
        """A new descriptor; `more` are further JSON fields."""
        fields = {"mediaType": media_type, "digest": digest, "size": size, **more}
        return cls(media_type, digest, size, more.get("annotations", {}), fields)

    @classmethod
    def from_json(cls, value: object, where: str) -> "Descriptor":
        if not isinstance(value, dict):
            raise DamagedError.mismatch(where, expected="a descriptor (JSON object)", found=kind_of(value))
        value = specified(value, keys.DESCRIPTOR, where)
        size = value.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_LENGTH:
            raise DamagedError.mismatch(f"{where}: size", expected="a number of bytes", found=repr(size))
        media_type = value.get("mediaType", "")
        if not isinstance(media_type, str):
            raise DamagedError.mismatch(f"{where}: mediaType", expected="a string", found=repr(media_type))
        annotations = string_map(value.get("annotations"), f"{where}: annotations")
        return cls(media_type, parse_digest(value.get("digest"), f"{where}: digest"), size, annotations, value)

    @property
    def platform(self) -> Platform | None:
        return Platform.from_json(self.fields.get("platform"))

    @property
    def artifact_type(self) -> str:
        value = self.fields.get("artifactType", "")
        return value if isinstance(value, str) else ""

    def changed(self, **fields: Any) -> "Descriptor":
        """The descriptor with some JSON fields replaced; a value of None takes the field out."""
        merged = {key: value for key, value in {**self.fields, **fields}.items() if value is not None}
        return Descriptor.from_json(merged, "a rewritten descriptor")


@dataclass(frozen=True)
class Manifest:
    """An image manifest: one config, the layers from the bottom up (image-spec manifest.md; Docker schema 2)."""

    raw: bytes
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    fields: Mapping[str, Any]

    @property
    def digest(self) -> Digest:
        return sha256(self.raw)

    @property
    def artifact_type(self) -> str:
        value = self.fields.get("artifactType", "")
        return value if isinstance(value, str) else ""

    def descriptor(self, **more: Any) -> Descriptor:
        return Descriptor.of(self.media_type, self.digest, len(self.raw), **more)


@dataclass(frozen=True)
class Index:
    """A list of manifests, one per platform, or of further indexes (image-spec image-index.md; Docker manifest list)."""

    raw: bytes
    media_type: str
    entries: tuple[Descriptor, ...]
    fields: Mapping[str, Any]

    @property
    def digest(self) -> Digest:
        return sha256(self.raw)

    @property
    def artifact_type(self) -> str:
        value = self.fields.get("artifactType", "")
        return value if isinstance(value, str) else ""

    def descriptor(self, **more: Any) -> Descriptor:
        return Descriptor.of(self.media_type, self.digest, len(self.raw), **more)

    def with_entries(self, entries: Sequence[Descriptor]) -> "Index":
        fields = {**self.fields, "manifests": [dict(entry.fields) for entry in entries]}
        return replace(self, raw=to_json(fields), entries=tuple(entries), fields=fields)


@dataclass(frozen=True)
class History:
    """One line of a config's history (image-spec config.md)."""

    created_by: str
    empty_layer: bool
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Config:
    """What a container runs with, and which uncompressed layers it stands on (image-spec config.md)."""

    raw: bytes
    platform: Platform
    diff_ids: tuple[Digest, ...]
    history: tuple[History, ...]
    fields: Mapping[str, Any]

    @property
    def digest(self) -> Digest:
        return sha256(self.raw)

    def with_layers(self, diff_ids: Sequence[Digest], history: Sequence[Mapping[str, Any]] | None) -> "Config":
        """The config over other layers; every other field, its order included, stays. `history` None: none is written."""
        fields = dict(self.fields)
        rootfs = dict(fields.get("rootfs") or {"type": "layers"})
        rootfs["diff_ids"] = list(diff_ids)
        fields["rootfs"] = rootfs
        if history is not None:
            fields["history"] = [dict(line) for line in history]
        return parse_config(to_json(fields), "the rewritten config")


def to_json(value: object) -> bytes:
    """Compact JSON in the order given: the same value gives the same bytes. Half a surrogate pair is written as an escape: it has
    no form in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def load_json(raw: bytes, where: str) -> Any:
    """Any JSON value. Raises DamagedError, naming `where`, with the place of the fault."""
    try:
        return read_json(raw, unique=True)
    except ForeignError as error:
        raise DamagedError.mismatch(where, expected="JSON", found=str(error)) from None


def load_object(raw: bytes, where: str) -> dict[str, Any]:
    """A JSON object."""
    value = load_json(raw, where)
    if not isinstance(value, dict):
        raise DamagedError.mismatch(where, expected="a JSON object", found=kind_of(value))
    return value


def string_map(value: object, where: str) -> Mapping[str, str]:
    """Annotations and labels; null counts as none."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise DamagedError.mismatch(where, expected="an object of strings", found=kind_of(value))
    return value


def _list(value: object, where: str, most: int | None = None) -> list[Any]:
    """A JSON list of at most `most` items; null counts as empty (Go writes empty slices so)."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise DamagedError.mismatch(where, expected="a list", found=kind_of(value))
    if most is not None and len(value) > most:
        raise DamagedError.mismatch(where, expected=f"at most {most:,}", found=f"{len(value):,}")
    return value


def parse_document(raw: bytes, where: str, media_type: str = "") -> Manifest | Index:
    """A manifest or an index, told apart by its media type, or without one by its fields (image-spec manifest.md allows
    `mediaType` to be absent). Raises DamagedError for anything else."""
    fields = specified(load_object(raw, where), keys.MANIFEST, where)
    declared = fields.get("mediaType") or media_type
    if not isinstance(declared, str):
        raise DamagedError.mismatch(f"{where}: mediaType", expected="a string", found=kind_of(declared))
    if declared in (OCI_INDEX, DOCKER_INDEX) or (declared not in (OCI_MANIFEST, DOCKER_MANIFEST) and "manifests" in fields):
        return _parse_index(raw, fields, where, declared or OCI_INDEX)
    if declared in (OCI_MANIFEST, DOCKER_MANIFEST) or ("config" in fields and "layers" in fields):
        return _parse_manifest(raw, fields, where, declared or OCI_MANIFEST)
    raise DamagedError.mismatch(
        where,
        expected="an image manifest or index",
        found=f"media type {declared!r}" if declared else f"fields {', '.join(sorted(fields)) or 'none'}",
        why="Docker schema 1 manifests are not supported" if fields.get("schemaVersion") == 1 else "",
    )


def _parse_manifest(raw: bytes, fields: dict[str, Any], where: str, media_type: str) -> Manifest:
    config = Descriptor.from_json(fields.get("config"), f"{where}: config")
    layers = tuple(
        Descriptor.from_json(layer, f"{where}: layers[{number}]")
        for number, layer in enumerate(_list(fields.get("layers"), f"{where}: layers", MAX_LAYERS))
    )
    return Manifest(raw, media_type, config, layers, fields)


def _parse_index(raw: bytes, fields: dict[str, Any], where: str, media_type: str) -> Index:
    entries = tuple(
        Descriptor.from_json(entry, f"{where}: manifests[{number}]")
        for number, entry in enumerate(_list(fields.get("manifests"), f"{where}: manifests"))
    )
    return Index(raw, media_type, entries, fields)


def parse_config(raw: bytes, where: str) -> Config:
    """An image config, its fields under the keys that config.md has. Raises DamagedError when it isn't one or its diff_ids or
    history are malformed."""
    fields = specified(load_object(raw, where), keys.CONFIG, where)
    rootfs = fields.get("rootfs")
    if rootfs is not None and not isinstance(rootfs, dict):
        raise DamagedError.mismatch(f"{where}: rootfs", expected="an object", found=kind_of(rootfs))
    rootfs = specified(rootfs or {}, keys.ROOTFS, f"{where}: rootfs")
    diff_ids = tuple(
        parse_digest(value, f"{where}: rootfs.diff_ids[{number}]")
        for number, value in enumerate(_list(rootfs.get("diff_ids"), f"{where}: rootfs.diff_ids", MAX_LAYERS))
    )
    lines = []
    for number, line in enumerate(_list(fields.get("history"), f"{where}: history", MAX_LAYERS)):
        if not isinstance(line, dict):
            raise DamagedError.mismatch(f"{where}: history[{number}]", expected="an object", found=kind_of(line))
        lines.append(specified(line, keys.HISTORY, f"{where}: history[{number}]"))
    history = tuple(History(str(line.get("created_by") or ""), bool(line.get("empty_layer")), line) for line in lines)
    if fields.get("rootfs"):
        fields = {**fields, "rootfs": rootfs}
    if fields.get("history"):
        fields = {**fields, "history": lines}
    if isinstance(run := fields.get("config"), dict):
        fields = {**fields, "config": specified(run, keys.RUN, f"{where}: config")}
    platform = Platform.from_json(fields) or Platform("", "")
    return Config(raw, platform, diff_ids, history, fields)


def new_manifest(media_type: str, config: Descriptor, layers: Sequence[Descriptor], **more: Any) -> Manifest:
    """A manifest written by layerkit; `more` are further JSON fields (annotations, subject)."""
    fields = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": dict(config.fields),
        "layers": [dict(layer.fields) for layer in layers],
        **more,
    }
    return Manifest(to_json(fields), media_type, config, tuple(layers), fields)
