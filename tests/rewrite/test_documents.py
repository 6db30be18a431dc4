"""Manifests, configs and indexes after a rewrite."""

import json
from pathlib import Path
from typing import Any

import pytest

import layerkit
from layerkit.errors import CannotFixError, DamagedError, UsageError
from layerkit.filesystem import verify
from layerkit.image.layout import REF_NAME
from layerkit.image.manifest import Index, Manifest
from layerkit.image.media_types import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Compression, Family
from layerkit.profiles import GENERIC, REPLICATED
from layerkit.rewrite import FixOptions, fix_image, options_for
from tests.images import (
    FIRST,
    LIMIT,
    SECOND,
    Layer,
    add_attestation,
    add_image,
    large,
    manifest_list,
    opened,
    raw_layers,
    small,
)
from tests.rewrite.rewriting import fixed
from tests.sources.builders import Files, add_index, add_manifest, docker_archive, layout, put, write_tar


def test_what_need_not_change_keeps_its_bytes(tmp_path: Path) -> None:
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [small(), small("b")], manifest={"annotations": {"a": "b"}}))
    result = fixed(image)
    assert (result.image.root, result.changes, result.taken_out) == (image.root, (), ())


def test_kept_layers_keep_their_bytes_and_digest(tmp_path: Path) -> None:
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [small("a"), large(), small("b")]))
    result = fixed(image)
    before, after = (each.platforms()[0].manifest.layers for each in (image, result.image))
    assert (after[0], after[-1]) == (before[0], before[-1])
    assert result.image.blobs[after[0].digest] is image.blobs[before[0].digest]
    assert len(after) > len(before)
    assert all(layer.size <= LIMIT for layer in after)
    assert not verify(image, result.image)


@pytest.mark.parametrize("annotated", [True, False])
def test_attestations_go(tmp_path: Path, annotated: bool) -> None:
    files: Files = {}
    one, two = add_image(files, [small()]), add_image(files, [small("b")], platform=SECOND)
    attestations = [add_attestation(files, each, annotated=annotated) for each in (one, two)]
    image = opened(tmp_path, files, add_index(files, [one, attestations[0], two, attestations[1]], annotations={"kept": "yes"}))
    result = fixed(image)
    index = result.image.document(result.image.root)
    assert isinstance(index, Index)
    assert [entry.digest for entry in index.entries] == [one["digest"], two["digest"]]
    assert [found.descriptor.digest for found in result.taken_out] == [each["digest"] for each in attestations]
    assert not result.image.referrers()


def test_index_of_one_becomes_its_manifest(tmp_path: Path) -> None:
    files: Files = {}
    one = add_image(files, [small()])
    image = opened(tmp_path, files, add_index(files, [add_index(files, [one, add_attestation(files, one)])]))
    result = fixed(image)
    assert result.image.root.digest == one["digest"]
    assert isinstance(result.image.document(result.image.root), Manifest)
    kept = fixed(image, collapse=False).image
    assert [type(document) for _, document in kept.walk()] == [Index, Index, Manifest]


def test_attestations_that_stay_name_the_new_manifest(tmp_path: Path) -> None:
    files: Files = {}
    one = add_image(files, [large()])
    image = opened(tmp_path, files, add_index(files, [add_attestation(files, one), one]))
    index = (result := fixed(image, keep_attestations=True).image).document(result.root)
    assert isinstance(index, Index)
    attestation, new = index.entries
    assert new.digest != one["digest"]
    assert attestation.annotations["vnd.docker.reference.digest"] == new.digest
    assert attestation.annotations["vnd.docker.reference.type"] == "attestation-manifest"


def test_nothing_but_attestations(tmp_path: Path) -> None:
    files: Files = {}
    gone = {"digest": "sha256:" + 64 * "0"}
    image = opened(tmp_path, files, add_index(files, [add_attestation(files, gone)]))
    with pytest.raises(CannotFixError, match="nothing is left"):
        fixed(image)


