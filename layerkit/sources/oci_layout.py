"""OCI image layouts (image-spec image-layout.md), in a directory or in a tar.

In: a folder with `index.json` and `blobs/`. Out: an `Image` whose blobs are byte ranges, none of them read yet. What its root is
follows from `index.json`: its only image (an index in it stays one), the one that is named, or `index.json` itself when it lists
manifests of different platforms under one name or none. What is about an image (signatures, SBOMs) is none: it is kept beside.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layerkit.errors import DamagedError, MissingBlobError, NotAnImageError
from layerkit.image.blob import Blob, blob_of
from layerkit.image.digest import Digest, is_digest
from layerkit.image.image import Image
from layerkit.image.layout import BLOBS_FOLDER, COSIGN_NAME, INDEX_FILE, Name, blob_path, full_name, name_of
from layerkit.image.manifest import Descriptor, Index, Manifest, parse_document
from layerkit.image.media_types import OCI_INDEX
from layerkit.image.referrers import Referrer, referrer
from layerkit.sources.folder import Folder, read_document
from layerkit.sources.naming import Held, ambiguous, at_position, unknown
from layerkit.sources.transports import Transport


class LayoutBlobs(Mapping[Digest, Blob]):
    """The blobs of a layout by digest, looked up when they are asked for; `more` are blobs that are no files of it."""

    def __init__(self, folder: Folder, more: Mapping[Digest, Blob]) -> None:
        self._folder = folder
        self._known = dict(more)

    def __getitem__(self, digest: Digest) -> Blob:
        blob = self._known.get(digest)
        if blob is None:
            content = self._folder.find(blob_path(digest))
            if content is None:
                raise KeyError(digest)
            blob = self._known.setdefault(digest, Blob(digest, content))
        return blob

    def __iter__(self) -> Iterator[Digest]:
        found = set(self._known)
        for kind in self._folder.children(BLOBS_FOLDER):
            names = self._folder.children(f"{BLOBS_FOLDER}/{kind}")
            found.update(Digest(f"{kind}:{name}") for name in names if is_digest(f"{kind}:{name}"))
        return iter(sorted(found))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def open_layout(listed: "Listed", name: str | None, kind: str) -> Image:
    """The image called `name`, or the only one. Raises UsageError when there are several, ImageError for what can't be read."""
    folder = listed.folder
    image = _chosen(listed, name, folder, "oci-archive" if kind == "OCI archive" else "oci", kind)
    image.document(image.root)  # what can't be read at all is refused here, not in the middle of the work
    return image


def held_by_layout(listed: "Listed") -> list[Held]:
    """Each name once, whatever its manifests' platforms; what has none by its position."""
    chosen = listed.images
    if len({listed.names[entry.digest] for entry in chosen}) == 1 and (len(chosen) == 1 or _are_platforms(chosen, listed.layout)):
        names: Sequence[Name | None] = listed.names[chosen[0].digest] or [None]
        # Its names are the same image's: each is asked for by itself.
        return [Held(name.text if name and len(names) > 1 else None, _own(name), Transport.OCI_LAYOUT) for name in names]
    found: dict[str, Held] = {}
    for number, entry in enumerate(listed.entries):
        if entry not in chosen:
            continue
        for name in listed.names[entry.digest] or [None]:
            by = name.text if name is not None else f"@{number}"
            found.setdefault(by, Held(by, _own(name), Transport.OCI_LAYOUT))
    return list(found.values())


def _own(name: Name | None) -> str | None:
    return None if name is None or name.is_tag else name.text


def read_layout(folder: Folder) -> "Listed":
    """Raises NotAnImageError when there is no image, DamagedError for an `index.json` that is none."""
    content = folder.find(INDEX_FILE)
    where = f"{folder.name}: {INDEX_FILE}"
    if content is None:
        raise NotAnImageError(f"{where}: expected the index of an OCI layout, found no such file")
    document = parse_document(read_document(content, where), where, OCI_INDEX)
    if not isinstance(document, Index):
        raise DamagedError.mismatch(where, expected="an index", found=f"a manifest ({document.media_type})")
    if not document.entries:
        raise NotAnImageError(f"{where}: it lists no image")
    return Listed.of(folder, document, Image(folder.name, document.entries[0], LayoutBlobs(folder, {})))


