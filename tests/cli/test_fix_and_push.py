"""`layerkit fix-and-push`: what it reuses, and what it learns, from run to run."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

import layerkit
from layerkit.cli.main import run
from layerkit.compression.decode import decoded
from layerkit.image.blob import Blob, blob_of
from layerkit.image.digest import sha256
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor, new_manifest
from layerkit.pusher import arrival
from layerkit.sandbox import Limits, Sandbox
from layerkit.sources import open_image
from tests import tar_building as tar
from tests.images import attested_archive, large, small
from tests.pusher.images import client_of

LIMIT = 150_000


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def archive(home: Path) -> Path:
    return attested_archive(home / "image.tar", [small(), large(8, 50_000)])


def pulled(sandbox: Sandbox, name: str = "app/worker:1") -> Image:
    return open_image(f"docker://{sandbox.address}/{name}", connect=lambda registry: client_of(registry, plain_http=True))


def with_other_blobs(fixed: Image, other: dict[str, Blob]) -> Image:
    """The image, by its config; with these blobs in the place of some of its layers, which the config knows nothing of."""
    found = fixed.platforms()[0]
    layers = []
    for layer in found.manifest.layers:
        blob = other.get(layer.digest)
        layers.append(Descriptor.of(layer.media_type, blob.digest, blob.size) if blob is not None else layer)
    manifest = new_manifest(found.manifest.media_type, found.manifest.config, layers)
    blobs = {**fixed.blobs, manifest.digest: blob_of(manifest.raw), **{blob.digest: blob for blob in other.values()}}
    return replace(fixed, root=manifest.descriptor(), blobs=blobs)


def parts_of(fixed: Image, source: Image) -> list[Blob]:
    kept = {layer.digest for layer in source.platforms()[0].manifest.layers}
    return [fixed.blob(layer) for layer in fixed.platforms()[0].manifest.layers if layer.digest not in kept]


def push(sandbox: Sandbox, archive: Path, *options: str) -> int:
    return run(["fix-and-push", str(archive), f"{sandbox.address}/app/worker:1", *options])


def test_a_config_that_claims_our_layers_over_other_blobs(home: Path, archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever may push to a tag could have had anything published under the next one."""
    source = open_image(str(archive))
    fixed = layerkit.fix(source, max_layer_size=LIMIT)
    foreign = blob_of(gzip.compress(tar.layer(tar.file("etc/passwd", b"root::0:0::/:/bin/sh\n"))))
    poisoned = with_other_blobs(fixed, {part.digest: foreign for part in parts_of(fixed, source)[:1]})
    with Sandbox(home / "registry", Limits()) as sandbox:
        layerkit.push(poisoned, f"{sandbox.address}/app/worker:1")
        assert push(sandbox, archive, "--max-layer-size", str(LIMIT)) == 0
        result = pulled(sandbox)
        assert foreign.digest not in {layer.digest for layer in result.platforms()[0].manifest.layers}
        assert layerkit.verify(source, result) == []
    assert "gets other files than it claims" in capsys.readouterr().err


def test_what_is_there_in_another_form_is_not_sent(home: Path, archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first time it is read back, the second time that is remembered."""
    source = open_image(str(archive))
    fixed = layerkit.fix(source, max_layer_size=LIMIT)
    part = parts_of(fixed, source)[0]
    raw = b"".join(bytes(data) for data in decoded(part.content, "part"))
    other = blob_of(gzip.compress(raw, 9, mtime=1))
    assert other.digest != part.digest
    assert sha256(raw) in fixed.platforms()[0].config.diff_ids
    with Sandbox(home / "registry", Limits()) as sandbox:
        layerkit.push(with_other_blobs(fixed, {part.digest: other}), f"{sandbox.address}/app/worker:1")
        for words in ("it was read back", "layerkit decoded it on"):
            sandbox.requests.clear()
            assert push(sandbox, archive, "--max-layer-size", str(LIMIT)) == 0
            assert words in capsys.readouterr().err
            reads = [request for request in sandbox.requests if request.method == "GET" and other.digest in request.path]
            assert len(reads) == (words == "it was read back")
            assert other.digest in {layer.digest for layer in pulled(sandbox).platforms()[0].manifest.layers}
            assert layerkit.verify(source, pulled(sandbox)) == []


def test_the_next_run_begins_with_what_was_learned(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that never commits more than 400 kB: found out once, kept to the next time, and tried anew with --forget."""
    monkeypatch.setattr(arrival, "_PATIENCE", 0.2)
    archive = attested_archive(home / "image.tar", [small(), large(20, 50_000)])
    source = open_image(str(archive))
    with Sandbox(home / "registry", Limits(max_blob=400_000)) as sandbox:

        def timeouts() -> int:
            return sum(request.status == 524 for request in sandbox.requests)

        assert push(sandbox, archive) == 0
        assert "would have avoided this" in capsys.readouterr().err
        assert timeouts() == 1
        assert layerkit.verify(source, pulled(sandbox)) == []
        sandbox.requests.clear()
        assert push(sandbox, archive) == 0
        told = capsys.readouterr().err
        assert "blobs have at most" in told
        assert "--forget" in told
        assert timeouts() == 0
        assert push(sandbox, archive, "--forget") == 0
        assert timeouts() == 1