def test_nested_index(tmp_path: Path) -> None:
    files: Files = {}
    one, two = add_image(files, [large(seed=1)]), add_image(files, [large(seed=2)], platform=SECOND)
    inner = add_index(files, [one, add_attestation(files, one)], annotations={"inner": "1"})
    image = opened(tmp_path, files, add_index(files, [inner, two], annotations={"outer": "1"}))
    result = fixed(image).image
    outer = result.document(result.root)
    assert isinstance(outer, Index)
    assert result.root.annotations == {"outer": "1"}
    assert outer.entries[0].annotations == {"inner": "1"}
    new_inner = result.document(outer.entries[0])
    assert isinstance(new_inner, Index)
    assert [str(found.platform) for found in result.platforms()] == [SECOND, FIRST]
    assert not verify(image, result)


def test_sparse_index(tmp_path: Path) -> None:
    """`docker save` of one platform lists the others, whose blobs aren't there."""
    files: Files = {}
    one = add_image(files, [small()])
    absent = {**one, "digest": "sha256:" + 64 * "1", "platform": {"os": "linux", "architecture": "s390x"}}
    image = opened(tmp_path, files, add_index(files, [absent, one]))
    result = fixed(image)
    assert [descriptor.digest for descriptor in result.absent] == [absent["digest"]]
    assert result.image.root.digest == one["digest"]


@pytest.mark.parametrize("wanted", [SECOND, "linux/arm64/v8"])
def test_platform(tmp_path: Path, wanted: str) -> None:
    files: Files = {}
    one, two = add_image(files, [large()]), add_image(files, [small()], platform="linux/arm64/v8")
    image = opened(tmp_path, files, add_index(files, [one, two]))
    result = fixed(image, platforms=(wanted,))
    assert result.image.root.digest == two["digest"]
    assert result.changes == (), "what isn't wanted isn't split either"


def test_platform_that_is_not_there(tmp_path: Path) -> None:
    files: Files = {}
    one, two = add_image(files, [small()]), add_image(files, [small()], platform=SECOND)
    image = opened(tmp_path, files, add_index(files, [one, two]))
    with pytest.raises(UsageError, match=r"no image for --platform linux/s390x; there is linux/amd64, linux/arm64"):
        fixed(image, platforms=("linux/s390x",))


def test_family_conversion(tmp_path: Path) -> None:
    files: Files = {}
    manifests = [
        add_image(files, [small(), large()], platform=each, manifest={"annotations": {"a": "b"}}) for each in (FIRST, SECOND)
    ]
    image = opened(tmp_path, files, add_index(files, manifests, annotations={"a": "b"}))
    docker = fixed(image, profile=REPLICATED).image
    assert docker.root.media_type == DOCKER_INDEX
    assert {found.manifest.media_type for found in docker.platforms()} == {DOCKER_MANIFEST}
    assert all("annotations" not in found.manifest.fields for found in docker.platforms()), "schema 2 has none"
    assert not verify(image, docker)
    oci = fixed(docker, family=Family.OCI).image
    assert oci.root.media_type == OCI_INDEX
    assert {found.manifest.media_type for found in oci.platforms()} == {OCI_MANIFEST}
    assert not verify(image, oci)


def test_family_alone_changes_no_layer(tmp_path: Path) -> None:
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [small(), small("b")]))
    result = fixed(image, family=Family.DOCKER)
    assert result.changes == ()
    digests = [[layer.digest for layer in each.platforms()[0].manifest.layers] for each in (image, result.image)]
    assert digests[0] == digests[1]


def test_docker_family_is_kept(tmp_path: Path) -> None:
    files: Files = {}
    entries = [add_image(files, [large(seed=each)], platform=(FIRST, SECOND)[each], family=Family.DOCKER) for each in (0, 1)]
    image = opened(tmp_path, files, manifest_list(files, entries))
    result = fixed(image).image
    assert result.root.media_type == DOCKER_INDEX
    assert not verify(image, result)


