"""Where things are in the two forms that images have as files, and what they are called there. Said here once.

image-spec image-layout.md; "Docker Image Specification v1.2" (moby/docker-image-spec) for `manifest.json`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from layerkit.errors import UsageError
from layerkit.image.digest import Digest, algorithm, encoded
from layerkit.image.reference import parse_reference

LAYOUT_FILE = "oci-layout"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
"""The whole content of LAYOUT_FILE."""
INDEX_FILE = "index.json"
BLOBS_FOLDER = "blobs"
DOCKER_FILE = "manifest.json"
"""Lists the images of a docker archive; docker 25 and later, and layerkit, write it beside INDEX_FILE."""

REF_NAME = "org.opencontainers.image.ref.name"
"""Annotation of an entry in INDEX_FILE: a name (skopeo, podman), a tag alone (umoci, oras), or the tag of CONTAINERD_NAME
(containerd, BuildKit)."""
CONTAINERD_NAME = "io.containerd.image.name"
"""Annotation: the whole name, with its registry."""
COSIGN_NAME = "dev.cosignproject.cosign/imageRef"
"""Annotation by `cosign save`: the name that image, signatures and attestations were saved by."""


def blob_path(digest: Digest) -> str:
    """A blob's place in a layout."""
    return f"{BLOBS_FOLDER}/{algorithm(digest)}/{encoded(digest)}"


@dataclass(frozen=True)
class Name:
    """One name of an image in a file."""

    text: str
    """The fullest there is: `docker.io/me/app:1`, or a tag alone."""
    ref: str = ""
    """What REF_NAME says, where that is something else."""
    is_tag: bool = False
    """Is it no name of an image, but a tag alone (`v1`), as layouts may have them?"""

    @classmethod
    def in_layout(cls, text: str, ref: str = "") -> "Name":
        """A name of which only its form says what it is."""
        return cls(text, ref if ref != text else "", is_tag="/" not in text and ":" not in text)

    @property
    def spellings(self) -> tuple[str, ...]:
        """All that it may be asked for by."""
        return (self.text, self.ref) if self.ref else (self.text,)

    @property
    def annotations(self) -> dict[str, str]:
        """Of the entry in INDEX_FILE: skopeo and podman read one, containerd the other."""
        if self.is_tag:
            return {REF_NAME: self.text}
        return {CONTAINERD_NAME: full_name(self.text), REF_NAME: self.ref or self.text}


def name_of(annotations: Mapping[str, str]) -> Name | None:
    """What an entry of INDEX_FILE is called; None: nothing."""
    full, ref = annotations.get(CONTAINERD_NAME, ""), annotations.get(REF_NAME, "")
    text = full or ref or annotations.get(COSIGN_NAME, "")
    return Name.in_layout(text, ref) if text else None


def same_name(wanted: str, name: str) -> bool:
    """`busybox`, `busybox:latest` and `docker.io/library/busybox:latest` are one name."""
    return wanted == name or full_name(wanted) == full_name(name)


@lru_cache(4096)
def full_name(name: str) -> str:
    """With its registry and tag, as containerd keeps names; as it is when it is no reference."""
    try:
        return str(parse_reference(name))
    except UsageError:
        return name
