"""`layerkit inspect`: tables for people, JSON for programs, layers unread."""

import io
import json
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from layerkit.cli.main import run
from layerkit.image.blob import InputFile
from layerkit.image.digest import sha256, short
from layerkit.sources import open_image
from tests.fixtures import FIXTURES
from tests.sources.builders import (
    ATTESTED,
    Files,
    add_index,
    add_manifest,
    config,
    docker_archive,
    layer,
    layout,
    put,
    simple_layout,
    write_tar,
)


@pytest.fixture
def attested(tmp_path: Path) -> str:
    files: Files = {}
    main = add_manifest(files, "a" * 100, "b" * 5000, platform={"os": "linux", "architecture": "amd64"})
    predicate = {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"}
    statement = put(files, b'{"_type":"statement"}', "application/vnd.in-toto+json", annotations=predicate)
    proof = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put(files, config(), "application/vnd.oci.image.config.v1+json"),
        "layers": [statement],
    }
    entry = put(files, json.dumps(proof).encode(), str(proof["mediaType"]))
    about = {**ATTESTED, "vnd.docker.reference.digest": main["digest"]}
    gone = {**main, "digest": sha256(b"gone"), "platform": {"os": "linux", "architecture": "arm64"}}
    root = add_index(
        files, [main, {**entry, "annotations": about}, gone], annotations={"io.containerd.image.name": "a.example/b:1"}
    )
    return str(write_tar(tmp_path / "image.tar", layout(files, root)))


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["inspect", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_a_table(attested: str, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = open_image(attested).platforms()[0].manifest
    large = max(manifest.layers, key=lambda descriptor: descriptor.size)
    out = shown(capsys, attested, "--max-layer-size", str(large.size - 1))
    assert "OCI archive, 1 platform" in out
    assert "name: a.example/b:1" in out
    assert f"linux/amd64 · OCI manifest {short(manifest.digest)}" in out
    assert all(short(descriptor.digest) in out for descriptor in manifest.layers)
    assert "https://slsa.dev/provenance/v0.2" in out
    assert "listed, but not in the file: linux/arm64" in out
    assert f"above the limit of {large.size - 1} B: {short(large.digest)}" in out
    assert all(line == line.rstrip() for line in out.splitlines())


def test_json(attested: str, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = json.loads(shown(capsys, attested, "--json"))
    image = open_image(attested)
    assert (found["kind"], found["reference"], found["digest"]) == ("OCI archive", "a.example/b:1", image.root.digest)
    (platform,) = found["platforms"]
    assert platform["platform"] == "linux/amd64"
    assert [one["digest"] for one in platform["layers"]] == [one.digest for one in image.platforms()[0].manifest.layers]
    assert {one["compression"] for one in platform["layers"]} == {"gzip"}
    assert platform["size"] == found["size"] == sum(one["size"] for one in platform["layers"])
    (attestation,) = found["attestations"]
    assert attestation["predicateTypes"] == ["https://slsa.dev/provenance/v0.2"]
    assert attestation["subject"] == platform["digest"]
    assert found["absent"] == ["linux/arm64"]
    assert not any(one["exceedsLimit"] for one in platform["layers"])


def test_a_page(attested: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the layers, and with what `check` finds."""
    limit = max(descriptor.size for descriptor in open_image(attested).platforms()[0].manifest.layers) - 1
    options = ["--max-layer-size", str(limit), "--profile", "replicated"]
    page = tmp_path / "page.html"
    assert run(["inspect", attested, "--html", str(page), *options]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{page}: written" in err
    found = json.loads(page.read_text().split('<script id="data" type="application/json">')[1].split("</script>")[0])
    assert (found["name"], found["limit"]) == (open_image(attested).name, limit)
    assert found["platforms"][0]["overCount"] == 1
    assert run(["check", attested, "--json", *options]) == 1
    checked = json.loads(capsys.readouterr().out)["findings"]
    assert [finding["code"] for finding in found["findings"]] == [finding["code"] for finding in checked]
    assert [child.name for child in tmp_path.iterdir() if "partial" in child.name] == []


def test_a_page_that_cannot_be_written(attested: str, tmp_path: Path) -> None:
    assert run(["inspect", attested, "--html", str(tmp_path / "nowhere" / "page.html")]) == 4


def test_commands_and_escapes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history: list[dict[str, Any]] = [
        {"created_by": "/bin/sh -c #(nop) ADD file:1 in / "},
        {"created_by": "ENV A=b", "empty_layer": True},
        {"created_by": "RUN /bin/sh -c echo \x1b[2J [red]x[/red] # buildkit"},
    ]
    path = write_tar(tmp_path / "image.tar", docker_archive(layer("a"), layer("b"), history=history))
    out = shown(capsys, str(path))
    assert "ADD file:1 in /" in out
    assert "RUN echo \\x1b[2J [red]x[/red]" in out
    assert "ENV" not in out
    assert json.loads(shown(capsys, str(path), "--json"))["platforms"][0]["layers"][1]["createdBy"] == history[2]["created_by"]


def test_compression_is_what_the_bytes_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files: Files = {}
    fields = {
        "schemaVersion": 2,
        "config": put(files, config(sha256(layer())), "application/vnd.oci.image.config.v1+json"),
        "layers": [put(files, layer(), "application/vnd.oci.image.layer.v1.tar+gzip")],
    }
    entry = put(files, json.dumps(fields).encode(), "application/vnd.oci.image.manifest.v1+json")
    path = str(write_tar(tmp_path / "image.tar", layout(files, entry)))
    assert "tar, mislabelled" in shown(capsys, path)
    assert json.loads(shown(capsys, path, "--json"))["platforms"][0]["layers"][0]["compression"] == "none"


def test_a_missing_layer_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {name: data for name, data in simple_layout("a").items() if not data.startswith(b"\x1f\x8b")}
    path = str(write_tar(tmp_path / "image.tar", files))
    assert "tar+gzip, missing" in shown(capsys, path)


def test_one_platform_of_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files: Files = {}
    entries = [
        add_manifest(files, name, architecture=name, platform={"os": "linux", "architecture": name})
        for name in ("amd64", "arm64")
    ]
    path = str(write_tar(tmp_path / "image.tar", layout(files, add_index(files, entries))))
    assert len(json.loads(shown(capsys, path, "--json"))["platforms"]) == 2
    (platform,) = json.loads(shown(capsys, path, "--json", "--platform", "linux/arm64"))["platforms"]
    assert platform["platform"] == "linux/arm64"
    assert run(["inspect", path, "--platform", "linux/riscv64"]) == 2
    assert "no platform linux/riscv64; there is linux/amd64, linux/arm64" in capsys.readouterr().err


def test_standard_input(attested: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(attested).read_bytes())))
    assert "standard input" in shown(capsys, "-")


def test_no_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_bytes(b"hello")
    assert run(["inspect", str(tmp_path / "x")]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {tmp_path}/x: expected an image")


def test_ten_gigabytes_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A sparse file with a layer of 10 GB: what is read is counted, and the whole command timed."""
    files = docker_archive(b"", names=["big/layer.tar"])
    path = write_tar(tmp_path / "image.tar", {name: data for name, data in files.items() if name != "big/layer.tar"})
    member = tarfile.TarInfo("big/layer.tar")
    member.size = 10_000_000_000
    head = _without_end(path.read_bytes())
    with path.open("wb") as file:
        file.write(head + member.tobuf(tarfile.GNU_FORMAT))
        file.seek(member.size + -member.size % 512, io.SEEK_CUR)
        file.write(bytes(1024))
    read: list[int] = []
    original = InputFile.read_at

    def counting(self: InputFile, offset: int, size: int) -> bytes:
        read.append(size)
        return original(self, offset, size)

    with monkeypatch.context() as patched:
        patched.setattr(InputFile, "read_at", counting)
        assert "10.0 GB" in shown(capsys, str(path))
    assert sum(read) < 50_000
    times = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "layerkit.cli", "inspect", str(path)], check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    assert min(times) < 2, "much slower than the 0.25 s it takes on an idle machine"


def _without_end(data: bytes) -> bytes:
    """A tar without its end blocks: whole members."""
    end = len(data)
    while data[end - 512 : end] == bytes(512):
        end -= 512
    return data[:end]


@pytest.mark.parametrize("path", sorted((FIXTURES / "images").glob("*/*")), ids=lambda path: path.name)
def test_real_images(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["inspect", str(path)])
    out, err = capsys.readouterr()
    assert code in (0, 2, 3)
    assert (out == "") == (code != 0)
    assert "Traceback" not in err
