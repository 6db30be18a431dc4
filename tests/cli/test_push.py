"""`layerkit push`: what it says before and after."""

import re
from pathlib import Path

import pytest

from layerkit.cli.main import run
from layerkit.errors import BlobTooSlowError
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.pusher.push import RegistryDestination
from layerkit.sandbox import Limits, Sandbox
from tests.images import attested_archive, small


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_known_target_s_refusals_come_first(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is better to hear of the attestation before everything was sent."""
    image = attested_archive(home / "image.tar", [small()])
    with Sandbox(home / "registry", Limits(attestations=False)) as sandbox:
        assert run(["push", str(image), f"{sandbox.address}/app/worker:1", "--profile", "replicated"]) == 5
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Replicated: pushing is deprecated since 2026-04-22")
    assert "warning: replicated is known to refuse this: LK002 1 attestation: " in err
    assert "error: " in err.splitlines()[-1]
    assert "400" in err.splitlines()[-1]


def test_an_unknown_target_may_take_anything(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = attested_archive(home / "image.tar", [small()])
    with Sandbox(home / "registry", Limits()) as sandbox:
        assert run(["push", str(image), f"docker://{sandbox.address}/app/worker:1"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{sandbox.address}/app/worker:1@sha256:")
    assert "warning" not in err


def test_a_layer_too_slow_for_the_edge(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The way on is named, ready to be copied."""

    def finish(self: RegistryDestination, image: Image) -> Digest:
        raise BlobTooSlowError("uploading layer 1 of 1: HTTP 524", image.root.digest)

    monkeypatch.setattr(RegistryDestination, "finish", finish)
    image = attested_archive(home / "image.tar", [small()])
    with Sandbox(home / "registry", Limits()) as sandbox:
        name = f"{sandbox.address}/app/worker:1"
        assert run(["push", str(image), name]) == 6
        assert f"layerkit fix-and-push {image} {name}\n" in capsys.readouterr().err


def test_v_tells_requests_and_no_query(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A Location's query may be a signature, wherever it is used."""
    image = attested_archive(home / "image.tar", [small()])
    with Sandbox(home / "registry", Limits()) as sandbox:
        assert run(["push", "-vv", str(image), f"{sandbox.address}/app/worker:1"]) == 0
        host = f"http://{sandbox.address}/v2/app/worker"
    err = capsys.readouterr().err
    assert re.search(rf"^POST {host}/blobs/uploads/ -> 202 in [0-9.]+ s$", err, re.MULTILINE), err
    assert re.search(rf"^PUT {host}/blobs/uploads/[0-9a-f]+ \([0-9,]+ bytes\) -> 201 in ", err, re.MULTILINE), err
    assert re.search(rf"^PUT {host}/manifests/1 ", err, re.MULTILINE), err
    assert "_state" not in err
    assert "?" not in err
    assert run(["push", str(image), f"{sandbox.address}/app/worker:1"]) == 6
    assert "POST" not in capsys.readouterr().err, "what one command asked for is over with it"


@pytest.mark.parametrize("command", ["push", "fix-and-push"])
def test_a_repository_that_has_to_be_made_first(home: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    image = attested_archive(home / "image.tar", [small()])
    with Sandbox(home / "registry", Limits(makes_repositories=False)) as sandbox:
        assert run([command, str(image), f"{sandbox.address}/app/worker:1", "--profile", "ecr"]) == 5
        assert not [request for request in sandbox.requests if request.method in ("PATCH", "PUT")]
    said = capsys.readouterr().err
    assert "HTTP 404 (NAME_UNKNOWN" in said
    assert "a push makes no repository at Amazon ECR: make app/worker first" in said
