"""What is an attestation, by descriptor and by manifest.

BuildKit's "Image attestation storage" and the newer form as OCI artifacts. A platform of `unknown/unknown` alone proves
nothing: multi-architecture tools use it for other things, so it is never taken as a sign.
"""

from layerkit.image.manifest import Descriptor, Manifest
from layerkit.image.media_types import ATTESTATION_ARTIFACT, IN_TOTO

REFERENCE_TYPE = "vnd.docker.reference.type"
"""The annotation BuildKit puts on an index entry; `builder` is another of its values and is no attestation."""

SUBJECT_DIGEST = "vnd.docker.reference.digest"
"""The annotation that names the manifest an attestation is about."""


def describes_attestation(descriptor: Descriptor) -> bool:
    """Does the index entry itself say so?"""
    return (
        descriptor.annotations.get(REFERENCE_TYPE) == "attestation-manifest" or descriptor.artifact_type == ATTESTATION_ARTIFACT
    )


def is_attestation(manifest: Manifest) -> bool:
    """Is the manifest one, whatever its descriptor says? All layers in-toto, or the artifact type."""
    return manifest.artifact_type == ATTESTATION_ARTIFACT or (
        bool(manifest.layers) and all(layer.media_type == IN_TOTO for layer in manifest.layers)
    )