@dataclass(frozen=True)
class Listed:
    """What an `index.json` lists: each digest once, with all its names."""

    folder: Folder
    index: Index
    layout: Image
    """Whose root doesn't count."""
    entries: Sequence[Descriptor]
    names: Mapping[Digest, tuple[Name, ...]]
    about: Mapping[Digest, Referrer]

    @classmethod
    def of(cls, folder: Folder, index: Index, layout: Image) -> "Listed":
        names: dict[Digest, dict[Name, None]] = {}
        first: dict[Digest, Descriptor] = {}
        about: dict[Digest, Referrer] = {}
        for entry in index.entries:
            first.setdefault(entry.digest, entry)
            found = names.setdefault(entry.digest, {})
            if (name := name_of(entry.annotations)) is not None:
                found[name] = None
        if len(first) > 1:  # what is alone is the image, whatever it is
            for entry in index.entries:
                if entry.digest not in about and (found_about := referrer(entry, _document(layout, entry))) is not None:
                    about[entry.digest] = found_about
        return cls(folder, index, layout, tuple(first.values()), {digest: tuple(found) for digest, found in names.items()}, about)

    @property
    def images(self) -> list[Descriptor]:
        """All but what is about others; everything when nothing else is there."""
        return [entry for entry in self.entries if entry.digest not in self.about] or list(self.entries)

    def told(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Position and names of each image, for messages."""
        images = {entry.digest for entry in self.images}
        for number, entry in enumerate(self.entries):
            if entry.digest in images:
                yield number, list(dict.fromkeys(text for name in self.names[entry.digest] for text in name.spellings))


def _chosen(listed: Listed, name: str | None, folder: Folder, transport: str, kind: str) -> Image:
    if name is not None and (numbered := at_position(name, listed.entries, folder.name)) is not None:
        return _image([numbered], listed, listed.names[numbered.digest], folder, kind)
    if name is None:
        chosen = listed.images
        sets = {listed.names[entry.digest] for entry in chosen}
        if len(chosen) > 1 and (len(sets) > 1 or not _are_platforms(chosen, listed.layout)):
            raise ambiguous(folder.name, transport, listed.told())
        return _image(chosen, listed, listed.names[chosen[0].digest], folder, kind)
    spellings = {name, full_name(name)}
    called = {
        digest: [own for own in names if any({text, full_name(text)} & spellings for text in own.spellings)]
        for digest, names in listed.names.items()
    }
    chosen = [entry for entry in listed.images if called[entry.digest]]
    chosen = chosen or [entry for entry in listed.entries if called[entry.digest]]  # a signature, asked for by its tag
    if not chosen:
        raise unknown(folder.name, name, listed.told())
    if len(chosen) > 1 and not _are_platforms(chosen, listed.layout):
        raise ambiguous(folder.name, transport, listed.told())
    return _image(chosen, listed, called[chosen[0].digest], folder, kind)


def _image(chosen: Sequence[Descriptor], listed: Listed, names: Sequence[Name], folder: Folder, kind: str) -> Image:
    """The image of one entry, or of one entry per platform; what is about it beside it."""
    root, more = chosen[0], {}
    if len(chosen) > 1:
        rest = [entry for entry in listed.index.entries if entry.digest in {one.digest for one in chosen}]
        whole = listed.index if len(rest) == len(listed.index.entries) else listed.index.with_entries(rest)
        blob = blob_of(whole.raw)
        annotations = dict(chosen[0].annotations) if names else {}
        root = Descriptor.of(OCI_INDEX, blob.digest, blob.size, **({"annotations": annotations} if annotations else {}))
        more = {blob.digest: blob}
    about = [found for digest, found in listed.about.items() if digest not in {entry.digest for entry in chosen}]
    if len(listed.images) > len(chosen):
        own = {descriptor.digest for descriptor, _ in Image(folder.name, root, LayoutBlobs(folder, more)).walk()}
        saved = {entry.annotations.get(COSIGN_NAME) for entry in chosen} - {None}
        about = [one for one in about if one.subject in own or one.descriptor.annotations.get(COSIGN_NAME) in saved]
    return Image(
        folder.name,
        root,
        LayoutBlobs(folder, more),
        tuple(names),
        kind,
        beside=tuple(one.descriptor for one in about),
    )


def _are_platforms(entries: Sequence[Descriptor], layout: Image) -> bool:
    """Are they manifests of different platforms, so that together they are one image?"""
    seen = set()
    for entry in entries:
        document = _document(layout, entry)
        if isinstance(document, Index):
            return False
        platform = _platform(entry.fields.get("platform"))
        if platform is None and isinstance(document, Manifest) and layout.has(document.config):
            platform = _platform(layout.config(document).fields)
        if platform is None or platform in seen:
            return False
        seen.add(platform)
    return True


def _platform(fields: Any) -> tuple[str, ...] | None:
    """All by which images for one machine are told apart: Windows has an image per version (image-index.md, "platform")."""
    if not isinstance(fields, dict) or not fields.get("os") or not fields.get("architecture"):
        return None
    keys = ("os", "architecture", "variant", "os.version", "os.features")
    return tuple(str(fields.get(key) or "") for key in keys)


def _document(layout: Image, entry: Descriptor) -> Manifest | Index | None:
    """None for one that isn't there or is something else."""
    try:
        return layout.document(entry) if layout.has(entry) else None
    except (DamagedError, MissingBlobError):
        return None
