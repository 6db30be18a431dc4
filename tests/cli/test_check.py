"""`layerkit check`: each code by an image that has just that, exit codes, formats."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from layerkit.cli.main import run
from layerkit.image.digest import encoded, sha256
from layerkit.image.media_types import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_LAYER_ZSTD,
    DOCKER_MANIFEST,
    OCI_FOREIGN_LAYER,
    OCI_LAYER_GZIP,
)
from layerkit.report.findings import CODES
from tests import tar_building as tar
from tests.images import attested_archive, small
from tests.sources.builders import ATTESTED, Files, add_index, add_manifest, config, gzipped, layer, layout, put, write_tar

PROJECT = Path(__file__).resolve().parents[2]


def image(
    path: Path,
    layers: list[tuple[bytes, str]] | None = None,
    *,
    config_type: str = DOCKER_CONFIG,
    diff_ids: list[str] | None = None,
    drop: bytes | None = None,
    shorten: bytes | None = None,
    **more: Any,
) -> str:
    """A Docker manifest with gzip layers that the target takes, but for what is given."""
    files: Files = {}
    layers = [(gzipped(layer()), DOCKER_LAYER_GZIP)] if layers is None else layers
    ids = [sha256(layer())] * len(layers) if diff_ids is None else diff_ids
    fields = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": put(files, config(*ids, **more), config_type),
        "layers": [put(files, data, kind) for data, kind in layers],
    }
    entry = put(files, json.dumps(fields).encode(), DOCKER_MANIFEST)
    for data, replacement in ((drop, None), (shorten, (shorten or b"")[:-1])):
        if data is not None:
            name = f"blobs/sha256/{encoded(sha256(data))}"
            del files[name]
            if replacement is not None:
                files[name] = replacement
    return str(write_tar(path / "image.tar", layout(files, entry)))


def indexed(path: Path, *entries: Any, files: Files) -> str:
    return str(write_tar(path / "image.tar", layout(files, add_index(files, entries))))


REPLICATED = ("--profile", "replicated")


def codes(capsys: pytest.CaptureFixture[str], spec: str, *arguments: str) -> list[str]:
    exit_code = run(["check", spec, *(REPLICATED if "--profile" not in arguments else ()), *arguments])
    out = capsys.readouterr().out
    assert exit_code == (1 if out else 0)
    return [line.split()[0] for line in out.splitlines()]


def test_a_sound_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = image(tmp_path)
    assert codes(capsys, spec) == []
    assert codes(capsys, spec, "--deep") == []
    assert run(["check", spec, *REPLICATED]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"{spec}: replicated takes it, with layers of up to 1.00 GB\n")


GZ = gzipped(layer())
ZSTD = zstandard.compress(layer())


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("LK004", {"layers": [(GZ, OCI_LAYER_GZIP)]}),
        ("LK006", {"layers": [(ZSTD, DOCKER_LAYER_ZSTD)]}),
        ("LK007", {"layers": [(GZ, DOCKER_LAYER_ZSTD)]}),
        ("LK008", {"drop": GZ}),
        ("LK009", {"shorten": GZ}),
        ("LK010", {"layers": [(GZ, DOCKER_LAYER_GZIP)] * 126}),
        ("LK011", {"diff_ids": []}),
        ("LK012", {"history": [{"created_by": "a"}, {"created_by": "b"}]}),
        ("LK013", {"layers": [(GZ, DOCKER_LAYER_GZIP + "+encrypted")]}),
    ],
)
def test_one_finding_each(code: str, given: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert codes(capsys, image(tmp_path, **given)) == [code]


def test_a_layer_above_the_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = image(tmp_path)
    assert codes(capsys, spec, "--max-layer-size", str(len(GZ))) == []
    assert codes(capsys, spec, "--max-layer-size", str(len(GZ) - 1)) == ["LK001"]


def test_foreign_layers_need_not_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = image(tmp_path, [(GZ, DOCKER_LAYER_GZIP.replace("rootfs.diff", "rootfs.foreign.diff"))], drop=GZ)
    assert codes(capsys, spec) == ["LK013"]
    assert "nondistributable" in OCI_FOREIGN_LAYER


def test_indexes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files: Files = {}
    main = add_manifest(files, "a", platform={"os": "linux", "architecture": "amd64"})
    proof = add_manifest(files, "p", annotations=ATTESTED)
    gone = {**main, "digest": sha256(b"gone"), "platform": {"os": "linux", "architecture": "arm64"}}
    generic = ("--profile", "generic")
    assert codes(capsys, indexed(tmp_path, main, files=files), *generic) == ["LK003"]
    assert codes(capsys, indexed(tmp_path, main, proof, files=files), *generic) == ["LK002", "LK003"]
    assert codes(capsys, indexed(tmp_path, main, gone, files=files), *generic) == ["LK014"]
    assert codes(capsys, indexed(tmp_path, proof, files=files), *generic) == ["LK002", "LK015"]
    assert codes(capsys, indexed(tmp_path, main, files=files)) == ["LK003", "LK005"]


def test_deep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = gzipped(layer("other"))
    spec = image(tmp_path, [(other, DOCKER_LAYER_GZIP)])
    assert codes(capsys, spec) == []
    assert codes(capsys, spec, "--deep") == ["LK020"]


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = image(tmp_path, [(ZSTD, DOCKER_LAYER_ZSTD)])
    assert run(["check", spec, "--json", *REPLICATED]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["image"], found["profile"], found["limit"]) == (spec, "replicated", 1_000_000_000)
    (finding,) = found["findings"]
    assert finding["code"] == "LK006"
    assert finding["message"] == "compression zstd, replicated takes gzip"
    assert run(["check", image(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


def test_github(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "100%: a,b"
    folder.mkdir()
    assert run(["check", image(folder, [(ZSTD, DOCKER_LAYER_ZSTD)]), "--format", "github", *REPLICATED]) == 1
    line = capsys.readouterr().out.strip()
    assert line.startswith(f"::error title=LK006 {tmp_path}/100%25%3A a%2Cb/image.tar::LK006 linux/amd64 layer 1")


def test_what_cannot_be_read_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello")
    assert run(["check", str(tmp_path / "x")]) == 3
    assert run(["check", image(tmp_path), "--profile", "nobody"]) == 2


def test_every_code_is_explained() -> None:
    text = (PROJECT / "docs" / "checks.md").read_text()
    for code in (*CODES, "LK020"):
        assert f"| {code} |" in text


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("ghcr.io/org/worker:1.0", "ghcr"),
        ("quay.io/worker", "quay"),
        ("worker:1.0", "generic"),
        ("registry.example.com/a:1", "generic"),
    ],
)
def test_the_host_in_the_image_s_own_name_says_whose_limits(
    name: str, profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = attested_archive(tmp_path / "image.tar", [small()], name=name)
    run(["check", str(archive), "--json"])
    assert json.loads(capsys.readouterr().out)["profile"] == profile
    run(["check", str(archive), "--json", "--profile", "acr"])
    assert json.loads(capsys.readouterr().out)["profile"] == "acr"


def test_the_user_s_own_profiles_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    profiles(monkeypatch, tmp_path, '[mine]\nlike = "replicated"\nmax_layer_size = 100')
    assert codes(capsys, image(tmp_path), "--profile", "mine") == ["LK001"]


def profiles(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    (folder / "layerkit").mkdir()
    (folder / "layerkit" / "profiles.toml").write_text(text)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))


def test_as_many_layers_as_the_target_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    profiles(monkeypatch, tmp_path, '[few]\nlike = "replicated"\nmax_layers = 2')
    spec = image(tmp_path, [(GZ, DOCKER_LAYER_GZIP)] * 3)
    assert codes(capsys, spec, "--profile", "few") == ["LK010"]
    assert codes(capsys, spec) == []
    run(["check", spec, "--profile", "few"])
    assert "3 layers, few take 2" in capsys.readouterr().out


def test_splitting_makes_more_layers_than_are_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Told before anything is read."""
    data = random.Random(0).randbytes(400_000)
    spec = image(tmp_path, [(gzipped(data), DOCKER_LAYER_GZIP)], diff_ids=[sha256(data)])
    assert codes(capsys, spec, "--max-layer-size", "4000") == ["LK010", "LK001"]
    assert codes(capsys, spec, "--max-layer-size", "5000") == ["LK001"]


