"""`layerkit batch`: lists, results, what is left, the second time."""

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import layerkit
from layerkit.batch.results import Status
from layerkit.cli.main import run
from layerkit.errors import UsageError
from layerkit.image.blob import InputFile
from layerkit.image.image import Image
from layerkit.sandbox import Limits, Sandbox
from layerkit.sources import files as files_module
from layerkit.sources import open_image
from layerkit.sources.spool import spool_file
from tests.batch.many import bases, many_images, write_list
from tests.images import add_image, attested_archive, large, small
from tests.pusher.images import client_of
from tests.sources.builders import Files, layout, write_folder, write_tar


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CI_NODE_INDEX", "CI_NODE_TOTAL", "JOB_COMPLETION_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pulled(sandbox: Sandbox, name: str) -> Image:
    return open_image(f"docker://{sandbox.address}/{name}", connect=lambda registry: client_of(registry, plain_http=True))


def batch(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    capsys.readouterr()
    code = run(["batch", *arguments])
    told = capsys.readouterr()
    return code, [json.loads(line) for line in told.out.splitlines()], told.err


def test_one_that_fails_does_not_end_the_others(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attested_archive(home / "a.tar", [small("a")])
    attested_archive(home / "c.tar", [small("c")])
    Path("broken.tar").write_bytes(b"no image" * 200)
    with Sandbox(home / "registry", Limits()) as sandbox:
        at = sandbox.address
        Path("list").write_text(f"a.tar {at}/a:1\nbroken.tar {at}/b:1  # oh\nc.tar {at}/c:1\nnot-there.tar {at}/d:1\n")
        code, results, told = batch(capsys, "list", "--failed", "left")
        assert code == 1
        assert {result["reference"]: result["status"] for result in results} == {
            f"{at}/a:1": "done",
            f"{at}/b:1": "failed",
            f"{at}/c:1": "done",
            f"{at}/d:1": "failed",
        }
        assert {result["exit_code"] for result in results if result["status"] == "failed"} == {3}
        assert "2 done" in told
        assert sorted(Path("left").read_text().splitlines()) == [f"broken.tar {at}/b:1", f"not-there.tar {at}/d:1"]

        attested_archive(home / "broken.tar", [small("b")])
        attested_archive(home / "not-there.tar", [small("d")])
        code, results, _ = batch(capsys, "left", "--failed", "left")
        assert code == 0
        assert len(results) == 2
        assert Path("left").read_text() == ""


def test_what_is_shared_is_split_and_sent_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = large(8, 50_000)
    sources = [attested_archive(home / f"{name}.tar", [base, small(name)]) for name in ("one", "two", "three")]
    with Sandbox(home / "registry", Limits()) as sandbox:
        Path("list").write_text("".join(f"{path.name} {sandbox.address}/{path.stem}:1\n" for path in sources))
        code, results, _ = batch(capsys, "list", "--max-layer-size", "150kB")
        assert code == 0
        uploads = [request for request in sandbox.requests if request.method == "PUT" and "/blobs/uploads/" in request.path]
        parts = pulled(sandbox, "one:1").platforms()[0].manifest.layers
        assert len(uploads) == len(parts) - 1 + 3 + 3, "the base's parts, and a layer and a config of each image"
        assert sum(result["bytes_sent"] for result in results) < 1.1 * len(base.blob)
        for path in sources:
            assert layerkit.verify(open_image(str(path)), pulled(sandbox, f"{path.stem}:1")) == []


def test_the_second_time_is_one_request_each_and_a_tag_that_was_replaced_is_noticed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many_images(home / "layout", 6, bases(1, 2, 20_000))
    with Sandbox(home / "registry", Limits()) as sandbox:
        write_list(Path("list"), home / "layout", sandbox.address, 6)
        assert batch(capsys, "list")[0] == 0
        sandbox.requests.clear()
        code, results, _ = batch(capsys, "list")
        assert code == 0
        assert {result["status"] for result in results} == {"unchanged"}
        assert sum("/manifests/" in request.path for request in sandbox.requests) == 6
        assert not any("/blobs/" in request.path for request in sandbox.requests)

        attested_archive(home / "other.tar", [small("other")])
        layerkit.push(open_image("other.tar"), f"{sandbox.address}/team0/app0:v0")
        code, results, told = batch(capsys, "list")
        assert code == 0
        (again,) = [result for result in results if result["status"] == "done"]
        assert again["reference"].endswith("team0/app0:v0")
        assert again["replaced"]
        assert "somebody else" in told

        code, results, _ = batch(capsys, "list", "--format", "docker")
        assert {result["status"] for result in results} == {"done"}, "other options are another result"
        code, results, _ = batch(capsys, "list", "--format", "docker", "--state", "elsewhere")
        assert {result["status"] for result in results} == {"done"}, "another record knows of nothing"


def several(*names: str) -> Files:
    made: Files = {}
    entries = [
        add_image(made, [small(name)], annotations={"org.opencontainers.image.ref.name": f"quay.io/team/{name}"})
        for name in names
    ]
    return layout(made, *entries)


@pytest.mark.parametrize("form", ["folder", "archive", "compressed"])
def test_a_file_stands_for_all_that_it_holds(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    opened: list[str] = []

    def spool(file: InputFile, *more: Any) -> InputFile:
        opened.append(file.name)
        return spool_file(file, *more)

    monkeypatch.setattr(files_module, "spool_file", spool)
    if form == "folder":
        write_folder(home / "bundle", several("web:1", "tool:2"))
    else:
        write_tar(home / "bundle", several("web:1", "tool:2"))
        if form == "compressed":
            Path("bundle").write_bytes(gzip.compress(Path("bundle").read_bytes()))
    with Sandbox(home / "registry", Limits()) as sandbox:
        at = sandbox.address
        Path("list").write_text(f"bundle to={at}/mirror\n")
        code, results, _ = batch(capsys, "list")
        assert code == 0
        assert {result["reference"] for result in results} == {f"{at}/mirror/team/web:1", f"{at}/mirror/team/tool:2"}
        assert len(opened) == (form == "compressed"), "once, however many it holds"
        lines = "".join(f"{result['image']} {result['reference']}\n" for result in results)
        Path("again").write_text(lines)
        code, again, _ = batch(capsys, "again")
        assert {result["status"] for result in again} == {"unchanged"}, "a line for each is as good"


def test_what_docker_save_writes(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.sources.builders import docker_archive
    from tests.tar_building import file, layer

    found = docker_archive(layer(file("a", b"a")), tags=("web:1", "quay.io/team/web:2"))
    write_tar(home / "saved.tar", found)
    with Sandbox(home / "registry", Limits()) as sandbox:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"saved.tar\n")))
        code, results, _ = batch(capsys, "-", "--to", f"{sandbox.address}/mirror/")
        assert code == 0
        tags = {result["reference"].partition("/mirror/")[2] for result in results}
        assert tags == {"web:1", "team/web:2"}


def test_a_line_has_options_of_its_own(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attested_archive(home / "a.tar", [large(8, 50_000)])
    with Sandbox(home / "registry", Limits()) as sandbox:
        at = sandbox.address
        Path("list").write_text(f"a.tar {at}/a:1\na.tar {at}/a:2 max-layer-size=150kB format=docker keep-attestations=false\n")
        assert batch(capsys, "list")[0] == 0
        assert len(pulled(sandbox, "a:1").platforms()[0].manifest.layers) == 1
        small_one = pulled(sandbox, "a:2").platforms()[0].manifest
        assert len(small_one.layers) > 1
        assert "docker" in small_one.media_type


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a.tar host.example/a:1 max-layersize=1GB", "there is no such key"),
        ("a.tar host.example/a:1 allow-oversized=yes", "expected one of true, false"),
        ("a.tar host.example/a:1 platform=linux", "not a platform"),
        ("a.tar", "has no REFERENCE"),
        ("a.tar host.example/a:1\nb.tar host.example/a:1", "list:2: b.tar is to be host.example/a:1, as is a.tar (list:1)"),
        ("a.tar host.example/a:1\na.tar host.example/a:1 format=oci", "list:2"),
        ("a.tar host.example/a:1 reuse-from=other.example/a:1", "can lend"),
        ("a.tar host.example/a:1 profile=unheard-of", "unheard-of"),
    ],
)
def test_of_a_list_with_a_mistake_nothing_is_done(capsys: pytest.CaptureFixture[str], text: str, words: str) -> None:
    Path("list").write_text(text)
    code, results, told = batch(capsys, "list")
    assert (code, results) == (2, [])
    assert words in told


