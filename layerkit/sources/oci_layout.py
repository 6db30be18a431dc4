"""OCI image layouts (image-spec image-layout.md), in a directory or in a tar.

In: a folder with `index.json` and `blobs/`. Out: an `Image` whose blobs are byte ranges, none of them read yet. What its root is
follows from `index.json`: its single entry (an index in it stays one), the entry that is named, or, when several entries share
one name or none (one per platform), `index.json` itself.
"""

from collections.abc import Iterator, Mapping

from layerkit.errors import DamagedError, NotAnImageError
from layerkit.image.blob import Blob, blob_of
from layerkit.image.digest import Digest, algorithm, encoded, is_digest
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor, Index, parse_document
from layerkit.image.media_types import OCI_INDEX
from layerkit.sources.folder import Folder, read_document
from layerkit.sources.naming import ambiguous, at_position, same_name, unknown

INDEX_FILE = "index.json"
REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
"""The whole name, where containerd and BuildKit put only the tag in `REF_NAME`."""


class LayoutBlobs(Mapping[Digest, Blob]):
    """The blobs of a layout by digest, looked up when they are asked for; `more` are blobs that are no files of it."""

    def __init__(self, folder: Folder, more: Mapping[Digest, Blob]) -> None:
        self._folder = folder
        self._known = dict(more)

    def __getitem__(self, digest: Digest) -> Blob:
        blob = self._known.get(digest)
        if blob is None:
            content = self._folder.find(f"blobs/{algorithm(digest)}/{encoded(digest)}")
            if content is None:
                raise KeyError(digest)
            blob = self._known.setdefault(digest, Blob(digest, content))
        return blob

    def __iter__(self) -> Iterator[Digest]:
        found = set(self._known)
        for kind in self._folder.children("blobs"):
            found.update(
                Digest(f"{kind}:{name}") for name in self._folder.children(f"blobs/{kind}") if is_digest(f"{kind}:{name}")
            )
        return iter(sorted(found))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def open_layout(folder: Folder, name: str | None, kind: str) -> Image:
    """The image called `name`, or the only one. Raises NotAnImageError when there is none, UsageError when there are several,
    DamagedError for an `index.json` that is none."""
    content = folder.find(INDEX_FILE)
    where = f"{folder.name}: {INDEX_FILE}"
    if content is None:
        raise NotAnImageError(f"{where}: expected the index of an OCI layout, found no such file")
    document = parse_document(read_document(content, where), where, OCI_INDEX)
    if not isinstance(document, Index):
        raise DamagedError.mismatch(where, expected="an index", found=f"a manifest ({document.media_type})")
    root, more = _root(document, name, folder.name, "oci-archive" if kind == "OCI archive" else "oci")
    image = Image(folder.name, root, LayoutBlobs(folder, more), _reference(root, name), kind)
    image.document(root)  # what can't be read at all is refused here, not in the middle of the work
    return image


def names_of(entry: Descriptor) -> list[str]:
    """What an entry of `index.json` is called, the fullest name first."""
    found = (entry.annotations.get(key) for key in (CONTAINERD_NAME, REF_NAME))
    return list(dict.fromkeys(name for name in found if name))


def _root(index: Index, name: str | None, where: str, transport: str) -> tuple[Descriptor, Mapping[Digest, Blob]]:
    entries = list({entry.digest: entry for entry in index.entries}.values())  # one image may be listed under each of its names
    names = [[name for entry in index.entries if entry.digest == one.digest for name in names_of(entry)] for one in entries]
    if not entries:
        raise NotAnImageError(f"{where}: {INDEX_FILE} lists no image")
    chosen = index.entries
    if name is not None:
        numbered = at_position(name, entries, where)
        if numbered is not None:
            return numbered, {}
        chosen = tuple(entry for entry in index.entries if any(same_name(name, own) for own in names_of(entry)))
        if not chosen:
            raise unknown(where, name, names)
    if len({entry.digest for entry in chosen}) == 1:
        return chosen[0], {}
    if len({tuple(names_of(entry)) for entry in chosen}) > 1:
        raise ambiguous(where, transport, names)
    whole = index if len(chosen) == len(index.entries) else index.with_entries(chosen)
    blob = blob_of(whole.raw)
    more = {"annotations": dict(chosen[0].annotations)} if names_of(chosen[0]) else {}
    return Descriptor.of(OCI_INDEX, blob.digest, blob.size, **more), {blob.digest: blob}


def _reference(root: Descriptor, name: str | None) -> str | None:
    """The name the image carries, when it is more than a tag."""
    own = names_of(root)
    chosen = next((one for one in own if name and same_name(name, one)), own[0] if own else None)
    return chosen if chosen and ("/" in chosen or ":" in chosen) else None