def test_an_index_where_none_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    profiles(monkeypatch, tmp_path, "[single]\nindexes = false")
    files: Files = {}
    one, two = (add_manifest(files, name, platform={"os": "linux", "architecture": name}) for name in ("amd64", "arm64"))
    spec = indexed(tmp_path, one, two, files=files)
    assert codes(capsys, spec, "--profile", "single") == ["LK019"]
    assert codes(capsys, spec, "--profile", "generic") == []


def test_a_manifest_that_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    profiles(monkeypatch, tmp_path, '[small]\nlike = "replicated"\nmax_manifest_size = 300')
    assert codes(capsys, image(tmp_path), "--profile", "small") == ["LK017"]


def test_a_file_that_may_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its size is in its header, which is all that is read of an uncompressed layer."""
    raw = tar.layer(tar.directory("data"), tar.file("data/model", bytes(300_000)), tar.file("data/note", bytes(10)))
    spec = image(tmp_path, [(raw, DOCKER_LAYER)], diff_ids=[sha256(raw)])
    arguments = ("--profile", "generic", "--max-layer-size")
    assert codes(capsys, spec, *arguments, "200000") == ["LK001", "LK018"]
    assert codes(capsys, spec, *arguments, "302000") == ["LK001"]
    run(["check", spec, *arguments, "200000"])
    assert "data/model has 300 kB, before it is compressed, the limit for a layer is 200 kB" in capsys.readouterr().out


@pytest.mark.parametrize("compress", [gzipped, zstandard.compress], ids=["gzip", "zstd"])
def test_a_file_that_fits_nowhere(tmp_path: Path, compress: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]) -> None:
    """In a compressed layer that shows when it is decoded; one that compresses well isn't meant."""
    noise = random.Random(1).randbytes(600_000)
    raw = tar.layer(tar.directory("d"), tar.file("d/zeros", bytes(900_000)), tar.file("d/noise", noise), tar.file("d/n", b"n"))
    kind = DOCKER_LAYER_GZIP if compress is gzipped else DOCKER_LAYER_ZSTD
    spec = image(tmp_path, [(compress(raw), kind)], diff_ids=[sha256(raw)])
    arguments = ("--profile", "generic", "--max-layer-size")
    assert codes(capsys, spec, *arguments, "200000") == ["LK001"]
    assert codes(capsys, spec, *arguments, "200000", "--deep") == ["LK001", "LK018"]
    assert codes(capsys, spec, *arguments, "590000", "--deep") == ["LK001"], "too near to be sure"
    run(["check", spec, *arguments, "200000", "--deep"])
    assert "d/noise (600 kB) takes about " in capsys.readouterr().out
