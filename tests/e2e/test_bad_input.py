"""What is wrong is told: an exit code of its own, what, where and what to do; and nothing is left behind."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from layerkit.image.digest import encoded, sha256
from layerkit.sandbox import Limits, Sandbox
from tests import tar_building as tar
from tests.e2e.running import LAYERKIT, environment, layerkit
from tests.images import LIMIT, Layer, add_image, attested_archive, large, small
from tests.registry.docker_registry import docker_registry, htpasswd, needs_docker_registry, needs_htpasswd
from tests.sources.builders import Files, layout, write_folder, write_tar

LARGE = large()
LARGE_NAME = f"blobs/sha256/{encoded(sha256(LARGE.blob))}"


def archive(path: Path, files: Files) -> Path:
    return write_tar(path / "image.tar", files)


def image_files(*layers: Layer) -> Files:
    files: Files = {}
    return layout(files, add_image(files, layers or (small(), LARGE)))


def text(path: Path) -> Path:
    (path / "image.tar").write_text("hello\n" * 200)
    return path / "image.tar"


def empty(path: Path) -> Path:
    (path / "image.tar").touch()
    return path / "image.tar"


def some_tar(path: Path) -> Path:
    return archive(path, {"etc/passwd": b"root\n"})


def some_folder(path: Path) -> Path:
    return write_folder(path / "image", {"etc/passwd": b"root\n"})


def absent(path: Path) -> Path:
    return path / "image.tar"


def truncated(path: Path) -> Path:
    whole = archive(path, image_files())
    os.truncate(whole, whole.stat().st_size * 2 // 3)
    return whole


def damaged_layer(path: Path) -> Path:
    files = image_files()
    data = bytearray(files[LARGE_NAME])
    data[len(data) // 2] ^= 0xFF
    return archive(path, {**files, LARGE_NAME: bytes(data)})


def damaged_kept_layer(path: Path) -> Path:
    files = image_files()
    name = f"blobs/sha256/{encoded(sha256(small().blob))}"
    return archive(path, {**files, name: files[name][:-1] + b"x"})


def wrong_size(path: Path) -> Path:
    files = image_files()
    return archive(path, {**files, LARGE_NAME: files[LARGE_NAME] + b"more"})


def missing_blob(path: Path) -> Path:
    return archive(path, {name: data for name, data in image_files().items() if name != LARGE_NAME})


def no_json(path: Path) -> Path:
    return archive(path, {**image_files(), "index.json": b'{"manifests": [}'})


def damaged_tar(path: Path) -> Path:
    """The gzip stream is sound; a header of the tar in it isn't."""
    raw = bytearray(LARGE.raw)
    at = raw.index(b"data/file-3")
    raw[at + 1] ^= 0xFF
    return archive(path, image_files(Layer(bytes(raw))))


def cut_off_tar(path: Path) -> Path:
    return archive(path, image_files(Layer(LARGE.raw[:-5000])))


def wrong_diff_id(path: Path) -> Path:
    files: Files = {}
    return archive(path, layout(files, add_image(files, [LARGE], diff_ids=["sha256:" + 64 * "3"])))


def large_file(path: Path) -> Path:
    raw = tar.layer(tar.directory("models"), tar.file("models/weights.bin", large(1, 150_000).raw), tar.file("z"))
    return archive(path, image_files(Layer(raw)))


def many_layers(path: Path) -> Path:
    return archive(path, image_files(large(files=130, size=70_000)))


def aufs(path: Path) -> Path:
    return archive(path, image_files(Layer(tar.layer(tar.directory(".wh..wh.plnk"), LARGE.raw[:-1024]))))


CASES: dict[Callable[[Path], Path], tuple[int, str, str]] = {
    # maker: exit code, what and where, what was expected or what to do
    text: (3, "image.tar", "expected"),
    empty: (3, "image.tar", "expected"),
    some_tar: (3, "image.tar", "expected"),
    some_folder: (3, "image", "expected"),
    absent: (3, "image.tar", "no such file"),
    truncated: (3, "image.tar", "truncated"),
    damaged_layer: (3, encoded(sha256(LARGE.blob))[:12], "save or build it again"),
    damaged_kept_layer: (3, encoded(sha256(small().blob))[:12], "save or build it again"),
    wrong_size: (3, f"{sha256(LARGE.blob)}: expected {len(LARGE.blob):,} bytes", f"found {len(LARGE.blob) + 4:,} bytes"),
    missing_blob: (3, str(sha256(LARGE.blob)), "save it again"),
    no_json: (3, "index.json", "expected JSON"),
    damaged_tar: (3, "offset 152,576", "expected a tar header"),
    cut_off_tar: (3, "layer ", "expected"),
    wrong_diff_id: (3, "expected diff_id sha256:3333", "build the image again"),
    large_file: (4, "models/weights.bin is 15", "raise --max-layer-size"),
    many_layers: (4, "131 layers", "raise --max-layer-size"),
    aufs: (4, ".wh..wh.plnk", "Build the image again"),
}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "registry", Limits()) as running:
        yield running


