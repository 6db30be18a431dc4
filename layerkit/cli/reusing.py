"""What the registry has already, so that it needn't be sent."""

from collections.abc import Sequence

from layerkit.cli.registries import target_of
from layerkit.errors import UsageError
from layerkit.image.blob import Blob
from layerkit.image.digest import Digest
from layerkit.image.reference import Reference
from layerkit.pusher.existing import known_layers
from layerkit.registry.client import RegistryClient
from layerkit.rewrite.options import Known


def reuse(client: RegistryClient, target: Reference, others: Sequence[str]) -> tuple[dict[Digest, Known], tuple[str, ...]]:
    """What needn't be sent: layers of the tag that is being replaced and of `others`, by diff_id; and the repositories that blobs
    may be mounted from. Raises UsageError for an image in another registry."""
    known: dict[Digest, Known] = {}
    repositories: list[str] = []
    for reference in (target, *map(target_of, others)):
        if reference.registry != target.registry:
            raise UsageError(f"--reuse-from {reference}: only images in {target.registry} can lend their layers")
        for diff_id, layer in known_layers(client, reference).items():
            content = client.blob_content(reference.repository, layer.digest, layer.size)
            known.setdefault(diff_id, Known(layer, Blob(layer.digest, content)))
        if reference.repository not in (target.repository, *repositories):
            repositories.append(reference.repository)
    return known, tuple(repositories)
