"""Small files that were got wrong once, made after public reports: what is right for each.

Those that mean harm are refused by name, by every command, within the time and memory that anything may cost.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import layerkit
from layerkit.compression.decode import decoded
from layerkit.image.image import Image
from layerkit.image.manifest import Index, Manifest
from layerkit.image.media_types import OCI_INDEX
from layerkit.report.validation import validate
from tests.e2e.running import Measured, measured
from tests.fixtures import FIXTURES

CASES = FIXTURES / "cases"

MOST_MEMORY = 700_000_000
"""Bytes: what README promises."""
MOST_TIME = 30.0
"""Seconds: nothing here is large."""

LIMIT = 90_000

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the folder of cases is absent")


def case(name: str) -> Path:
    return CASES / name


def fixed(tmp_path: Path, name: str, *more: str, code: int = 0, limit: object = LIMIT) -> tuple[Measured, Path]:
    output = tmp_path / "fixed.tar"
    ran = bounded(measured(tmp_path, "fix", case(name), output, "--max-layer-size", limit, *more))
    assert ran.code == code, ran.err
    assert output.exists() == (code == 0)
    return ran, output


def bounded(ran: Measured) -> Measured:
    assert ran.seconds < MOST_TIME
    assert ran.peak < MOST_MEMORY
    return ran


def summary(tmp_path: Path, spec: object) -> dict[str, Any]:
    ran = bounded(measured(tmp_path, "inspect", spec, "--json"))
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def manifest_of(image: Image) -> Manifest:
    (found,) = image.platforms()
    return found.manifest


# What is an image, and what is about one


@pytest.mark.parametrize("command", ["inspect", "check", "fix"])
def test_two_images_without_names_are_two(tmp_path: Path, command: str) -> None:
    ran = measured(tmp_path, command, case("two-images-no-names"), *([tmp_path / "out.tar"] if command == "fix" else []))
    assert (ran.code, ran.out) == (2, "")
    assert "several images" in ran.err
    assert "@0, @1" in ran.err
    assert len({layerkit.open_image(f"oci:{case('two-images-no-names')}:@{number}").root.digest for number in (0, 1)}) == 2


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("cosign-image.tar", ["signature"]),
        ("cosign-save", ["signature", "attestation"]),
        ("referrer-unnamed.tar", ["SBOM"]),
        ("soci-v2", ["SOCI index"]),
    ],
)
def test_what_is_about_an_image_is_no_platform(tmp_path: Path, name: str, kinds: list[str]) -> None:
    found = summary(tmp_path, case(name))
    assert [platform["platform"] for platform in found["platforms"]] == ["linux/amd64"]
    assert sorted(about["kind"] for about in found["attestations"] + found["referrers"]) == sorted(kinds)
    ran, output = fixed(tmp_path, name, "--save-attestations", str(tmp_path / "saved"), limit=150_000)
    assert all(f"1 {kind}" in ran.err for kind in kinds)
    assert ("sign what is published" in ran.err) == ("signature" in kinds)
    assert len(list((tmp_path / "saved").glob("*.manifest.json"))) == len(kinds)
    image = layerkit.open_image(output)
    assert isinstance(image.document(image.root), Manifest)
    assert image.referrers() == []
    assert validate(image) == []
    assert layerkit.verify(layerkit.open_image(case(name)), image) == []
    assert "com.amazon.soci.index-digest" not in str(manifest_of(image).fields)


@pytest.mark.parametrize("name", ["cosign-image.tar", "cosign-save", "referrer-unnamed.tar", "soci-v2"])
def test_it_stays_where_nothing_changes_and_the_target_takes_it(tmp_path: Path, name: str) -> None:
    before = layerkit.open_image(case(name))
    _, output = fixed(tmp_path, name, "--keep-attestations", limit="1GB")
    after = layerkit.open_image(output)
    assert after.root.digest == before.root.digest
    assert [about.descriptor.digest for about in after.referrers()] == [about.descriptor.digest for about in before.referrers()]
    assert validate(after) == []


def test_no_list_names_a_manifest_of_the_other_family(tmp_path: Path) -> None:
    ran, output = fixed(tmp_path, "referrer-unnamed.tar", "--profile", "replicated", "--keep-attestations", limit="1GB")
    image = layerkit.open_image(output)
    types = {descriptor.media_type for descriptor, _ in image.walk()}
    assert all(media_type.startswith("application/vnd.docker.") for media_type in types)
    assert "1 SBOM" in ran.err


# Windows, and keys in any case


def test_windows_layers_are_never_split(tmp_path: Path) -> None:
    ran, _ = fixed(tmp_path, "windows-oci.tar", code=4)
    assert "of a Windows image, whose layers can't be split" in ran.err
    _, output = fixed(tmp_path, "windows-oci.tar", "--allow-oversized")
    before, after = layerkit.open_image(case("windows-oci.tar")), layerkit.open_image(output)
    assert [layer.digest for layer in manifest_of(after).layers] == [layer.digest for layer in manifest_of(before).layers]


def test_a_config_whose_keys_are_in_another_case(tmp_path: Path) -> None:
    image = layerkit.open_image(case("rootfS-key.tar"))
    assert len(image.platforms()[0].config.diff_ids) == 1
    _, output = fixed(tmp_path, "rootfS-key.tar")
    config = json.loads(layerkit.open_image(output).platforms()[0].config.raw)
    assert len(config["rootfs"]["diff_ids"]) == 2
    assert "rootfS" not in config
    assert config["config"] == {"User": "ContainerUser", "Cmd": ["c:\\windows\\system32\\cmd.exe"]}
    assert layerkit.verify(image, layerkit.open_image(output)) == []


# Names


def test_bare_names_survive(tmp_path: Path) -> None:
    for name in ("v1", "v2"):
        ran = measured(tmp_path, "fix", f"oci:{case('bare-tags')}:{name}", f"oci:{tmp_path}/out")
        assert ran.code == 0, ran.err
    for name in ("v1", "v2"):
        before = layerkit.open_image(f"oci:{case('bare-tags')}:{name}")
        assert layerkit.open_image(f"oci:{tmp_path}/out:{name}").root.digest == before.root.digest


# Annotations of layers


@pytest.mark.parametrize("prefix", ["io.containers.zstd-chunked.", "io.github.containers.zstd-chunked."])
def test_annotations_of_offsets_go_with_the_bytes(tmp_path: Path, prefix: str) -> None:
    folder = tmp_path / "layout"
    shutil.copytree(case("zstd-chunked"), folder)
    image = layerkit.open_image(folder)
    raw = image.read(image.root).replace(b"io.containers.zstd-chunked.", prefix.encode())
    index = Index(b"", OCI_INDEX, (), {}).with_entries(
        [image.root.changed(digest=layerkit.image.digest.sha256(raw), size=len(raw))]
    )
    (folder / "index.json").chmod(0o644)
    (folder / "index.json").write_bytes(index.raw)
    (folder / "blobs/sha256").chmod(0o755)
    (folder / "blobs/sha256" / index.entries[0].digest.partition(":")[2]).write_bytes(raw)
    assert prefix in str(manifest_of(layerkit.open_image(folder)).layers[0].annotations)
    ran = measured(tmp_path, "fix", folder, tmp_path / "out.tar", "--max-layer-size", LIMIT)
    assert ran.code == 0, ran.err
    layers = manifest_of(layerkit.open_image(tmp_path / "out.tar")).layers
    assert len(layers) > 1
    assert not any("zstd-chunked" in str(layer.annotations) for layer in layers)
    ran = measured(tmp_path, "fix", folder, tmp_path / "kept.tar")
    assert ran.code == 0, ran.err
    assert prefix in str(manifest_of(layerkit.open_image(tmp_path / "kept.tar")).layers[0].annotations)


# Harm


def test_line_breaks_in_a_name_write_no_lines(tmp_path: Path) -> None:
    for command in ("inspect", "check"):
        ran = bounded(measured(tmp_path, command, case("inject.tar")))
        assert (ran.code, ran.out) == (3, "")
        assert not [line for line in ran.err.splitlines() if line.startswith("::")]
        assert r"x\n::error file=app.js,line=1::pwned\n" in ran.err


@pytest.mark.parametrize("target", ["../secret/config.json", "/etc/hostname", "/proc/self/environ"])
def test_a_link_leads_to_nothing_outside(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "docker-archive-with-link"
    shutil.copytree(case("docker-archive-with-link"), folder)
    shutil.copytree(case("secret"), tmp_path / "secret")
    (folder / "c.json").unlink()
    (folder / "c.json").symlink_to(target)
    for command in ("inspect", "check", "verify"):
        ran = bounded(measured(tmp_path, command, folder, *([folder] if command == "verify" else [])))
        assert (ran.code, ran.out) == (3, "")
        assert "c.json: expected a file inside the folder, found a link that leads out of it" in ran.err
    ran = measured(tmp_path, "fix", folder, tmp_path / "out.tar")
    assert ran.code == 3
    assert not (tmp_path / "out.tar").exists()


HOSTILE = {
    "chain5.tar": (3, "extension headers of at most 4,194,304 bytes for one member"),
    "paxsize-layer.tar": (3, "offset 0: expected a pax size in bytes, found b'9"),
    "outer31.tar.zst": (3, "takes more than 256 MiB of memory"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("command", ["fix", "fix zstd", "verify", "inspect --files", "check --deep", "inspect", "check"])
def test_what_means_harm_is_refused_by_name(tmp_path: Path, name: str, command: str) -> None:
    code, says = HOSTILE[name]
    output = tmp_path / "out.tar"
    arguments: dict[str, list[object]] = {
        "fix": ["fix", case(name), output, "--max-layer-size", "400KB"],
        "fix zstd": ["fix", case(name), output, "--compression", "zstd"],
        "verify": ["verify", case(name), _other(tmp_path)],
        "inspect --files": ["inspect", case(name), "--files"],
        "check --deep": ["check", case(name), "--deep", "--profile", "generic"],
        "inspect": ["inspect", case(name)],
        "check": ["check", case(name)],
    }
    ran = bounded(measured(tmp_path, *arguments[command]))
    # A layer that stays one part, in another compression, is proven by its diff_id: its members aren't looked at.
    looks = command not in ("inspect", "check", "check --deep", "fix zstd")
    reads_layers = looks and not (command == "fix" and name == "paxsize-layer.tar")
    if reads_layers or name == "outer31.tar.zst":
        assert ran.code == code, ran.err
        assert says in ran.err
        assert not output.exists()
    else:
        assert ran.code in (0, 1), ran.err


def _other(tmp_path: Path) -> Path:
    """An image to compare with."""
    ran = measured(tmp_path, "fix", case("cosign-image.tar"), tmp_path / "other.tar", "--platform", "linux/amd64")
    assert ran.code == 0, ran.err
    return tmp_path / "other.tar"


def test_members_that_index_bytes_are_known_to_be_left_out(tmp_path: Path) -> None:
    _, output = fixed(tmp_path, "estargz")
    before, after = layerkit.open_image(case("estargz")), layerkit.open_image(output)
    names = {"stargz.index.json", ".no.prefetch.landmark", ".prefetch.landmark"}
    assert not any(name.encode() in bytes(chunk) for blob in _layers(after) for chunk in decoded(blob, "x") for name in names)
    assert layerkit.verify(before, after) == []


def _layers(image: Image) -> list[Any]:
    return [image.blob(layer).content for layer in manifest_of(image).layers]
