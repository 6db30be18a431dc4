"""What is about an image, in every form that its writers give it, and what only looks so."""

from typing import Any

import pytest

from layerkit.image.blob import blob_of
from layerkit.image.digest import sha256
from layerkit.image.manifest import Descriptor, Index, Manifest, parse_document, to_json
from layerkit.image.media_types import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST
from layerkit.image.referrers import Kind, is_runnable, referrer

IMAGE = sha256(b"image")
OTHER = sha256(b"other")
SUBJECT = {"mediaType": OCI_MANIFEST, "digest": IMAGE, "size": 5}
EMPTY = "application/vnd.oci.empty.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
NOTATION = "application/vnd.cncf.notary.signature"
SOCI = "application/vnd.amazon.soci.index.v2+json"


def part(media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": OTHER, "size": 2}


def manifest(*layers: str, config: str = OCI_CONFIG, **more: Any) -> Manifest:
    fields = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": part(config), "layers": [*map(part, layers)], **more}
    found = parse_document(to_json(fields), "manifest")
    assert isinstance(found, Manifest)
    return found


def entry(document: Manifest | Index, **more: Any) -> Descriptor:
    return document.descriptor(**more)


BUILDKIT = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": IMAGE}
UNKNOWN = {"os": "unknown", "architecture": "unknown"}
COSIGN = "dev.cosignproject.cosign/"
REF = "org.opencontainers.image.ref.name"
TAG = f"sha256-{IMAGE[7:]}"

CASES: dict[str, tuple[Manifest, dict[str, Any], Kind, bool, bool]] = {
    # document, the entry's further fields, kind, names its subject, can follow it
    "BuildKit": (manifest(IN_TOTO), {"annotations": BUILDKIT, "platform": UNKNOWN}, Kind.ATTESTATION, True, True),
    "BuildKit, not annotated": (manifest(IN_TOTO), {"platform": UNKNOWN}, Kind.ATTESTATION, False, True),
    "BuildKit, as an artifact": (
        manifest(IN_TOTO, config=EMPTY, artifactType="application/vnd.docker.attestation.manifest.v1+json", subject=SUBJECT),
        {"annotations": BUILDKIT, "platform": UNKNOWN},
        Kind.ATTESTATION,
        True,
        True,
    ),
    "BuildKit, as an artifact, not annotated": (
        manifest(IN_TOTO, config=EMPTY, artifactType="application/vnd.docker.attestation.manifest.v1+json", subject=SUBJECT),
        {},
        Kind.ATTESTATION,
        True,
        True,
    ),
    "a builder": (
        manifest(OCI_LAYER_GZIP),
        {"annotations": {"vnd.docker.reference.type": "builder", "vnd.docker.reference.digest": IMAGE}},
        Kind.ARTIFACT,
        True,
        False,
    ),
    "cosign save, signature": (
        manifest(SIMPLE_SIGNING),
        {"annotations": {"kind": COSIGN + "sigs"}},
        Kind.SIGNATURE,
        False,
        False,
    ),
    "cosign save, attestation": (manifest(DSSE), {"annotations": {"kind": COSIGN + "atts"}}, Kind.ATTESTATION, False, False),
    "cosign save, SBOM": (manifest("text/spdx+json"), {"annotations": {"kind": COSIGN + "sboms"}}, Kind.SBOM, False, True),
    "hauler": (manifest(SIMPLE_SIGNING), {"annotations": {"kind": "dev.hauler/sigs"}}, Kind.SIGNATURE, False, False),
    "cosign's tag": (manifest(SIMPLE_SIGNING), {"annotations": {REF: f"{TAG}.sig"}}, Kind.SIGNATURE, True, False),
    "cosign's tag of a copy": (manifest(DSSE), {"annotations": {REF: f"me/app:{TAG}.att"}}, Kind.ATTESTATION, True, False),
    "cosign, nothing but what is in it": (manifest(SIMPLE_SIGNING), {}, Kind.SIGNATURE, False, False),
    "cosign 3": (manifest(BUNDLE, config=EMPTY, artifactType=BUNDLE, subject=SUBJECT), {}, Kind.SIGNATURE, True, False),
    "notation": (
        manifest("application/jose+json", config=NOTATION, subject=SUBJECT),
        {"artifactType": NOTATION},
        Kind.SIGNATURE,
        True,
        False,
    ),
    "an SBOM by oras": (
        manifest("application/spdx+json", config=EMPTY, artifactType="application/spdx+json", subject=SUBJECT),
        {"artifactType": "application/spdx+json"},
        Kind.SBOM,
        True,
        True,
    ),
    "SOCI v2": (
        manifest("application/octet-stream", config=SOCI, artifactType=SOCI),
        {"artifactType": SOCI, "annotations": {"com.amazon.soci.image-manifest-digest": IMAGE}, "platform": {"os": "linux"}},
        Kind.SOCI,
        True,
        False,
    ),
    "SOCI v1": (
        manifest("application/octet-stream", config="application/vnd.amazon.soci.index.v1+json", subject=SUBJECT),
        {},
        Kind.SOCI,
        True,
        False,
    ),
    "anything with a subject": (
        manifest("application/x-scan", config="application/x", subject=SUBJECT),
        {},
        Kind.ARTIFACT,
        True,
        False,
    ),
    "an image with a subject": (manifest(OCI_LAYER_GZIP, subject=SUBJECT), {}, Kind.ARTIFACT, True, False),
}


@pytest.mark.parametrize("name", CASES)
def test_every_form(name: str) -> None:
    document, more, kind, names_subject, can_follow = CASES[name]
    found = referrer(entry(document, **more), document)
    assert found is not None
    assert (found.kind, found.subject, found.can_follow) == (kind, IMAGE if names_subject else None, can_follow)


@pytest.mark.parametrize("name", [name for name, (_, more, *_) in CASES.items() if more.keys() - {"platform"}])
def test_by_the_entry_alone(name: str) -> None:
    """Of a sparse index, or in a registry."""
    document, more, kind, names_subject, _ = CASES[name]
    found = referrer(entry(document, **more))
    assert found is not None
    assert found.kind is kind
    assert found.subject == (IMAGE if names_subject and "annotations" in more else None)


@pytest.mark.parametrize(
    ("document", "more"),
    [
        (manifest(OCI_LAYER_GZIP), {}),
        (manifest(OCI_LAYER_GZIP), {"platform": UNKNOWN}),
        (manifest(OCI_LAYER_GZIP), {"annotations": {"kind": COSIGN + "image"}}),
        (manifest(OCI_LAYER_GZIP), {"annotations": {REF: TAG}}),
        (manifest(OCI_LAYER_GZIP), {"annotations": {REF: f"{TAG}.src"}}),
        (manifest(OCI_LAYER_GZIP), {"artifactType": OCI_CONFIG}),
        (manifest(), {}),
        (manifest(OCI_LAYER_GZIP, IN_TOTO), {}),
    ],
)
def test_images_are_images(document: Manifest, more: dict[str, Any]) -> None:
    assert is_runnable(document)
    assert referrer(entry(document, **more), document) is None


def test_other_artifacts_are_about_nothing() -> None:
    chart = manifest("application/vnd.cncf.helm.chart.content.v1.tar+gzip", config="application/vnd.cncf.helm.config.v1+json")
    assert referrer(entry(chart), chart) is None
    assert not is_runnable(chart)


def test_a_list_of_referrers_is_no_image() -> None:
    raw = to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
    index = parse_document(raw, "index")
    found = referrer(Descriptor.of(OCI_INDEX, blob_of(raw).digest, len(raw), annotations={REF: TAG}), index)
    assert found is not None
    assert (found.kind, found.subject) == (Kind.ARTIFACT, IMAGE)
