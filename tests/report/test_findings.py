"""What `check` says and what `fix` does are one: each finding that `fix` promises to end is gone afterwards, and where nothing is
found nothing is changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import layerkit
from layerkit.errors import LayerkitError
from layerkit.image.blob import blob_of
from layerkit.image.image import Image
from layerkit.image.manifest import Index, parse_document, to_json
from layerkit.image.media_types import DOCKER_INDEX, OCI_INDEX, Compression, Family, declared_compression
from layerkit.profiles import KNOWN, Profile
from layerkit.report.findings import FIXED_BY, Finding, check
from layerkit.rewrite import fix_image, options_for
from tests.fixtures import FIXTURES
from tests.images import FIRST, SECOND, Layer, add_attestation, add_image, large, manifest_list, opened, small
from tests.sources.builders import Files, add_index

LIMITS = (100_000, 1_000_000_000)
"""Bytes: what splits most of the fixtures, and what splits none."""


def specs() -> Iterator[str]:
    """Every real image there is, and every image in those that hold several."""
    for path in sorted([*(FIXTURES / "images").glob("*/*"), *(FIXTURES / "layouts").glob("*"), *(FIXTURES / "cases").glob("*")]):
        if "outer31" not in path.name and "chain5" not in path.name:
            yield str(path)
            yield f"{'oci' if path.is_dir() else 'docker-archive'}:{path}:@1"


def promised(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings if finding.advice.startswith(FIXED_BY)}


def holds(image: Image, profile: Profile, limit: int) -> None:
    """Raises what `fix` raises for an image that it can't fix."""
    before = check(image, profile, limit)
    result = fix_image(image, options_for(profile, max_layer_size=limit))
    after = check(result.image, profile, limit)
    assert promised(after) == set(), [str(finding) for finding in after]
    assert {finding.code for finding in after} <= {finding.code for finding in before}
    if result.image.root.digest != image.root.digest and not promised(before):
        # Nothing stood in the way: uncompressed layers are compressed all the same, as it is the blob that is pushed.
        assert set(map(declared_compression, _changed(image, result.image))) <= {Compression.NONE}


def _changed(before: Image, after: Image) -> list[str]:
    kept = {layer.digest for found in after.platforms() for layer in found.manifest.layers}
    return [layer.media_type for found in before.platforms() for layer in found.manifest.layers if layer.digest not in kept]


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the folder of real images is absent")
@pytest.mark.parametrize("profile", [profile.name for profile in KNOWN])
@pytest.mark.parametrize("spec", list(specs()), ids=lambda spec: spec.removeprefix(str(FIXTURES)))
def test_for_every_fixture(spec: str, profile: str) -> None:
    try:
        image = layerkit.open_image(spec)
    except LayerkitError:
        return  # tests of the sources say why
    for limit in LIMITS:
        try:
            holds(image, KNOWN.named(profile), limit)
        except LayerkitError as error:
            assert error.exit_code in (3, 4), error
            findings = check(image, KNOWN.named(profile), limit)
            assert error.exit_code == 3 or findings, f"check finds nothing, and fix says: {error}"


@pytest.mark.parametrize("profile", list(KNOWN), ids=lambda profile: profile.name)
@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("attested", [False, True])
@pytest.mark.parametrize(
    "layers", [[small()], [small(), large()], [Layer(large().raw, Compression.NONE)]], ids=["small", "large", "tar"]
)
def test_for_images_of_our_own(tmp_path: Path, profile: Profile, family: Family, attested: bool, layers: list[Layer]) -> None:
    files: Files = {}
    entries = [add_image(files, layers, platform=platform, family=family) for platform in (FIRST, SECOND)]
    if attested:
        entries += [add_attestation(files, entry) for entry in entries]
    root = manifest_list(files, entries) if family is Family.DOCKER and not attested else add_index(files, entries)
    for limit in LIMITS:
        holds(opened(tmp_path, files, root), profile, limit)


@pytest.mark.parametrize("index", [OCI_INDEX, DOCKER_INDEX])
@pytest.mark.parametrize("manifests", [Family.OCI, Family.DOCKER, None], ids=["OCI", "Docker", "one of each"])
def test_lists_of_the_other_family(tmp_path: Path, index: str, manifests: Family | None) -> None:
    files: Files = {}
    entries = [
        add_image(files, [small()], platform=platform, family=manifests or own)
        for platform, own in ((FIRST, Family.OCI), (SECOND, Family.DOCKER))
    ]
    image = opened(tmp_path, files, add_index(files, entries))
    document = image.document(image.root)
    assert isinstance(document, Index)
    raw = to_json({**document.fields, "mediaType": index})
    blob = blob_of(raw)
    image = Image(
        image.name, image.root.changed(mediaType=index, digest=blob.digest, size=blob.size), {**image.blobs, blob.digest: blob}
    )
    mixed = manifests is None or (manifests is Family.DOCKER) != (index == DOCKER_INDEX)
    assert ("LK004" in {finding.code for finding in check(image, KNOWN.named("generic"), LIMITS[1])}) == mixed
    for profile in KNOWN:
        holds(image, profile, LIMITS[1])
    assert isinstance(parse_document(raw, "index"), Index)
