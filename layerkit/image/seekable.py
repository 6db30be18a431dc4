"""Layers that say where in their own bytes each file is, so that a snapshotter needn't fetch all of them: eStargz, zstd:chunked.

What they say holds for those very bytes. A layer that is written anew must not say it any more, and the members that hold the
index are no part of the filesystem: snapshotters that read them don't show them (stargz-snapshotter, docs/estargz.md). Engines
that don't know them do show them, as files in the root directory.
"""

from layerkit.image.manifest import Descriptor

STARGZ_TOC = "containerd.io/snapshot/stargz/toc.digest"
"""Annotation of an eStargz layer."""
STARGZ_SIZE = "io.containers.estargz.uncompressed-size"
_CHUNKED = ("io.github.containers.zstd-chunked.", "io.containers.zstd-chunked.")
"""How the annotations of a zstd:chunked layer begin: containers/storage since 2023, and before."""

STARGZ_MEMBERS = frozenset({b"stargz.index.json", b".prefetch.landmark", b".no.prefetch.landmark"})


def indexing_members(layer: Descriptor) -> frozenset[bytes]:
    """Paths of the members that index the layer's bytes."""
    return STARGZ_MEMBERS if STARGZ_TOC in layer.annotations else frozenset()


def lasting_annotations(layer: Descriptor) -> dict[str, str]:
    """Those that are still true of the layer when it is written anew."""
    gone = (STARGZ_TOC, STARGZ_SIZE)
    return {key: value for key, value in layer.annotations.items() if key not in gone and not key.startswith(_CHUNKED)}