@pytest.mark.parametrize("maker", CASES, ids=lambda maker: maker.__name__)
def test_fix(maker: Callable[[Path], Path], tmp_path: Path) -> None:
    code, where, what = CASES[maker]
    image = maker(tmp_path)
    output = tmp_path / "output"
    output.mkdir()
    (temporary := tmp_path / "temporary").mkdir()
    ran = layerkit(tmp_path, "fix", image, output / "fixed.tar", "--max-layer-size", LIMIT, variables={"TMPDIR": str(temporary)})
    assert (ran.code, ran.out) == (code, ""), ran.err
    error = ran.err.splitlines()[-1]
    assert error.startswith("error: ")
    assert where in error
    assert what in error
    assert not list(output.iterdir())
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("maker", CASES, ids=lambda maker: maker.__name__)
def test_fix_and_push(maker: Callable[[Path], Path], tmp_path: Path, sandbox: Sandbox) -> None:
    code, where, what = CASES[maker]
    name = f"{sandbox.address}/my-app/worker:1.0"
    ran = layerkit(tmp_path, "fix-and-push", maker(tmp_path), name, "--max-layer-size", LIMIT)
    assert (ran.code, ran.out) == (code, ""), ran.err
    error = ran.err.splitlines()[-1]
    assert error.startswith("error: ")
    assert where in error
    assert what in error
    assert not [request for request in sandbox.requests if request.method == "PUT" and "/manifests/" in request.path]


def test_an_existing_output_survives_a_failure(tmp_path: Path) -> None:
    output = tmp_path / "fixed.tar"
    output.write_bytes(b"what was there")
    assert layerkit(tmp_path, "fix", damaged_layer(tmp_path), output, "--max-layer-size", LIMIT).code == 3
    assert output.read_bytes() == b"what was there"


@pytest.mark.real
@needs_docker_registry
@needs_htpasswd
@pytest.mark.parametrize("command", ["push", "fix-and-push"])
def test_no_credentials(tmp_path: Path, command: str) -> None:
    image = attested_archive(tmp_path / "image.tar", [small()])
    with docker_registry(tmp_path, auth=htpasswd(tmp_path)) as registry:
        ran = layerkit(tmp_path, command, image, f"{registry.address}/my-app/worker:1.0")
    assert (ran.code, ran.out) == (5, ""), ran.err
    assert f"layerkit login {registry.address}" in ran.err


@pytest.mark.parametrize("command", ["push", "fix-and-push"])
def test_nothing_there(tmp_path: Path, command: str) -> None:
    image = attested_archive(tmp_path / "image.tar", [small()])
    ran = layerkit(tmp_path, command, image, "127.0.0.1:1/my-app/worker:1.0")
    assert (ran.code, ran.out) == (6, ""), ran.err
    assert "127.0.0.1:1" in ran.err.splitlines()[-1]
    assert "refused" in ran.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("registry.example.com/App:1.0", "lower"),
        ("registry.example.com/app:", "tag"),
        ("https://registry.example.com/app:1", "https://"),
    ],
)
def test_a_name_that_can_not_be_is_refused_before_anything_is_read(tmp_path: Path, reference: str, says: str) -> None:
    for command in ("push", "fix-and-push"):
        ran = layerkit(tmp_path, command, tmp_path / "absent.tar", reference)
        assert (ran.code, ran.out) == (2, ""), ran.err
        assert says in ran.err


@contextmanager
def small_disk(path: Path, size: int) -> Iterator[Path]:
    """A file system of `size` bytes. Skips where that takes more rights than we have."""
    path.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("no tmpfs can be mounted here (it takes root)")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_full_disk(tmp_path: Path) -> None:
    image = attested_archive(tmp_path / "image.tar", [large(files=20)])
    with small_disk(tmp_path / "disk", 500_000) as disk:
        ran = layerkit(tmp_path, "fix", image, disk / "fixed.tar", "--max-layer-size", LIMIT)
        assert (ran.code, ran.out) == (4, ""), ran.err
        assert "No space left" in ran.err.splitlines()[-1]
        assert not list(disk.iterdir())


def test_full_temporary_disk(tmp_path: Path) -> None:
    """What has to be encoded goes to a temporary file; the output is on another disk."""
    layer = Layer(tar.layer(*(tar.file(f"f{number}", os.urandom(1 << 20)) for number in range(3))))
    image = attested_archive(tmp_path / "image.tar", [layer])
    with small_disk(tmp_path / "disk", 1_000_000) as disk:
        arguments = ("fix", image, tmp_path / "fixed.tar", "--compression", "zstd")
        ran = layerkit(tmp_path, *arguments, variables={"TMPDIR": str(disk)})
        assert (ran.code, ran.out) == (4, ""), ran.err
        assert "set TMPDIR to a larger disk" in ran.err.splitlines()[-1]
        assert not list(disk.iterdir())
    assert not (tmp_path / "fixed.tar").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    """In the middle of writing: no output, no temporary file."""
    image = attested_archive(tmp_path / "image.tar", [large(files=600)])
    (output := tmp_path / "output").mkdir()
    arguments = [*LAYERKIT, "fix", str(image), str(output / "fixed.tar"), "--max-layer-size", "1MB"]
    started = subprocess.Popen(arguments, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while not list(output.iterdir()) and started.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        started.send_signal(number)
        out, err = started.communicate(timeout=30)
    finally:
        started.kill()
        started.wait()
    assert (started.returncode, out) == ({signal.SIGINT: 130, signal.SIGTERM: 143}[number], "")
    assert "Traceback" not in err
    assert not list(output.iterdir())
