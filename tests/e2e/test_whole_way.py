"""From an image file to a real registry and back: the same filesystem, by other people's programs."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from layerkit.image.media_types import DOCKER_MANIFEST, OCI_MANIFEST, Compression
from tests import tar_building as tar
from tests.e2e.running import layerkit, needs_skopeo, needs_umoci, run
from tests.images import LIMIT, SECOND, Layer, add_attestation, add_image, attested_archive, large, small
from tests.registry.docker_registry import Served, docker_registry, needs_docker_registry
from tests.sources.builders import Files, add_index, docker_archive, layout, write_tar

pytestmark = [pytest.mark.real, needs_docker_registry, needs_skopeo, needs_umoci]

HISTORY = [{"created_by": "ADD"}, {"created_by": "COPY"}, {"created_by": "CMD", "empty_layer": True}]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def base() -> Layer:
    """Something for the layer above to change."""
    runs = [tar.directory("data", mode=0o700), tar.file("data/old", b"goes"), tar.directory("lib"), tar.file("lib/a", b"a")]
    return Layer(tar.layer(tar.directory("."), *runs))


def changing() -> Layer:
    """Several parts at LIMIT, with links between them, a whiteout, and a directory whose mode and time must survive."""
    noise = large(6).raw[:-1024]
    runs = [
        noise,
        tar.whiteout("data/old"),
        tar.hard_link("data/link", "data/file-0"),
        tar.symlink("lib64", "lib"),
        tar.file("lib64/b", b"b", mode=0o4755, mtime=1_500_000_000),
        tar.file("long-name-" * 20, b"x"),
        tar.directory("data", mode=0o750, uid=3, mtime=1_400_000_000),
    ]
    return Layer(tar.layer(*runs))


def unpacked(reference: str, place: Path) -> dict[str, tuple[object, ...]]:
    """What umoci makes of an image in the registry: every path with what lstat and its bytes say."""
    run("skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", f"docker://{reference}", f"oci:{place / 'oci'}:x")
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    run("umoci", "unpack", *rootless, "--image", f"{place / 'oci'}:x", place / "bundle")
    return tree(place / "bundle" / "rootfs")


def tree(root: Path) -> dict[str, tuple[object, ...]]:
    inodes: dict[int, str] = {}
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        name, about = str(path.relative_to(root)), path.lstat()
        what: object = None
        if stat.S_ISLNK(about.st_mode):
            what = path.readlink()
        elif stat.S_ISREG(about.st_mode):
            what = (path.read_bytes(), inodes.setdefault(about.st_ino, name))
        found[name] = (about.st_mode, about.st_uid, about.st_gid, about.st_mtime_ns, what)
    return found


def manifest_of(reference: str) -> dict[str, Any]:
    found = json.loads(run("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"))
    assert isinstance(found, dict)
    return found


def test_fix_and_push(tmp_path: Path, registry: Served) -> None:
    image = attested_archive(tmp_path / "image.tar", [base(), changing()], history=HISTORY)
    before, after = f"{registry.address}/app/before:1", f"{registry.address}/app/after:1"
    run("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", f"oci-archive:{image}", f"docker://{before}")
    ran = layerkit(tmp_path, "fix-and-push", image, after, "--max-layer-size", LIMIT, "--format", "docker")
    assert ran.code == 0, ran.err
    name, _, digest = ran.out.strip().partition("@")
    assert name == after
    manifest = manifest_of(f"{registry.address}/app/after@{digest}")
    assert manifest["mediaType"] == DOCKER_MANIFEST
    assert max(layer["size"] for layer in manifest["layers"]) <= LIMIT
    assert len(manifest["layers"]) >= 4
    (tmp_path / "b").mkdir()
    (tmp_path / "a").mkdir()
    assert unpacked(after, tmp_path / "a") == unpacked(before, tmp_path / "b")
    assert layerkit(tmp_path, "verify", image, f"docker://{after}").code == 0


def test_once_more_sends_nothing(tmp_path: Path, registry: Served) -> None:
    image = attested_archive(tmp_path / "image.tar", [base(), changing()])
    reference = f"{registry.address}/app/again:1"
    arguments = ("fix-and-push", image, reference, "--max-layer-size", LIMIT)
    first, second = (layerkit(tmp_path, *arguments) for _ in range(2))
    assert first.out == second.out != ""
    assert "sent 0 blobs" in second.err


@pytest.mark.parametrize("compression", [Compression.NONE, Compression.GZIP])
def test_fix_into_a_file(tmp_path: Path, registry: Served, compression: Compression) -> None:
    """skopeo and umoci read what was written."""
    layers = [base(), Layer(changing().raw, compression)]
    image = attested_archive(tmp_path / "image.tar", layers)
    reference = f"{registry.address}/app/file-{compression.value}"
    for name, path in (("before", image), ("after", tmp_path / "fixed.tar")):
        if name == "after":
            ran = layerkit(tmp_path, "fix", image, path, "--max-layer-size", LIMIT)
            assert ran.code == 0, ran.err
            assert ran.out.startswith("sha256:")
        run(
            "skopeo",
            "--insecure-policy",
            "copy",
            "--dest-tls-verify=false",
            f"oci-archive:{path}",
            f"docker://{reference}:{name}",
        )
        (tmp_path / name).mkdir()
    assert manifest_of(f"{reference}:after")["mediaType"] == OCI_MANIFEST
    assert unpacked(f"{reference}:before", tmp_path / "before") == unpacked(f"{reference}:after", tmp_path / "after")


def test_zstd_stays_zstd(tmp_path: Path, registry: Served) -> None:
    """umoci 0.4 doesn't take it; skopeo copies it and checks each blob's digest."""
    image = attested_archive(tmp_path / "image.tar", [base(), Layer(changing().raw, Compression.ZSTD)])
    reference = f"{registry.address}/app/zstd:1"
    assert layerkit(tmp_path, "fix-and-push", image, reference, "--max-layer-size", LIMIT).code == 0
    types = [layer["mediaType"].rpartition("+")[2] for layer in manifest_of(reference)["layers"]]
    assert types == ["gzip"] + ["zstd"] * (len(types) - 1)
    run("skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", f"docker://{reference}", f"dir:{tmp_path / 'dir'}")
    assert layerkit(tmp_path, "verify", image, f"docker://{reference}").code == 0


def test_a_classic_docker_archive(tmp_path: Path, registry: Served) -> None:
    image = write_tar(tmp_path / "image.tar", docker_archive(base().raw, changing().raw, tags=["worker:2"]))
    after = f"{registry.address}/app/classic:1"
    ran = layerkit(tmp_path, "fix-and-push", image, after, "--max-layer-size", LIMIT)
    assert ran.code == 0, ran.err
    assert all(layer["mediaType"].endswith("gzip") for layer in manifest_of(after)["layers"])
    before = f"{registry.address}/app/classic:0"
    run("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", f"docker-archive:{image}", f"docker://{before}")
    (tmp_path / "b").mkdir()
    (tmp_path / "a").mkdir()
    assert unpacked(after, tmp_path / "a") == unpacked(before, tmp_path / "b")


def test_several_platforms(tmp_path: Path, registry: Served) -> None:
    files: Files = {}
    one, two = add_image(files, [large(seed=1)]), add_image(files, [small(), large(seed=2)], platform=SECOND)
    entries = [one, add_attestation(files, one), two, add_attestation(files, two)]
    image = write_tar(tmp_path / "image.tar", layout(files, add_index(files, entries)))
    reference = f"{registry.address}/app/many:1"
    ran = layerkit(tmp_path, "fix-and-push", image, reference, "--max-layer-size", LIMIT)
    assert ran.code == 0, ran.err
    platforms = [entry["platform"]["architecture"] for entry in manifest_of(reference)["manifests"]]
    assert platforms == ["amd64", "arm64"]
    assert layerkit(tmp_path, "verify", image, f"docker://{reference}").code == 0


def test_from_a_pipe_into_a_pipe(tmp_path: Path, registry: Served) -> None:
    image = attested_archive(tmp_path / "image.tar", [changing()])
    ran = layerkit(
        tmp_path, "fix-and-push", "-", f"{registry.address}/app/pipe:1", "--max-layer-size", LIMIT, stdin=image.read_bytes()
    )
    assert ran.code == 0, ran.err
    assert layerkit(tmp_path, "verify", image, f"docker://{registry.address}/app/pipe:1").code == 0


def test_dry_run_sends_nothing(tmp_path: Path, registry: Served) -> None:
    image = attested_archive(tmp_path / "image.tar", [base(), changing()])
    arguments = ("fix-and-push", image, f"{registry.address}/app/dry:1", "--max-layer-size", LIMIT)
    plan = layerkit(tmp_path, *arguments, "--dry-run")
    assert plan.code == 0, plan.err
    assert max(map(len, plan.out.splitlines())) <= 80
    as_json = json.loads(layerkit(tmp_path, *arguments, "--dry-run", "--json").out)
    assert not any(blob["there"] for blob in as_json["blobs"])
    assert [layer["there"] for layer in as_json["planned"][0]["after"]] == [False] * len(as_json["planned"][0]["after"])
    pushed = layerkit(tmp_path, *arguments)
    assert as_json["reference"] == pushed.out.strip()
    again = json.loads(layerkit(tmp_path, *arguments, "--dry-run", "--json").out)
    assert all(blob["there"] for blob in again["blobs"])
