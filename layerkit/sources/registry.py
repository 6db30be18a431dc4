"""An image in a registry, as a source: manifests are fetched, blobs are read when they are asked for."""

from collections.abc import Callable, Sequence
from typing import Protocol

from layerkit.errors import DamagedError, NotFoundError
from layerkit.image.blob import Blob, Content, blob_of
from layerkit.image.digest import Digest
from layerkit.image.image import MAX_DEPTH, Image
from layerkit.image.layout import Name
from layerkit.image.manifest import Descriptor, Index, Manifest, parse_document
from layerkit.image.reference import parse_reference
from layerkit.image.referrers import referrer


class Client(Protocol):
    """What is needed of a registry's client."""

    def get_manifest(self, repository: str, tag_or_digest: str) -> tuple[bytes, str]:
        """Bytes and media type of a manifest or index. Raises NotFoundError when there is none."""

    def blob_content(self, repository: str, digest: Digest, size: int) -> Content:
        """The blob's bytes, fetched when they are read."""


def open_registry(text: str, connect: Callable[[str], Client], platforms: Sequence[str]) -> Image:
    """Raises UsageError for a reference that breaks the grammar, and whatever the client raises."""
    reference = parse_reference(text)
    client = connect(reference.registry)
    raw, media_type = client.get_manifest(reference.repository, reference.digest or reference.tag)
    root = blob_of(raw)
    if reference.digest and root.digest != reference.digest:
        raise DamagedError.mismatch(
            f"docker://{reference}", expected="a manifest of that digest", found=root.digest, why="the registry sent another"
        )
    name = f"docker://{reference}"
    document = parse_document(raw, name, media_type)
    blobs = {root.digest: root}
    _collect(client, reference.repository, document, platforms, blobs, name, 0)
    descriptor = Descriptor.of(document.media_type, root.digest, root.size)
    names = (Name(str(reference)),) if reference.tag else ()
    return Image(name, descriptor, blobs, names, "registry image")


def _collect(
    client: Client,
    repository: str,
    document: Manifest | Index,
    platforms: Sequence[str],
    blobs: dict[Digest, Blob],
    where: str,
    depth: int,
) -> None:
    """Adds what `document` leads to."""
    if isinstance(document, Manifest):
        for descriptor in (document.config, *document.layers):
            content = client.blob_content(repository, descriptor.digest, descriptor.size)
            blobs.setdefault(descriptor.digest, Blob(descriptor.digest, content))
        return
    if depth > MAX_DEPTH:
        raise DamagedError.mismatch(where, expected=f"at most {MAX_DEPTH} nested indexes", found="more")
    for entry in document.entries:
        if entry.digest in blobs or not _is_wanted(entry, platforms):
            continue
        try:
            raw, media_type = client.get_manifest(repository, entry.digest)
        except NotFoundError:
            continue  # a sparse index: registries may lack some platforms, and `Image.absent` tells of them
        blob = blob_of(raw)
        if blob.digest != entry.digest:
            raise DamagedError.mismatch(
                f"{where}: {entry.digest}",
                expected="a manifest of that digest",
                found=blob.digest,
                why="the registry sent another",
            )
        blobs[blob.digest] = blob
        child = parse_document(raw, f"{where}: {entry.digest}", media_type or entry.media_type)
        _collect(client, repository, child, platforms, blobs, where, depth + 1)


def _is_wanted(entry: Descriptor, platforms: Sequence[str]) -> bool:
    if not platforms or entry.platform is None or referrer(entry) is not None:
        return True
    return any(entry.platform.matches(wanted) for wanted in platforms)
