"""Inputs that were made to run away: each is read or refused by name, within the time and memory that anything may cost."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerkit.errors import DamagedError
from layerkit.image.digest import sha256
from layerkit.image.layout import REF_NAME
from layerkit.image.media_types import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST
from layerkit.sources import open_image, outer_tar
from tests import tar_building
from tests.e2e.running import measured
from tests.sources.builders import (
    Files,
    add_index,
    add_manifest,
    config,
    docker_archive,
    gzipped,
    layer,
    layout,
    put,
    simple_layout,
    write_tar,
)

MOST_MEMORY = 700_000_000
"""Bytes: what README promises."""
MOST_TIME = 30.0
"""Seconds."""

PLATFORM = {"os": "linux", "architecture": "amd64"}


def nested_lists() -> Files:
    """Seven indexes that each list the one below 3,000 times: 2 * 10**24 paths to one manifest."""
    files: Files = {}
    entry = add_manifest(files, "a", platform=PLATFORM)
    for _ in range(7):
        entry = add_index(files, [{**entry, "annotations": {"number": str(number)}} for number in range(3000)])
    return layout(files, entry)


def layers(count: int) -> Files:
    files: Files = {}
    raw = layer("a")
    fields = json.loads(config(*[sha256(raw)] * count))
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": put(files, json.dumps(fields).encode(), OCI_CONFIG),
        "layers": [put(files, gzipped(raw), OCI_LAYER_GZIP)] * count,
    }
    return layout(files, put(files, json.dumps(manifest).encode(), OCI_MANIFEST))


def history() -> Files:
    files: Files = {}
    raw = layer("a")
    fields = {**json.loads(config(sha256(raw))), "history": [{"empty_layer": True}] * 10_001}
    manifest = {
        "schemaVersion": 2,
        "config": put(files, json.dumps(fields).encode(), OCI_CONFIG),
        "layers": [put(files, gzipped(raw), OCI_LAYER_GZIP)],
    }
    return layout(files, put(files, json.dumps(manifest).encode(), OCI_MANIFEST))


def names() -> Files:
    files: Files = {}
    entry = add_manifest(files, "a")
    return layout(files, *({**entry, "annotations": {REF_NAME: f"me/app:{number}"}} for number in range(20_000)))


def document(text: bytes) -> Files:
    return {**simple_layout("a"), "index.json": text}


CASES: dict[str, tuple[Callable[[], Files], str]] = {
    # what is refused, or nothing
    "nested lists": (nested_lists, ""),
    "many layers": (lambda: layers(10_000), ""),
    "more layers": (lambda: layers(10_001), "layers: expected at most 10,000, found 10,001"),
    "long history": (history, "history: expected at most 10,000, found 10,001"),
    "many names": (names, ""),
    "brackets": (lambda: document(b'{"manifests":[' + b"[]," * 5_000_000 + b"[]]}"), "found more than 500,000 values"),
    "nesting": (lambda: document(b'{"manifests":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "nested more than 64 deep"),
    "a large document": (lambda: document(b'{"x":"' + b"x" * (17 << 20) + b'"}'), "a JSON document of at most 16,777,216 bytes"),
    "a long number": (lambda: document(b'{"schemaVersion":' + b"9" * 5000 + b"}"), "a number of 5,000 digits"),
    "a large size": (
        lambda: document(json.dumps({"manifests": [{"digest": sha256(b""), "size": 1 << 63}]}).encode()),
        "size: expected a number of bytes",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_command(tmp_path: Path, name: str) -> None:
    make, says = CASES[name]
    image = write_tar(tmp_path / "image.tar", make())
    commands: list[list[Any]] = [
        ["inspect", image],
        ["check", image, "--deep"],
        ["fix", image, tmp_path / "out.tar"],
        ["fix", image, f"oci:{tmp_path}/out", "--profile", "replicated", "--keep-attestations"],
        ["verify", image, image],
    ]
    for command in commands:
        ran = measured(tmp_path, *command)
        assert ran.seconds < MOST_TIME
        assert ran.peak < MOST_MEMORY
        assert ran.code == 3 if says else ran.code in (0, 1), ran.err
        assert says in ran.err


def deep_folders() -> bytes:
    """Each of 2,000 members in 1,900 directories of its own, by extension headers: 3 MB as gzip."""
    return tar_building.layer(*(tar_building.file(f"{number}/" + "d/" * 1900 + "f") for number in range(2000)))


def many_folders() -> bytes:
    """Each of 30,000 members in 44 directories of its own: no header says more than it must."""
    return tar_building.layer(*(tar_building.file(f"{number}/" + "d/" * 44 + "f") for number in range(30_000)))


def folders_behind_links() -> bytes:
    """Each of 300 members is behind 40 symlinks, each of which leads through 8,000 names to the next."""
    links = [tar_building.symlink(f"s{number}", "x/../" * 2500 + f"s{number + 1}") for number in range(38)]
    files = [tar_building.file(f"s0/{number}/f") for number in range(3000)]
    return tar_building.layer(tar_building.directory("x"), *links, tar_building.directory("s38"), *files)


def long_links() -> bytes:
    """Symlinks that make a path longer each time one is followed."""
    links = [tar_building.symlink("d/" * number + "l", "d/" * 4000) for number in range(40)]
    return tar_building.layer(*links, tar_building.file("l/" * 40 + "f"))


LAYERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "deep folders": (deep_folders, "found more (no real layer has them)"),
    "many folders": (many_folders, "expected paths that lead through at most"),
    "folders behind links": (folders_behind_links, "symlinks above it that have led through at most"),
    "long links": (long_links, ""),
}


@pytest.mark.parametrize("name", LAYERS)
def test_every_command_that_reads_layers(tmp_path: Path, name: str) -> None:
    make, says = LAYERS[name]
    noise = random.Random(1).randbytes(300_000)
    large = [tar_building.file(f"large{at}", noise[at : at + 50_000]) for at in range(0, len(noise), 50_000)]
    hostile = b"".join(large) + make()
    base = write_tar(tmp_path / "base.tar", docker_archive(tar_building.layer(*large)))
    image = write_tar(tmp_path / "image.tar", docker_archive(tar_building.layer(*large), hostile))
    commands: list[list[Any]] = [
        ["inspect", image, "--files"],
        ["check", image, "--deep"],
        ["fix", image, tmp_path / "out.tar", "--max-layer-size", "100kB"],
        ["verify", base, image],
        ["diff", base, image],
    ]
    for command in commands:
        ran = measured(tmp_path, *command)
        assert ran.seconds < MOST_TIME
        assert ran.peak < MOST_MEMORY
        refused = 1 if command[0] == "check" else 3
        assert ran.code == refused if says else ran.code in (0, 1), f"{command}: {ran.err}"
        assert says in ran.err + ran.out, command


def test_the_tar_around_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = write_tar(tmp_path / "image.tar", simple_layout("a"))
    for name, value in (("MAX_MEMBERS", 4), ("MAX_NAMES", 100)):
        with monkeypatch.context() as patched:
            patched.setattr(outer_tar, name, value)
            with pytest.raises(DamagedError, match="expected an image of at most"):
                open_image(str(image))
    assert open_image(str(image)).platforms()