HISTORY: list[dict[str, Any]] = [
    {"created": "2024-01-01T00:00:00Z", "created_by": "ADD base"},
    {"created": "2024-01-02T00:00:00Z", "created_by": "ENV A=b", "empty_layer": True},
    {"created": "2024-01-03T00:00:00Z", "created_by": "COPY data", "comment": "buildkit.dockerfile.v0"},
    {"created": "2024-01-04T00:00:00Z", "created_by": "CMD x", "empty_layer": True},
]


def test_history_in_step(tmp_path: Path) -> None:
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [small(), large()], history=HISTORY))
    config = fixed(image).image.platforms()[0].config
    lines: list[Any] = [line.fields for line in config.history]
    parts = len(config.diff_ids) - 1
    assert parts >= 3
    assert lines[:2] == HISTORY[:2]
    assert lines[-1] == HISTORY[-1]
    assert lines[2:-1] == [
        {**HISTORY[2], "comment": f"buildkit.dockerfile.v0; part {number} of {parts} (layerkit)"}
        for number in range(1, parts + 1)
    ]


@pytest.mark.parametrize("history", [None, HISTORY[:1]])
def test_history_that_does_not_fit_stays(tmp_path: Path, history: Any) -> None:
    """None in, none out; one that doesn't match the layers is passed on."""
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [small(), large()], history=history))
    # Not through `fixed`, which wants history and layers in step.
    config = fix_image(image, options_for(GENERIC, max_layer_size=LIMIT)).image.platforms()[0].config
    assert config.fields.get("history") == history


def test_every_other_field_of_the_config_stays(tmp_path: Path) -> None:
    files: Files = {}
    extra = {"created": "2024-01-01T00:00:00Z", "moby.buildkit.cache.v0": "x", "author": "é", "config": {"Labels": {"a": "b"}}}
    image = opened(tmp_path, files, add_image(files, [large()], config=extra))
    before, after = (each.platforms()[0].config.fields for each in (image, fixed(image).image))
    assert {**after, "rootfs": None} == {**before, "rootfs": None}
    assert list(after) == list(before)
    assert after["rootfs"]["type"] == "layers"


def test_subject_and_annotations_of_the_manifest_stay(tmp_path: Path) -> None:
    files: Files = {}
    more = {"annotations": {"a": "b"}, "subject": {"mediaType": OCI_MANIFEST, "digest": "sha256:" + 64 * "2", "size": 5}}
    image = opened(tmp_path, files, add_image(files, [large()], manifest=more))
    after = fixed(image).image.platforms()[0].manifest
    assert {key: after.fields[key] for key in more} == more


def test_the_entry_in_the_index_follows(tmp_path: Path) -> None:
    """Its annotations, platform and unknown fields stay, its digest, size and type follow; embedded data goes."""
    files: Files = {}
    one = {**add_image(files, [large()], annotations={"a": "b"}, urls=["https://example.com"]), "data": "eHh4"}
    two = add_image(files, [small()], platform=SECOND)
    image = opened(tmp_path, files, add_index(files, [one, two]))
    result = fixed(image).image
    index = result.document(result.root)
    assert isinstance(index, Index)
    entry = dict(index.entries[0].fields)
    assert (entry.pop("digest"), entry.pop("size")) == (result.platforms()[0].manifest.digest, index.entries[0].size)
    assert entry == {key: one[key] for key in ("mediaType", "platform", "annotations", "urls")}


def test_same_input_same_digest(tmp_path: Path) -> None:
    layers = [
        large(seed=1),
        Layer(large(seed=2, folder="more").raw, Compression.NONE),
        large(seed=3, compression=Compression.ZSTD),
    ]
    digests = set()
    for jobs in (1, 2, 3):
        files: Files = {}
        image = opened(tmp_path, files, add_image(files, layers))
        digests.add(fixed(image, jobs=jobs).image.root.digest)
    assert len(digests) == 1


