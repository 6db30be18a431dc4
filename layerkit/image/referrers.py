"""What is about an image, and is no image: attestations, signatures, SBOMs, SOCI indexes.

In: an entry of an index, and its document where that is at hand. Out: what kind it is and what it is about, or None for an image
or another thing that stands for itself. Told by what their writers say, never by a platform of `unknown/unknown` alone, which
multi-architecture tools use for other things:

    BuildKit    annotation vnd.docker.reference.type of the entry ("Image attestation storage"), with `oci-artifact=true` also an
                artifact type and `subject`. Other values of that annotation mark manifests that are no images either
    image-spec  `subject` of a manifest or index (manifest.md, "Referrers"); tags `sha256-HEX` where a registry lists none
                (distribution-spec, "Referrers Tag Schema")
    cosign      tags `sha256-HEX.sig`, `.att`, `.sbom`; in what `cosign save` writes the annotation `kind`; an image config
                without a platform over layers of signatures (sigstore/cosign specs). Hauler uses `kind` alike
    SOCI        artifact type, and annotations on both sides (awslabs/soci-snapshotter, "SOCI Index Manifest v2")
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from layerkit.image.digest import Digest, is_digest
from layerkit.image.layout import CONTAINERD_NAME, REF_NAME
from layerkit.image.manifest import Descriptor, Index, Manifest
from layerkit.image.media_types import is_document, is_image_config

REFERENCE_TYPE = "vnd.docker.reference.type"
"""Annotation of an index entry that is about another."""
SUBJECT_DIGEST = "vnd.docker.reference.digest"
"""Annotation: the manifest that it is about."""
SOCI_SUBJECT = "com.amazon.soci.image-manifest-digest"
"""Annotation of a SOCI index's entry: the manifest that it is about."""
SOCI_INDEX = "com.amazon.soci.index-digest"
"""Annotation of an image's manifest: its SOCI index."""
_KIND = "kind"
_KINDS = re.compile(r"dev\.(?:cosignproject\.cosign|hauler)/(sigs|atts|sboms|referrers)")
_TAG = re.compile(r"(?:.*:)?sha256-([0-9a-f]{64})(?:\.([a-z]+))?")


class Kind(Enum):
    ATTESTATION = "attestation"
    SIGNATURE = "signature"
    SBOM = "SBOM"
    SOCI = "SOCI index"
    ARTIFACT = "artifact"
    """Anything else, by itself or about an image."""


_WORDS = {
    "sigs": Kind.SIGNATURE,
    "sig": Kind.SIGNATURE,
    "atts": Kind.ATTESTATION,
    "att": Kind.ATTESTATION,
    "sboms": Kind.SBOM,
    "sbom": Kind.SBOM,
}
_TYPES = (
    ("application/vnd.amazon.soci.index.", Kind.SOCI),
    ("application/vnd.docker.attestation.", Kind.ATTESTATION),
    ("application/vnd.in-toto", Kind.ATTESTATION),
    ("application/vnd.dsse.", Kind.ATTESTATION),
    ("application/vnd.dev.cosign.artifact.sbom.", Kind.SBOM),
    ("application/vnd.dev.cosign.", Kind.SIGNATURE),
    ("application/vnd.dev.sigstore.", Kind.SIGNATURE),
    ("application/vnd.cncf.notary.", Kind.SIGNATURE),
    ("application/spdx", Kind.SBOM),
    ("text/spdx", Kind.SBOM),
    ("application/vnd.cyclonedx", Kind.SBOM),
    ("application/vnd.syft", Kind.SBOM),
)
"""Beginnings of media types and artifact types."""
_UNSIGNED = ("application/vnd.in-toto", "application/spdx", "text/spdx", "application/vnd.cyclonedx", "application/vnd.syft")


class Referrer(NamedTuple):
    descriptor: Descriptor
    kind: Kind
    subject: Digest | None
    """What it is about; None: it doesn't say, or says it in its content alone (cosign)."""
    can_follow: bool
    """Is it still worth having when its subject is rewritten? A statement of how an image was built is; a signature isn't, nor is
    what names offsets in layers."""


def referrer(descriptor: Descriptor, document: Manifest | Index | None = None) -> Referrer | None:
    """What the manifest that `descriptor` names is about; None when it is about nothing else. `document`: what it says itself,
    where that is there. Not to be asked of an image's root, which is what its user says it is."""
    kind, subject = _by_descriptor(descriptor)
    if kind is None and (match := _tag(descriptor)) and (match[2] in _WORDS or isinstance(document, Index)):
        kind, subject = _WORDS.get(match[2], Kind.ARTIFACT), Digest(f"sha256:{match[1]}")
    if document is not None:
        stated = document.fields.get("subject")
        if isinstance(stated, Mapping) and is_digest(str(stated.get("digest"))):
            subject = subject or Digest(str(stated["digest"]))
            kind = kind or Kind.ARTIFACT
        kind = _by_document(document, kind)
    if kind is None:
        return None
    return Referrer(descriptor, kind, subject, _can_follow(kind, document))


def known_kind(media_type: str) -> Kind | None:
    """By a media type or artifact type; None for one that is nothing's or unknown."""
    return next((kind for beginning, kind in _TYPES if media_type.startswith(beginning)), None)


def is_runnable(manifest: Manifest) -> bool:
    """Is it an image by what is in it: an image config over tars? What signs images often has the config, and no tar."""
    return is_image_config(manifest.config.media_type) and not _only_documents(manifest)


def _by_descriptor(descriptor: Descriptor) -> tuple[Kind | None, Digest | None]:
    notes = descriptor.annotations
    subject = next((Digest(notes[key]) for key in (SUBJECT_DIGEST, SOCI_SUBJECT) if is_digest(notes.get(key, ""))), None)
    if REFERENCE_TYPE in notes:
        return Kind.ATTESTATION if notes[REFERENCE_TYPE] == "attestation-manifest" else Kind.ARTIFACT, subject
    if SOCI_SUBJECT in notes:
        return Kind.SOCI, subject
    if match := _KINDS.fullmatch(notes.get(_KIND, "")):
        return _WORDS.get(match[1], Kind.ARTIFACT), subject
    return known_kind(descriptor.artifact_type), subject


def _tag(descriptor: Descriptor) -> re.Match[str] | None:
    """The name by which registries without a list of referrers keep one: SHA-256 and kind."""
    found = (_TAG.fullmatch(descriptor.annotations.get(key, "")) for key in (REF_NAME, CONTAINERD_NAME))
    return next((match for match in found if match), None)


def _by_document(document: Manifest | Index, kind: Kind | None) -> Kind | None:
    """What its own words make of it, where `kind` is what its entry and its subject say."""
    if kind not in (None, Kind.ARTIFACT):
        return kind
    types = [document.artifact_type]
    if isinstance(document, Manifest):
        types += [
            document.config.media_type,
            *({layer.media_type for layer in document.layers} if _only_documents(document) else ()),
        ]
    found = next((known for known in map(known_kind, types) if known is not None), None)
    if found is None and isinstance(document, Manifest) and _only_documents(document):
        found = Kind.ARTIFACT if is_image_config(document.config.media_type) else None
    return found or kind


def _only_documents(manifest: Manifest) -> bool:
    return bool(manifest.layers) and all(is_document(layer.media_type) for layer in manifest.layers)


def _can_follow(kind: Kind, document: Manifest | Index | None) -> bool:
    if kind not in (Kind.ATTESTATION, Kind.SBOM):
        return False
    return not isinstance(document, Manifest) or all(layer.media_type.startswith(_UNSIGNED) for layer in document.layers)
