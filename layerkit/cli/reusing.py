"""What the registry has already, so that it needn't be sent."""

from collections.abc import Sequence

from layerkit.cli.registries import target_of
from layerkit.errors import UsageError
from layerkit.image.digest import Digest
from layerkit.image.reference import Reference
from layerkit.pusher.existing import claimed_layers
from layerkit.pusher.reuse import Reuse
from layerkit.registry.client import RegistryClient
from layerkit.rewrite.options import Known


def reusable(
    client: RegistryClient, target: Reference, others: Sequence[str], reuse: Reuse
) -> tuple[dict[Digest, Known], tuple[str, ...]]:
    """What may not have to be sent: layers of the tag that is being replaced and of `others`, by diff_id; and the repositories
    that blobs may be mounted from. Raises UsageError for an image in another registry."""
    known: dict[Digest, Known] = {}
    repositories: list[str] = []
    for reference in (target, *map(target_of, others)):
        if reference.registry != target.registry:
            raise UsageError(f"--reuse-from {reference}: only images in {target.registry} can lend their layers")
        for diff_id, layer in reuse.known(reference.repository, claimed_layers(client, reference)).items():
            known.setdefault(diff_id, layer)
        if reference.repository not in (target.repository, *repositories):
            repositories.append(reference.repository)
    return known, tuple(repositories)