def test_a_line_that_is_there_twice_is_done_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attested_archive(home / "a.tar", [small()])
    with Sandbox(home / "registry", Limits()) as sandbox:
        Path("list").write_text(f"a.tar {sandbox.address}/a:1\n" * 2)
        code, results, _ = batch(capsys, "list")
        assert (code, len(results)) == (0, 1)


@pytest.mark.parametrize(
    ("variables", "options", "words"),
    [
        ({"JOB_COMPLETION_INDEX": "1"}, [], "--shards N"),
        ({}, ["--shards", "4"], "--shard I/4"),
        ({}, ["--shard", "5/4"], "expected I/N"),
        ({}, ["--shard", "1/4", "--shards", "3"], "don't say the same"),
        ({}, ["--to", "a.example/b", "--app", "c"], "give one of them"),
        ({}, ["--failed", "no/folder"], "there is no folder"),
    ],
)
def test_shards_and_options_that_cannot_be_meant(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    options: list[str],
    words: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    Path("list").write_text("a.tar host.example/a:1\n")
    code, _, told = batch(capsys, "list", *options)
    assert code == 2
    assert words in told


def test_an_empty_list_and_one_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    Path("list").write_text("# nothing\n")
    assert batch(capsys, "list")[:2] == (0, [])
    assert batch(capsys, "no-list")[0] == 2


def test_interrupted(home: Path) -> None:
    """130, what is left is a list, and what was done is known."""
    digests = many_images(home / "layout", 30, bases(1, 2, 20_000))
    with Sandbox(home / "registry", Limits()) as sandbox:
        write_list(home / "list", home / "layout", sandbox.address, 30)
        arguments = [sys.executable, "-m", "layerkit.cli", "batch", "list", "--images", "1", "--failed", "left"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(home / "home")}
        process = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        first = process.stdout.readline()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=30)
        assert process.returncode == 130
        assert time.monotonic() - began < 10
        assert "Run the same command again" in told
        done = [json.loads(line)["reference"] for line in (first + rest).splitlines()]
        left = [line.split()[1] for line in Path("left").read_text().splitlines()]
        assert sorted(done + left) == sorted(f"{sandbox.address}/{name}" for name in digests)
        assert left, "it was interrupted in the middle"
        found = list(layerkit.batch(home / "list", environment=environment))
        assert {result.reference for result in found if result.status is Status.UNCHANGED} >= set(done)
        assert not [result for result in found if result.status is Status.FAILED]


