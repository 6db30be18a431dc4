"""An image in a registry as a source, over a client that is a dictionary."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from layerkit.errors import DamagedError, NotFoundError, RefusedError, UsageError
from layerkit.image.blob import Bytes, Content, blob_of
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.image.media_types import OCI_INDEX, OCI_MANIFEST
from layerkit.report.validation import validate
from layerkit.sources import open_image
from tests.sources.builders import ATTESTED, Files, add_index, add_manifest


@dataclass
class Stored:
    """A registry with one repository."""

    files: Files
    tag: str
    asked: list[str] = field(default_factory=list)

    def _blob(self, digest: str) -> bytes | None:
        return self.files.get(f"blobs/sha256/{digest.partition(':')[2]}")

    def get_manifest(self, repository: str, tag_or_digest: str) -> tuple[bytes, str]:
        self.asked.append(tag_or_digest)
        data = self._blob(self.tag if tag_or_digest == "1" else tag_or_digest)
        if data is None:
            raise NotFoundError(f"no {tag_or_digest}", 404)
        return data, json.loads(data)["mediaType"]

    def blob_content(self, repository: str, digest: Digest, size: int) -> Content:
        data = self._blob(digest)
        assert data is not None
        return Bytes(data)


def opened(stored: Stored, reference: str = "reg.example/team/app:1", *platforms: str) -> Image:
    seen: list[str] = []

    def connect(registry: str) -> Stored:
        seen.append(registry)
        return stored

    image = open_image(f"docker://{reference}", connect=connect, platforms=platforms)
    assert seen == ["reg.example"]
    return image


@pytest.fixture
def index() -> Stored:
    files: Files = {}
    entries = [
        add_manifest(files, name, architecture=name, platform={"os": "linux", "architecture": name})
        for name in ("amd64", "arm64")
    ]
    entries.append(add_manifest(files, "attested", annotations=ATTESTED, platform={"os": "unknown", "architecture": "unknown"}))
    return Stored(files, add_index(files, entries)["digest"])


def test_an_image(tmp_path: Path) -> None:
    files: Files = {}
    image = opened(Stored(files, add_manifest(files, "a")["digest"]))
    assert (image.kind, image.reference, image.name) == (
        "registry image",
        "reg.example/team/app:1",
        "docker://reg.example/team/app:1",
    )
    assert image.root.media_type == OCI_MANIFEST
    assert validate(image) == []


def test_an_index(index: Stored) -> None:
    image = opened(index)
    assert image.root.media_type == OCI_INDEX
    assert len(image.platforms()) == 2
    assert len(image.referrers()) == 1
    assert validate(image) == []


def test_only_the_platforms_asked_for_are_fetched(index: Stored) -> None:
    image = opened(index, "reg.example/team/app:1", "linux/arm64")
    assert [str(platform.platform) for platform in image.platforms()] == ["linux/arm64"]
    assert len(index.asked) == 3


def test_platforms_that_are_not_there(index: Stored) -> None:
    image = opened(index)
    gone = image.platforms()[0].descriptor.digest
    del index.files["blobs/sha256/" + gone.partition(":")[2]]
    assert [descriptor.digest for descriptor in opened(index).absent()] == [gone]


def test_by_digest(index: Stored) -> None:
    image = opened(index, f"reg.example/team/app@{index.tag}")
    assert image.root.digest == index.tag
    assert image.reference is None


def test_a_registry_that_sends_another_manifest(index: Stored) -> None:
    wrong = blob_of(b"{}").digest
    index.files["blobs/sha256/" + wrong.partition(":")[2]] = index.files["blobs/sha256/" + index.tag.partition(":")[2]]
    with pytest.raises(DamagedError, match=r"expected a manifest of that digest, found sha256:.* \(the registry sent another\)"):
        opened(index, f"reg.example/team/app@{wrong}")


def test_a_tag_that_is_not_there(index: Stored) -> None:
    with pytest.raises(RefusedError):
        opened(index, "reg.example/team/app:2")


def test_names_are_checked_first() -> None:
    with pytest.raises(UsageError, match="'App'"):
        open_image("docker://reg.example/App", connect=lambda registry: pytest.fail("was asked"))
