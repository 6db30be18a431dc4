"""Summaries as JSON: one object, sizes in bytes, names as in the specifications."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from layerkit.advice import Advice
from layerkit.compare.changes import Changes
from layerkit.compare.sharing import Sharing
from layerkit.costs.contents import Contents
from layerkit.image.referrers import Kind
from layerkit.report.planned import Planned
from layerkit.report.summary import ImageSummary, LayerSummary, PlatformSummary, ReferrerSummary


def image_document(summary: ImageSummary) -> dict[str, Any]:
    return {
        "name": summary.name,
        "kind": summary.kind,
        "reference": summary.reference,
        "names": list(summary.names),
        "digest": summary.digest,
        "mediaType": summary.media_type,
        "size": summary.size,
        "limit": summary.limit,
        "platforms": [_platform(platform) for platform in summary.platforms],
        "attestations": [_referrer(found) for found in summary.referrers if found.kind is Kind.ATTESTATION],
        "referrers": [_referrer(found) for found in summary.referrers if found.kind is not Kind.ATTESTATION],
        "absent": list(summary.absent),
        "artifacts": list(summary.artifacts),
    }


def _referrer(found: ReferrerSummary) -> dict[str, Any]:
    return {
        "digest": found.digest,
        "kind": found.kind.value,
        "subject": found.subject or None,
        "predicateTypes": list(found.predicates),
        "present": found.present,
    }


def changes_document(changes: Changes) -> dict[str, Any]:
    return {**asdict(changes), "files": [{**asdict(one), "change": one.change.value} for one in changes.files]}


def sharing_document(sharing: Sharing) -> dict[str, Any]:
    return asdict(sharing)


def planned_document(planned: Planned) -> dict[str, Any]:
    return asdict(planned)


def contents_document(contents: Contents, advice: Sequence[Advice]) -> dict[str, Any]:
    return {**asdict(contents), "advice": [asdict(one) for one in advice]}


def _platform(platform: PlatformSummary) -> dict[str, Any]:
    return {
        "platform": platform.platform,
        "digest": platform.digest,
        "mediaType": platform.media_type,
        "config": platform.config,
        "size": platform.size,
        "layers": [_layer(layer) for layer in platform.layers],
    }


def _layer(layer: LayerSummary) -> dict[str, Any]:
    return {
        "digest": layer.digest,
        "diffId": layer.diff_id,
        "size": layer.size,
        "mediaType": layer.media_type,
        "compression": layer.compression.value if layer.compression else None,
        "createdBy": layer.created_by,
        "present": layer.present,
        "exceedsLimit": layer.exceeds,
    }
