"""Would a target take an image as it is? Findings with stable codes.

In: an `Image` and a profile. Out: one `Finding` for each thing that stands in the way, in the image's order. No layer is read.
The codes are explained in docs/checks.md, and never change their meaning.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from layerkit.errors import DamagedError
from layerkit.image.digest import short
from layerkit.image.image import Image, PlatformImage
from layerkit.image.manifest import Index, Manifest
from layerkit.image.media_types import (
    INDEXES,
    Compression,
    Family,
    family_of,
    is_foreign_layer,
    is_ordinary_layer,
)
from layerkit.image.referrers import Kind
from layerkit.profiles import Profile
from layerkit.report.oversized import LargeFile, in_headers, in_stream
from layerkit.report.sizes import format_size
from layerkit.report.summary import ImageSummary, LayerSummary, PlatformSummary, chosen, summarise
from layerkit.report.text import counted, plural

MAX_LAYERS = 125
"""moby refuses more (maxLayerDepth)."""

FILLED = 0.8
"""Of the limit: how large parts become on average (docs/splitting.md)."""

CODES = {
    "LK001": "a layer is above the target's limit",
    "LK002": "an attestation is in the image",
    "LK003": "an index holds a single platform",
    "LK004": "a manifest or index mixes Docker and OCI media types",
    "LK005": "a manifest is of a family that the target isn't known to take",
    "LK006": "a layer's compression isn't taken",
    "LK007": "a layer's media type says another compression than its bytes",
    "LK008": "a blob is missing",
    "LK009": "a blob's size isn't what its descriptor says",
    "LK010": "there are too many layers",
    "LK011": "layers and diff_ids don't match in number",
    "LK012": "layers and history don't match in number",
    "LK013": "a layer isn't an ordinary one",
    "LK014": "an index lists a platform that isn't in the file",
    "LK015": "there is nothing to run",
    "LK016": "a signature or something else about the image is in it",
    "LK017": "a manifest is above the target's limit",
    "LK018": "a file alone is above the limit for a layer",
    "LK019": "the target takes no index",
}


FIXED_BY = "layerkit fix-and-push"
"""Advice that begins with it is a promise: what `fix` makes for the same target has that finding no more."""

_STATEMENTS = frozenset({Kind.ATTESTATION, Kind.SBOM})


@dataclass(frozen=True)
class Finding:
    code: str
    where: str
    """Platform, and layer if it is about one."""
    message: str
    """What was found, and what the target takes."""
    advice: str
    """What to do."""

    def __str__(self) -> str:
        return f"{self.code} {self.where}: {self.message}; {self.advice}"


def check(image: Image, profile: Profile, limit: int, wanted: Sequence[str] = ()) -> list[Finding]:
    """`limit`: bytes of the largest layer; `wanted`: platforms, all when empty. Raises ImageError for documents that can't be
    read, UsageError when none of `wanted` is there."""
    return list(_findings(image, profile, limit, wanted))


def _findings(image: Image, profile: Profile, limit: int, wanted: Sequence[str]) -> Iterator[Finding]:
    summary = summarise(image, limit, wanted)
    if not profile.attestations:
        yield from _referrer_findings(summary, profile)
    if not summary.platforms:
        yield Finding("LK015", image.name, "expected an image for at least one platform, found none", "save it with its layers")
    if image.root.media_type in INDEXES and profile.collapse_index and len(image.platforms()) == 1 and not summary.absent:
        yield Finding(
            "LK003",
            "index",
            f"it holds {summary.platforms[0].platform} alone",
            f"{FIXED_BY} pushes its manifest instead",
        )
    if summary.absent and not wanted:
        listed = ", ".join(summary.absent)
        yield Finding("LK014", "index", f"lists what is not in the file: {listed}", f"{FIXED_BY} leaves them out")
    if not profile.indexes and len(summary.platforms) > 1:
        yield Finding(
            "LK019",
            "index",
            f"it holds {plural(len(summary.platforms), 'platform')}, {profile.name} takes single manifests",
            "--platform OS/ARCH chooses one",
        )
    yield from _index_findings(image)
    families = set(_families(image)) if summary.platforms else set()  # what doesn't run isn't converted
    if profile.family and families - {profile.family}:
        found = ", ".join(sorted(family.value for family in families - {profile.family}))
        yield Finding(
            "LK005",
            "manifest",
            f"expected {profile.family.value} media types, found {found}",
            f"{FIXED_BY} converts them",
        )
    for found_platform, summarised in zip(chosen(image, wanted), summary.platforms, strict=True):
        yield from _platform_findings(image, found_platform, summarised, profile, limit)


def _referrer_findings(summary: ImageSummary, profile: Profile) -> Iterator[Finding]:
    statements = [found for found in summary.referrers if found.kind in _STATEMENTS]
    others = [found for found in summary.referrers if found.kind not in _STATEMENTS]
    for code, about in (("LK002", statements), ("LK016", others)):
        if about:
            where = counted(found.kind.value for found in about)
            digests = ", ".join(short(found.digest) for found in about)
            yield Finding(code, where, f"{profile.name} takes none, found {digests}", f"{FIXED_BY} takes them out")


def _families(image: Image) -> Iterator[Family]:
    """Of every manifest and index that would be pushed."""
    about = {found.descriptor.digest for found in image.referrers()}
    for descriptor, document in image.walk():
        if document is not None and descriptor.digest not in about:
            yield family_of(document.media_type)


def _index_findings(image: Image) -> Iterator[Finding]:
    """Docker's manifest lists name Docker's manifests alone, and clients of either family don't look for the other's."""
    for descriptor, document in image.walk():
        if isinstance(document, Index):
            own = family_of(document.media_type)
            odd = [entry for entry in document.entries if entry.media_type and family_of(entry.media_type) is not own]
            if odd:
                types = ", ".join(sorted({entry.media_type for entry in odd}))
                message = f"{plural(len(odd), 'entry')} of a list of the {own.value} family: {types}"
                yield Finding("LK004", f"index {short(descriptor.digest)}", message, f"{FIXED_BY} makes them one family")


def _platform_findings(
    image: Image, platform: PlatformImage, summary: PlatformSummary, profile: Profile, limit: int
) -> Iterator[Finding]:
    manifest, config = platform.manifest, platform.config
    where = summary.platform
    own = family_of(manifest.media_type)
    parts = (manifest.config, *manifest.layers)
    mixed = sorted({part.media_type for part in parts if "vnd." in part.media_type and family_of(part.media_type) is not own})
    if mixed:
        yield Finding("LK004", where, f"a {own.value} manifest lists {', '.join(mixed)}", f"{FIXED_BY} makes them one family")
    yield from _count_findings(manifest, where, profile, limit)
    if platform.descriptor.size > profile.max_manifest_size:
        yield Finding(
            "LK017",
            where,
            f"{platform.descriptor.size:,} bytes of manifest, {profile.name} takes {profile.max_manifest_size:,}",
            "build it with fewer layers and annotations",
        )
    if len(config.diff_ids) != len(manifest.layers):
        message = f"{len(manifest.layers)} layers, {len(config.diff_ids)} diff_ids"
        yield Finding("LK011", where, message, "build or save it again; engines refuse to unpack it")
    filled = sum(1 for line in config.history if not line.empty_layer)
    if config.history and filled != len(manifest.layers):
        message = f"{len(manifest.layers)} layers, {filled} history entries that aren't empty_layer"
        yield Finding("LK012", where, message, "build it again; some engines refuse it")
    seen = set()
    for layer in summary.layers:
        if layer.digest not in seen:
            seen.add(layer.digest)
            label = f"{where} layer {layer.number} ({short(layer.digest)})"
            yield from _layer_findings(image, layer, label, profile, limit, windows=platform.is_windows)


def _count_findings(manifest: Manifest, where: str, profile: Profile, limit: int) -> Iterator[Finding]:
    """Are there too many layers, now or once the large ones are split?"""
    most = min(MAX_LAYERS, profile.max_layers)
    who = profile.name if profile.max_layers < MAX_LAYERS else "container engines"
    found = len(manifest.layers)
    if found > most:
        yield Finding("LK010", where, f"{found} layers, {who} take {most}", "merge some where it is built")
        return
    after = sum(ceil(layer.size / (limit * FILLED)) if layer.size > limit else 1 for layer in manifest.layers)
    if after > most:
        yield Finding(
            "LK010",
            where,
            f"{found} layers, about {after} once the large ones are split; {who} take {most}",
            "choose a larger --max-layer-size, or make the image smaller",
        )


def file_findings(image: Image, limit: int, wanted: Sequence[str] = ()) -> Iterator[Finding]:
    """Files of compressed layers that fit into no part; these layers are decoded, once each. Raises as `check` does, and
    DamagedError."""
    seen = set()
    for platform in summarise(image, limit, wanted).platforms:
        for layer in platform.layers:
            compressed = layer.compression in (Compression.GZIP, Compression.ZSTD)
            if layer.exceeds and layer.present and compressed and layer.digest not in seen:
                seen.add(layer.digest)
                where = f"{platform.platform} layer {layer.number} ({short(layer.digest)})"
                for file in in_stream(image.blobs[layer.digest], where, limit):
                    yield _file_finding(file, where, limit)


def _file_finding(file: LargeFile, where: str, limit: int) -> Finding:
    if file.cost is None:
        found = f"{file.path} has {format_size(file.size)}, before it is compressed"
        advice = "if it stays above the limit, only a smaller file or --allow-oversized helps: a file can't be split"
    else:
        found = f"{file.path} ({format_size(file.size)}) takes about {format_size(file.cost)} compressed"
        advice = "only a smaller file or --allow-oversized helps: a file can't be split"
    return Finding("LK018", where, f"{found}, the limit for a layer is {format_size(limit)}", advice)


def _layer_findings(
    image: Image, layer: LayerSummary, where: str, profile: Profile, limit: int, *, windows: bool
) -> Iterator[Finding]:
    if not is_ordinary_layer(layer.media_type):
        what = "its bytes are elsewhere" if is_foreign_layer(layer.media_type) else "it can't be split, and may not be taken"
        yield Finding("LK013", where, f"media type {layer.media_type}", what)
        if is_foreign_layer(layer.media_type):
            return
    if not layer.present:
        yield Finding("LK008", where, f"{layer.size:,} bytes that are not in the image", "save it again with all its layers")
        return
    blob = image.blobs[layer.digest]
    if blob.size != layer.size:
        yield Finding(
            "LK009",
            where,
            f"expected {layer.size:,} bytes, found {blob.size:,}",
            "the file is truncated or altered: save it again",
        )
    if layer.size > limit:
        advice = f"{FIXED_BY} splits it"
        if windows or not is_ordinary_layer(layer.media_type):
            advice = f"it can't be split: it is {'a Windows layer' if windows else 'no ordinary tar'}"
        yield Finding("LK001", where, f"{format_size(layer.size)}, the limit is {format_size(limit)}", advice)
        if layer.compression is Compression.NONE:
            with contextlib.suppress(DamagedError):  # `--deep` and whatever reads it say what is wrong
                yield from (_file_finding(file, where, limit) for file in in_headers(blob, where, limit))
    if layer.mislabelled:
        found = layer.compression.value if layer.compression else "none"
        yield Finding("LK007", where, f"media type {layer.media_type}, found {found}", f"{FIXED_BY} labels it by its bytes")
    if layer.compression is not None and layer.compression not in profile.compressions:
        taken = ", ".join(sorted(compression.value for compression in profile.compressions))
        how = "compresses it" if layer.compression is Compression.NONE else "compresses it anew"
        yield Finding("LK006", where, f"compression {layer.compression.value}, {profile.name} takes {taken}", f"{FIXED_BY} {how}")
