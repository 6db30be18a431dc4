"""Docker archives: every way of naming things, what is trusted, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from layerkit.errors import DamagedError, ImageError, MissingBlobError, NotAnImageError, UsageError
from layerkit.image.digest import encoded, sha256
from layerkit.image.image import Image
from layerkit.image.media_types import DOCKER_LAYER, DOCKER_LAYER_GZIP, DOCKER_LAYER_ZSTD, DOCKER_MANIFEST
from layerkit.progress import Silent, Task
from layerkit.report.validation import validate
from layerkit.sources import open_image
from layerkit.sources.opening import open_image as opening
from tests.sources.builders import Files, config, docker_archive, gzipped, layer, tar, write_folder, write_tar


class Watching(Silent):
    """Collects the names of tasks: what took reading."""

    def __init__(self) -> None:
        self.tasks: list[str] = []

    def task(self, name: str, total: int) -> Task:
        self.tasks.append(name)
        return super().task(name, total)


def opened(tmp_path: Path, files: Files, spec: str = "docker-archive:{}") -> Image:
    return open_image(spec.format(write_tar(tmp_path / "image.tar", files)))


def with_item(files: Files, **changes: Any) -> Files:
    (item,) = json.loads(files["manifest.json"])
    return {**files, "manifest.json": json.dumps([{**item, **changes}]).encode()}


def test_a_manifest_is_made(tmp_path: Path) -> None:
    image = opened(tmp_path, docker_archive(layer("a"), layer("b")))
    assert image.root.media_type == DOCKER_MANIFEST
    assert (image.kind, image.reference) == ("docker archive", "app:1")
    manifest = image.platforms()[0].manifest
    assert [descriptor.media_type for descriptor in manifest.layers] == [DOCKER_LAYER] * 2
    assert [descriptor.digest for descriptor in manifest.layers] == [sha256(layer("a")), sha256(layer("b"))]
    assert validate(image) == []


def test_the_same_archive_gives_the_same_digest(tmp_path: Path) -> None:
    files = docker_archive(layer("a"), layer("b"))
    roots = {opened(tmp_path, order).root.digest for order in (files, dict(reversed(files.items())))}
    assert len(roots) == 1
    assert open_image(str(write_folder(tmp_path / "unpacked", files))).root.digest in roots


@pytest.mark.parametrize("name", ["{gz}.tar.gz", "sha256:{gz}.tar.gz", "blobs/sha256/{gz}", "{gz}"])
def test_a_digest_in_the_name_is_taken(tmp_path: Path, name: str) -> None:
    data = gzipped(layer())
    files = docker_archive(data, names=[name.format(gz=encoded(sha256(data)))])
    progress = Watching()
    image = opening(str(write_tar(tmp_path / "image.tar", files)), progress=progress)
    (descriptor,) = image.platforms()[0].manifest.layers
    assert (descriptor.digest, descriptor.media_type) == (sha256(data), DOCKER_LAYER_GZIP)
    assert progress.tasks == []
    assert validate(image) == []


@pytest.mark.parametrize("name", ["{raw}.tar", "{id}/layer.tar", "layer.tar", "{raw}.tar.gz"])
def test_without_one_the_layer_is_hashed_once(tmp_path: Path, name: str) -> None:
    data = gzipped(layer())
    path = name.format(raw=encoded(sha256(layer())), id="f" * 64)
    diff_id = sha256(layer())
    raw = config(diff_id, diff_id)
    files = {"c.json": raw, path: data, "manifest.json": json.dumps([{"Config": "c.json", "Layers": [path, path]}]).encode()}
    progress = Watching()
    image = opening(str(write_tar(tmp_path / "image.tar", files)), progress=progress)
    assert {descriptor.digest for descriptor in image.platforms()[0].manifest.layers} == {sha256(data)}
    assert progress.tasks == [f"hashing {path}"]
    assert validate(image) == []


def test_a_wrong_digest_in_the_name_is_caught_when_the_layer_is_read(tmp_path: Path) -> None:
    image = opened(tmp_path, docker_archive(gzipped(layer()), names=[f"{'0' * 64}.tar.gz"]))
    (descriptor,) = image.platforms()[0].manifest.layers
    with pytest.raises(DamagedError, match="expected content of that digest"):
        for _ in image.blob(descriptor).verified(image.name):
            pass


def test_a_layer_that_is_not_its_diff_id_is_caught_when_read(tmp_path: Path) -> None:
    files = docker_archive(layer("a"))
    image = opened(tmp_path, {**files, f"{0:064x}/layer.tar": layer("b")})
    assert any("expected content of that digest" in line for line in validate(image))


def test_zstd_layers(tmp_path: Path) -> None:
    import zstandard

    data = zstandard.compress(layer())
    files = {
        "c.json": config(sha256(layer())),
        "l": data,
        "manifest.json": json.dumps([{"Config": "c.json", "Layers": ["l"]}]).encode(),
    }
    assert opened(tmp_path, files).platforms()[0].manifest.layers[0].media_type == DOCKER_LAYER_ZSTD


@pytest.mark.parametrize(("data", "kind"), [(b"\xfd7zXZ\0", "xz"), (b"BZh9", "bzip2")])
def test_layers_no_registry_takes(tmp_path: Path, data: bytes, kind: str) -> None:
    files = {
        "c.json": config("sha256:" + "0" * 64),
        "a/layer.tar": data,
        "manifest.json": json.dumps([{"Config": "c.json", "Layers": ["a/layer.tar"]}]).encode(),
    }
    with pytest.raises(ImageError, match=f"layer a/layer.tar is compressed with {kind}"):
        opened(tmp_path, files)


@pytest.mark.parametrize("size", [0, 1024, 10240])
def test_empty_layers(tmp_path: Path, size: int) -> None:
    image = opened(tmp_path, docker_archive(layer(), bytes(size)))
    assert [descriptor.size for descriptor in image.platforms()[0].manifest.layers] == [len(layer()), size]
    assert validate(image) == []


def test_no_layers(tmp_path: Path) -> None:
    assert opened(tmp_path, docker_archive()).platforms()[0].manifest.layers == ()


def test_lower_case_keys(tmp_path: Path) -> None:
    files = docker_archive(layer())
    (item,) = json.loads(files["manifest.json"])
    lower = {key[0].lower() + key[1:]: value for key, value in item.items()}
    assert opened(tmp_path, {**files, "manifest.json": json.dumps([lower]).encode()}).reference == "app:1"


@pytest.mark.parametrize("tags", [None, []])
def test_no_name(tmp_path: Path, tags: object) -> None:
    assert opened(tmp_path, docker_archive(layer(), tags=tags)).reference is None


@pytest.mark.parametrize("config_name", ["{}.json", "sha256:{}", "blobs/sha256/{}", "config.json"])
def test_config_names(tmp_path: Path, config_name: str) -> None:
    raw = config(sha256(layer()))
    path = config_name.format(encoded(sha256(raw)))
    files = {
        path: raw,
        "l/layer.tar": layer(),
        "manifest.json": json.dumps([{"Config": path, "Layers": ["l/layer.tar"]}]).encode(),
    }
    assert validate(opened(tmp_path, files)) == []


def test_absolute_names_and_the_list_last(tmp_path: Path) -> None:
    files = docker_archive(layer())
    assert list(files)[-1] == "manifest.json"
    assert validate(opened(tmp_path, {f"/{name}": data for name, data in files.items()})) == []


def test_links_between_layers(tmp_path: Path) -> None:
    files = docker_archive(layer("a"), layer("a"), layer("a"), names=["1/layer.tar", "2/layer.tar", "3/layer.tar"])
    del files["2/layer.tar"], files["3/layer.tar"]
    path = tmp_path / "image.tar"
    path.write_bytes(tar(files, links={"2/layer.tar": "../1/layer.tar"}, hard={"3/layer.tar": "1/layer.tar"}))
    image = open_image(str(path))
    assert len({descriptor.digest for descriptor in image.platforms()[0].manifest.layers}) == 1
    assert validate(image) == []


def test_several_images(tmp_path: Path) -> None:
    first, second = docker_archive(layer("a"), tags=["a:1", "b:1"]), docker_archive(layer("b"), names=["b/layer.tar"], tags=None)
    items = [*json.loads(first["manifest.json"]), *json.loads(second["manifest.json"])]
    files = {**first, **second, "manifest.json": json.dumps(items).encode()}
    with pytest.raises(
        UsageError, match=r"several images; choose one with docker-archive:.*:NAME, where NAME is a:1 or b:1 or @0, @1"
    ):
        opened(tmp_path, files)
    assert opened(tmp_path, files, "docker-archive:{}:b:1").reference == "b:1"
    assert opened(tmp_path, files, "docker-archive:{}:docker.io/library/a:1").reference == "a:1"
    assert opened(tmp_path, files, "docker-archive:{}:@1").reference is None
    with pytest.raises(UsageError, match="no image is named 'c'; there is a:1"):
        opened(tmp_path, files, "docker-archive:{}:c")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"Layers": []}, DamagedError, "expected 1 layers, as many as .* has diff_ids, found 0"),
        ({"Layers": [f"{0:064x}/layer.tar"] * 2}, DamagedError, "expected 1 layers.*found 2"),
        ({"Layers": ["gone.tar"]}, MissingBlobError, "the layer gone.tar, which manifest.json lists, is not in the image"),
        ({"Layers": ["../up.tar"]}, DamagedError, "expected names inside the archive, found '../up.tar'"),
        ({"Layers": [3]}, DamagedError, "Layers: expected a list of names"),
        ({"Layers": "a"}, DamagedError, "Layers: expected a list of names, found a string"),
        ({"Config": "gone.json"}, MissingBlobError, "the config gone.json"),
        ({"Config": None}, DamagedError, "Config: expected the config's file name, found null"),
        ({"RepoTags": {}}, None, ""),
        ({"RepoTags": "a"}, DamagedError, "RepoTags: expected a list of names"),
    ],
)
def test_bad_lists(tmp_path: Path, changes: dict[str, Any], error: type[Exception] | None, message: str) -> None:
    files = with_item(docker_archive(layer()), **changes)
    if error is None:
        opened(tmp_path, files)
        return
    with pytest.raises(error, match=message):
        opened(tmp_path, files)


def test_a_config_that_is_not_its_name(tmp_path: Path) -> None:
    files = docker_archive(layer())
    (name,) = (name for name in files if name.endswith(".json") and name != "manifest.json")
    image = opened(tmp_path, {**files, name: files[name] + b" "})
    assert len(image.platforms()) == 1
    assert [f"{name}: the config isn't what its name says" in warning for warning in image.warnings] == [True]
    assert opened(tmp_path, files).warnings == ()


@pytest.mark.parametrize(
    ("manifest", "error"), [(b"[]", NotAnImageError), (b"null", DamagedError), (b"[3]", DamagedError), (b"{]", DamagedError)]
)
def test_no_list(tmp_path: Path, manifest: bytes, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"manifest\.json"):
        opened(tmp_path, {**docker_archive(layer()), "manifest.json": manifest})


def test_a_transport_that_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(NotAnImageError, match=r"index\.json: expected the index of an OCI layout, found no such file"):
        opened(tmp_path, docker_archive(layer()), "oci-archive:{}")