def test_fixing_twice_changes_nothing_more(tmp_path: Path) -> None:
    files: Files = {}
    once = fixed(opened(tmp_path, files, add_image(files, [large(), small()]))).image
    twice = fixed(once)
    assert (twice.image.root, twice.changes) == (once.root, ())


def test_a_layer_listed_twice_is_split_once(tmp_path: Path) -> None:
    files: Files = {}
    shared = large()
    entries = [add_image(files, [shared, shared]), add_image(files, [shared, small()], platform=SECOND)]
    result = fixed(opened(tmp_path, files, add_index(files, entries)))
    assert len(result.changes) == 1
    first, second = raw_layers(result.image, 0), raw_layers(result.image, 1)
    half = len(first) // 2
    assert first[:half] == first[half:] == second[:-1]


def test_too_many_layers(tmp_path: Path) -> None:
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [large(files=130, size=40_000)]))
    with pytest.raises(
        CannotFixError, match=r"131 layers would result of 1, and docker takes at most 125; raise --max-layer-size"
    ):
        fixed(image, limit=70_000)


def test_many_layers_that_were_there_are_let_through(tmp_path: Path) -> None:
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [small(str(number)) for number in range(130)]))
    assert fixed(image).image.root == image.root


def test_diff_ids_that_do_not_match_in_number(tmp_path: Path) -> None:
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [small(), large()], diff_ids=["sha256:" + 64 * "3"]))
    with pytest.raises(DamagedError, match=r"manifest [0-9a-f]{12}: expected 2 diff_ids in the config, one per layer, found 1"):
        fixed(image)


def test_a_diff_id_that_is_wrong(tmp_path: Path) -> None:
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [large()], diff_ids=["sha256:" + 64 * "3"]))
    with pytest.raises(DamagedError, match=r"uncompressed layer: expected diff_id sha256:3333.*found sha256:"):
        layerkit.fix(image, max_layer_size=LIMIT)


def test_rewritten_documents_are_compact_json(tmp_path: Path) -> None:
    files: Files = {}
    after = fixed(opened(tmp_path, files, add_image(files, [large()]))).image
    found = after.platforms()[0]
    for raw in (found.manifest.raw, found.config.raw):
        assert json.dumps(json.loads(raw), separators=(",", ":")).encode() == raw


# Windows


@pytest.mark.parametrize("said", ["index", "config", "both", "archive"])
@pytest.mark.parametrize("spelled", ["windows", "Windows"])
@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.NONE])
def test_windows_layers_are_never_split(tmp_path: Path, said: str, spelled: str, compression: Compression) -> None:
    """Compressed they may be: the tar stays what it was."""
    layer = Layer(large().raw, compression)
    files: Files = {}
    if said == "archive":
        more = {"os": spelled}
        source = write_tar(
            tmp_path / "in.tar", docker_archive(layer.blob if compression is Compression.GZIP else layer.raw, **more)
        )
        image = layerkit.open_image(source)
    else:
        entry = add_image(files, [layer], config={"os": spelled} if said != "index" else {})
        if said != "config":
            entry["platform"] = {"os": spelled, "architecture": "amd64"}
        image = opened(tmp_path, files, add_index(files, [entry]))
    with pytest.raises(CannotFixError, match="of a Windows image, whose layers can't be split"):
        fix_image(image, options_for(GENERIC, max_layer_size=LIMIT))
    after = fix_image(image, options_for(GENERIC, max_layer_size=LIMIT, allow_oversized=True)).image.platforms()[0].manifest
    assert [kept.digest for kept in after.layers] == [kept.digest for kept in image.platforms()[0].manifest.layers]
    result = fix_image(image, options_for(GENERIC, max_layer_size=10_000_000))
    (only,) = result.image.platforms()[0].manifest.layers
    assert only.media_type.endswith("gzip")
    assert len(result.changes) == (compression is Compression.NONE)