def test_from_registry_to_registry(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One contact, a manifest for each, and what they share is read once; the second time only that they are the same."""
    many_images(home / "layout", 9, bases(1, 3, 20_000))
    with Sandbox(home / "one", Limits()) as source, Sandbox(home / "two", Limits()) as target:
        write_list(Path("first"), home / "layout", source.address, 9)
        assert batch(capsys, "first")[0] == 0
        source.requests.clear()
        names = [line.split()[1].partition("/")[2] for line in Path("first").read_text().splitlines()]
        Path("list").write_text("".join(f"docker://{source.address}/{name}\n" for name in names))
        code, results, _ = batch(capsys, "list", "--to", f"{target.address}/mirror")
        assert code == 0
        assert {result["reference"] for result in results} == {f"{target.address}/mirror/{name}" for name in names}
        reads = [request.path.rpartition("/")[2] for request in source.requests if "/blobs/" in request.path]
        assert sum(request.path == "/v2/" for request in source.requests) == 1
        shared = {layer.digest for layer in pulled(target, f"mirror/{names[0]}").platforms()[0].manifest.layers[:-1]}
        assert all(reads.count(digest) <= 2 + 3 for digest in shared), "its head, by those that begin at once, and all of it"
        source.requests.clear()
        assert batch(capsys, "list", "--to", f"{target.address}/mirror")[0] == 0
        assert len(source.requests) <= len(names) + 2


def test_in_a_program(home: Path) -> None:
    attested_archive(home / "a.tar", [small("a")])
    attested_archive(home / "b.tar", [small("b")])
    environment = {"HOME": str(home / "home")}
    with Sandbox(home / "registry", Limits()) as sandbox:
        lines: list[str | tuple[str, str]] = [
            f"a.tar {sandbox.address}/a:1",
            ("b.tar", f"{sandbox.address}/b:1"),
            ("gone.tar", f"{sandbox.address}/c:1"),
        ]
        results = {result.reference: result for result in layerkit.batch(lines, environment=environment)}
        assert results[f"{sandbox.address}/b:1"].digest == pulled(sandbox, "b:1").root.digest
        assert results[f"{sandbox.address}/c:1"].exit_code == 3
        assert results[f"{sandbox.address}/a:1"].status is Status.DONE
        with pytest.raises(UsageError, match="no REFERENCE"):
            layerkit.batch(["a.tar"])
        with pytest.raises(UsageError, match="is not one of"):
            layerkit.batch(["a.tar"], compression="lzma")
    assert callable(layerkit.batch), "the package of the same name doesn't take its place"
