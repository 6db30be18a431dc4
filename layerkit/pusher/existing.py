"""What a reference claims to hold already, by diff_id.

In: a client and a reference. Out: for each layer's uncompressed digest the descriptor of its blob there, as the config says. That
is a claim: `reuse` has it proven before a part whose content is there isn't sent. When the reference is in another repository of
the same registry, the blob is mounted from there (`RegistryDestination(mount_from=...)`).
"""

from collections.abc import Mapping

from layerkit.errors import HttpRefusalError, ImageError
from layerkit.image.blob import Blob
from layerkit.image.digest import Digest
from layerkit.image.foreign import MAX_DOCUMENT
from layerkit.image.manifest import Descriptor, Index, Manifest, parse_config, parse_document
from layerkit.image.media_types import is_ordinary_layer
from layerkit.image.reference import Reference
from layerkit.registry.client import RegistryClient


def claimed_layers(client: RegistryClient, reference: Reference) -> Mapping[Digest, Descriptor]:
    """diff_id -> descriptor, over every platform of what `reference` names; empty when it names nothing, or nothing that can be
    read: what isn't known is sent. Raises UnreachableError."""
    found: dict[Digest, Descriptor] = {}
    waiting: list[str] = [reference.digest or reference.tag]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        where = f"{reference.registry}/{reference.repository}: {name}"
        try:
            raw, media_type = client.get_manifest(reference.repository, name)
            document = parse_document(raw, where, media_type)
            if isinstance(document, Index):
                waiting += [entry.digest for entry in document.entries]
            else:
                for diff_id, layer in _pairs(client, reference.repository, document, where):
                    found.setdefault(diff_id, layer)
        except (HttpRefusalError, ImageError):
            continue  # not there, no right to read it, a sparse index, another kind of artifact: nothing to reuse
    return found


def _pairs(client: RegistryClient, repository: str, manifest: Manifest, where: str) -> list[tuple[Digest, Descriptor]]:
    """The layers of one manifest by diff_id; none when config and manifest don't agree on their number."""
    config = manifest.config
    if config.size > MAX_DOCUMENT:
        return []
    content = client.blob_content(repository, config.digest, config.size)
    raw = b"".join(bytes(chunk) for chunk in Blob(config.digest, content).verified(where))
    diff_ids = parse_config(raw, f"{where}: config").diff_ids
    if len(diff_ids) != len(manifest.layers):
        return []
    return [
        (diff_id, layer) for diff_id, layer in zip(diff_ids, manifest.layers, strict=True) if is_ordinary_layer(layer.media_type)
    ]
