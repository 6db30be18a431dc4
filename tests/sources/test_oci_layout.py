"""OCI layouts: which image is meant, what is lazy, what is refused."""

import json
from pathlib import Path

import pytest

from layerkit.errors import DamagedError, ImageError, MissingBlobError, NotAnImageError, UsageError
from layerkit.image.blob import InputFile
from layerkit.image.digest import Digest
from layerkit.image.layout import CONTAINERD_NAME, REF_NAME
from layerkit.image.manifest import Index
from layerkit.image.media_types import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from layerkit.report.validation import validate
from layerkit.sources import open_image
from tests.sources.builders import (
    ATTESTED,
    Files,
    add_index,
    add_manifest,
    docker_archive,
    layer,
    layout,
    put,
    simple_layout,
    write_folder,
    write_tar,
)


@pytest.fixture(params=["tar", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    return request.param, tmp_path / "image"


def stored(place: tuple[str, Path], files: Files) -> str:
    kind, path = place
    return str(write_tar(path, files) if kind == "tar" else write_folder(path, files))


def test_one_entry_is_the_root(place: tuple[str, Path]) -> None:
    image = open_image(stored(place, simple_layout("a", "b")))
    assert image.root.media_type == OCI_MANIFEST
    assert image.kind == ("OCI archive" if place[0] == "tar" else "OCI layout")
    assert validate(image) == []
    assert len(list(image.blobs)) == 4


def test_a_nested_index_stays_an_index(place: tuple[str, Path]) -> None:
    files: Files = {}
    platform = {"os": "linux", "architecture": "amd64"}
    entries = [add_manifest(files, "a", platform=platform), add_manifest(files, "b", annotations=ATTESTED)]
    image = open_image(
        stored(place, layout(files, add_index(files, entries, annotations={CONTAINERD_NAME: "docker.io/me/app:1"})))
    )
    assert image.root.media_type == OCI_INDEX
    assert image.reference == "docker.io/me/app:1"
    assert len(image.platforms()) == 1
    assert len(image.referrers()) == 1


def test_several_unnamed_entries_are_an_index(place: tuple[str, Path]) -> None:
    files: Files = {}
    entries = [
        add_manifest(files, name, architecture=name, platform={"os": "linux", "architecture": name})
        for name in ("amd64", "arm64")
    ]
    image = open_image(stored(place, layout(files, *entries)))
    assert isinstance(image.document(image.root), Index)
    assert image.read(image.root) == layout(files, *entries)["index.json"]
    assert [str(platform.platform) for platform in image.platforms()] == ["linux/amd64", "linux/arm64"]
    assert validate(image) == []


def test_platforms_under_one_name_are_an_index(place: tuple[str, Path]) -> None:
    files: Files = {}
    named = {REF_NAME: "me/app:1"}
    entries = [add_manifest(files, name, architecture=name, annotations=named) for name in ("amd64", "arm64")]
    other = add_manifest(files, "c", annotations={REF_NAME: "me/other:1"})
    spec = stored(place, layout(files, *entries, other))
    with pytest.raises(UsageError, match=r"me/app:1 or @0.*me/other:1 or @2"):
        open_image(spec)
    assert len(open_image(f"oci:{spec}:me/app:1").platforms()) == 2
    assert open_image(f"oci:{spec}:docker.io/me/other:1").root.digest == other["digest"]
    assert open_image(f"oci:{spec}:@2").root.digest == other["digest"]
    with pytest.raises(UsageError, match="no image is named 'x'"):
        open_image(f"oci:{spec}:x")
    with pytest.raises(UsageError, match="there is no image @3; it holds 3"):
        open_image(f"oci:{spec}:@3")


def test_one_image_under_two_names_is_one(place: tuple[str, Path]) -> None:
    files: Files = {}
    entry = add_manifest(files, "a")
    spec = stored(place, layout(files, *({**entry, "annotations": {REF_NAME: name}} for name in ("me/a:1", "me/a:2"))))
    assert [name.text for name in open_image(spec).names] == ["me/a:1", "me/a:2"]
    assert [name.text for name in open_image(f"oci:{spec}:me/a:2").names] == ["me/a:2"]


@pytest.mark.parametrize(
    ("annotations", "reference"),
    [
        ({REF_NAME: "1.0"}, None),
        ({REF_NAME: "me/app:1.0"}, "me/app:1.0"),
        ({REF_NAME: "1.0", CONTAINERD_NAME: "docker.io/me/app:1.0"}, "docker.io/me/app:1.0"),
        ({}, None),
    ],
)
def test_a_tag_alone_is_no_reference(place: tuple[str, Path], annotations: dict[str, str], reference: str | None) -> None:
    files: Files = {}
    assert open_image(stored(place, layout(files, add_manifest(files, "a", annotations=annotations)))).reference == reference


def test_layers_are_not_read_on_opening(place: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    files: Files = {}
    entry = add_manifest(files, "x" * 100)
    big = {name for name, data in files.items() if data.startswith(b"\x1f\x8b")}
    spec = stored(place, layout({name: b"\0" * 5_000_000 if name in big else data for name, data in files.items()}, entry))
    read: list[int] = []
    original = InputFile.read_at

    def counting(self: InputFile, offset: int, size: int) -> bytes:
        read.append(size)
        return original(self, offset, size)

    monkeypatch.setattr(InputFile, "read_at", counting)
    open_image(spec).platforms()
    assert sum(read) < 20_000


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (b"", "index.json: expected JSON"),
        (b"[]", "index.json: expected a JSON object, found a list"),
        (b'{"manifests": null}', "lists no image"),
        (b'{"manifests": 3}', "manifests: expected a list"),
        (b'{"manifests": [{"digest": "sha256:0", "size": 1}]}', "expected a digest"),
        (b'{"schemaVersion": 2}', "lists no image"),
        (b"{" * 100_000, "index.json: expected JSON"),
    ],
)
def test_a_bad_index_is_refused(place: tuple[str, Path], index: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        open_image(stored(place, {**simple_layout(), "index.json": index}))


def test_missing_and_damaged_documents_are_refused(place: tuple[str, Path]) -> None:
    files = simple_layout()
    manifest = json.loads(files["index.json"])["manifests"][0]["digest"]
    name = "blobs/sha256/" + manifest.partition(":")[2]
    changed = files[name].replace(b"amd64", b"AMD64").replace(b"layers", b"LAYERS")
    with pytest.raises(DamagedError, match=f"blob {manifest}: expected content of that digest"):
        open_image(stored(place, {**files, name: changed}))
    with pytest.raises(DamagedError, match=r"expected [0-9,]+ bytes, found 3 bytes"):
        open_image(stored(place, {**files, name: b"abc"}))


def test_a_missing_manifest(tmp_path: Path) -> None:
    files = simple_layout()
    name = "blobs/sha256/" + json.loads(files["index.json"])["manifests"][0]["digest"].partition(":")[2]
    del files[name]
    with pytest.raises(MissingBlobError, match="is not in the image"):
        open_image(str(write_tar(tmp_path / "a.tar", files)))


def test_blobs_that_lie_are_caught_when_read(place: tuple[str, Path]) -> None:
    files: Files = {}
    entry = add_manifest(files, "a")
    (name,) = (name for name, data in files.items() if data.startswith(b"\x1f\x8b"))
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    image = open_image(stored(place, layout(files, entry)))
    descriptor = image.platforms()[0].manifest.layers[0]
    with pytest.raises(DamagedError, match="damaged or was altered"):
        for _ in image.blob(descriptor).verified(image.name):
            pass
    assert len(validate(image)) == 2


def test_a_layout_inside_its_folder(tmp_path: Path) -> None:
    files = {f"layout/{name}": data for name, data in simple_layout().items()}
    assert validate(open_image(str(write_tar(tmp_path / "a.tar", files)))) == []


def test_hybrids_are_read_by_their_oci_side(tmp_path: Path) -> None:
    docker = docker_archive(layer("d"), tags=["me/app:1"])
    image = open_image(str(write_tar(tmp_path / "a.tar", {**docker, **simple_layout("o")})))
    assert (image.kind, image.reference) == ("OCI archive", "me/app:1")


def test_hybrids_fall_back(tmp_path: Path) -> None:
    docker = docker_archive(layer("d"))
    empty = {"oci-layout": b"{}", "index.json": b'{"schemaVersion":2,"manifests":null}'}
    assert open_image(str(write_tar(tmp_path / "a.tar", {**docker, **empty}))).kind == "docker archive"
    files = simple_layout("o")
    for name in [name for name, data in files.items() if data.startswith(b"\x1f\x8b")]:
        del files[name]
    image = open_image(str(write_tar(tmp_path / "b.tar", {**docker, **files})))
    assert image.kind == "docker archive"
    assert validate(image) == []


def test_sha512_digests_are_read(tmp_path: Path) -> None:
    import hashlib

    files: Files = {}
    raw = json.dumps({"schemaVersion": 2, "config": put(files, b'{"rootfs":{}}', OCI_CONFIG), "layers": []}).encode()
    digest = hashlib.sha512(raw).hexdigest()
    files[f"blobs/sha512/{digest}"] = raw
    image = open_image(
        str(write_tar(tmp_path / "a", layout(files, {"mediaType": OCI_MANIFEST, "digest": f"sha512:{digest}", "size": len(raw)})))
    )
    assert Digest(f"sha512:{digest}") in image.blobs
    assert len(image.platforms()) == 1


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    for data, message in [
        (b"", "an empty file"),
        (b"\0" * 10240, "an empty tar"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\x06\0\0\0", "PNG image"),
        (b"hello", "ASCII text"),
    ]:
        path = tmp_path / "x.tar"
        path.write_bytes(data)
        with pytest.raises(NotAnImageError, match=rf"x\.tar: expected an image.*{message}"):
            open_image(str(path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotAnImageError, match="found an empty directory"):
        open_image(str(tmp_path / "empty"))