# What is about them


def add_about(files: Files, media_type: str, subject: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    layer = put(files, json.dumps({"about": media_type}).encode(), media_type)
    config = put(files, b"{}", "application/vnd.oci.empty.v1+json")
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}
    document |= {"subject": {key: subject[key] for key in ("mediaType", "digest", "size")}} if subject else {}
    return put(files, json.dumps(document).encode(), OCI_MANIFEST, **fields)


SIGNATURE = "application/vnd.dev.cosign.simplesigning.v1+json"
STATEMENT = "application/vnd.in-toto+json"
SBOM = "application/spdx+json"


@pytest.mark.parametrize("inside", [True, False], ids=["in the index", "beside it"])
@pytest.mark.parametrize("changes", [True, False])
@pytest.mark.parametrize("keep", [True, False])
def test_what_is_about_an_image_goes_stays_or_follows(tmp_path: Path, inside: bool, changes: bool, keep: bool) -> None:
    files: Files = {}
    one = add_image(files, [large() if changes else small()])
    sbom = add_about(files, SBOM, one)
    about = [add_about(files, STATEMENT, one), sbom, add_about(files, SIGNATURE, one), add_about(files, SIGNATURE, sbom)]
    if inside:
        image = opened(tmp_path, files, add_index(files, [one, *about]))
    else:
        image = layerkit.open_image(write_tar(tmp_path / "in.tar", layout(files, one, *about)))
    assert [str(found.platform) for found in image.platforms()] == [FIRST]
    result = fixed(image, keep_attestations=keep)
    kinds = [found.kind.value for found in result.image.referrers()]
    assert kinds == (
        [] if not keep else ["attestation", "SBOM"] if changes else ["attestation", "SBOM", "signature", "signature"]
    )
    assert len(result.taken_out) == 4 - len(kinds)
    new = result.image.platforms()[0].manifest.digest
    assert (new != one["digest"]) == changes
    assert all(found.subject == new for found in result.image.referrers() if found.kind.value != "signature")
    assert bool(result.image.beside) == (keep and not inside)


def test_a_signature_that_says_nothing_is_about_all_of_it(tmp_path: Path) -> None:
    for layer, kept in ((small(), 1), (large(), 0)):
        files: Files = {}
        entries = [add_image(files, [layer]), add_image(files, [small("b")], platform=SECOND)]
        image = layerkit.open_image(
            write_tar(tmp_path / "in.tar", layout(files, add_index(files, entries), add_about(files, SIGNATURE)))
        )
        assert len(image.beside) == 1
        assert len(fixed(image, keep_attestations=True).image.beside) == kept


def test_what_is_about_another_image_is_not_brought_along(tmp_path: Path) -> None:
    files: Files = {}
    one, two = (add_image(files, [small(text)], annotations={REF_NAME: f"me/{text}:1"}) for text in ("a", "b"))
    source = write_tar(tmp_path / "in.tar", layout(files, one, two, add_about(files, SBOM, one), add_about(files, SBOM, two)))
    for entry in (one, two):
        image = layerkit.open_image(f"oci-archive:{source}:{entry['annotations'][REF_NAME]}")
        assert [found.subject for found in image.referrers()] == [entry["digest"]]


def test_an_index_of_something_else_stays_one(tmp_path: Path) -> None:
    """What its entry says it is, is no manifest, whatever it holds."""
    files: Files = {}
    entry = {**add_manifest(files, "a"), "mediaType": "application/vnd.oci.image.layer.v1.tar"}
    source = layerkit.open_image(write_tar(tmp_path / "image.tar", layout(files, add_index(files, [entry]))))
    fixed = fix_image(source, FixOptions(max_layer_size=100_000, collapse_index=True)).image
    assert len(source.platforms()) == len(fixed.platforms()) == 0
