"""OCI archives: what is in them, that they appear whole or not at all, that others read them."""

import errno
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from layerkit.destinations import Destination, open_destination
from layerkit.destinations.oci_archive import DockerArchive, OciArchive, StreamSink
from layerkit.errors import DamagedError, MissingBlobError, OutputError, UsageError
from layerkit.image.blob import Blob, Buffer, Bytes
from layerkit.image.digest import Digest, sha256
from layerkit.image.image import Image
from layerkit.image.manifest import Manifest
from layerkit.image.media_types import DOCKER_MANIFEST
from layerkit.report.validation import validate
from layerkit.sources import open_image
from tests.contents import Stream
from tests.sources.builders import (
    ATTESTED,
    Files,
    add_index,
    add_manifest,
    docker_archive,
    gzipped,
    layer,
    layout,
    simple_layout,
    write_tar,
)


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """Two gzip layers with a name."""
    files: Files = {}
    entry = add_manifest(files, "a", "b" * 5000, annotations={"org.opencontainers.image.ref.name": "me/app:1"})
    return open_image(str(write_tar(tmp_path / "in.tar", layout(files, entry))))


@pytest.fixture
def attested(tmp_path: Path) -> Image:
    """Two platforms and an attestation."""
    files: Files = {}
    entries = [
        add_manifest(files, name, architecture=name, platform={"os": "linux", "architecture": name})
        for name in ("amd64", "arm64")
    ]
    entries.append(add_manifest(files, "proof", annotations=ATTESTED))
    return open_image(str(write_tar(tmp_path / "attested.tar", layout(files, add_index(files, entries)))))


def target(folder: Path) -> Path:
    (folder / "out").mkdir(exist_ok=True)
    return folder / "out" / "out.tar"


def names(path: Path) -> list[str]:
    with tarfile.open(path) as packed:
        return packed.getnames()


def test_what_is_written_is_read_back(image: Image, tmp_path: Path) -> None:
    path = target(tmp_path)
    assert OciArchive.to_file(path).finish(image) == image.root.digest
    again = open_image(str(path))
    assert (again.root.digest, again.reference) == (image.root.digest, "docker.io/me/app:1")
    assert validate(again) == []
    assert set(again.blobs) == set(image.blobs)
    assert names(path)[0] == "oci-layout"
    assert names(path)[-2:] == ["manifest.json", "index.json"]
    assert os.listdir(path.parent) == ["out.tar"]  # noqa: PTH208  # names are enough


def test_an_index_is_kept_to_the_byte(attested: Image, tmp_path: Path) -> None:
    path = target(tmp_path)
    OciArchive.to_file(path).finish(attested)
    again = open_image(str(path))
    assert again.read(again.root) == attested.read(attested.root)
    assert len(again.referrers()) == 1
    assert validate(again) == []
    assert "manifest.json" not in names(path)


def test_the_same_bytes_each_time(attested: Image, tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    for path in (first, second):
        OciArchive.to_file(path).finish(attested)
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_bytes()) % 10240 == 0


def test_offered_blobs_are_written_once_from_many_threads(image: Image, tmp_path: Path) -> None:
    destination: Destination = OciArchive.to_file(target(tmp_path))
    layers = [image.blob(descriptor) for descriptor in image.platforms()[0].manifest.layers]
    threads = [threading.Thread(target=destination.offer, args=(blob, "layer")) for blob in layers * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    destination.finish(image)
    assert len(names(target(tmp_path))) == len(set(names(target(tmp_path))))
    assert validate(open_image(str(target(tmp_path)))) == []


def test_a_name_that_is_given_replaces_the_image_s(image: Image, tmp_path: Path) -> None:
    OciArchive.to_file(target(tmp_path), name="you/other:2").finish(image)
    assert open_image(str(target(tmp_path))).reference == "docker.io/you/other:2"
    assert open_image(f"oci-archive:{target(tmp_path)}:you/other:2").root.digest == image.root.digest


class _Cut(Stream):
    """Content that ends too early, or differs, or fails."""

    def __init__(self, size: int, kind: str) -> None:
        super().__init__(size)
        self._kind = kind

    def chunks(self, offset: int = 0) -> Iterator[Buffer]:
        yield b"x" * (self.size // 2)
        if self._kind == "fails":
            raise DamagedError("in.tar: the file is truncated")
        yield b"y" * (self.size - self.size // 2)


@pytest.mark.parametrize("kind", ["differs", "fails"])
def test_a_blob_that_is_not_its_digest_leaves_nothing(image: Image, tmp_path: Path, kind: str) -> None:
    descriptor = image.platforms()[0].manifest.layers[1]
    bad = replace(image, blobs={**image.blobs, descriptor.digest: Blob(descriptor.digest, _Cut(descriptor.size, kind))})
    path = target(tmp_path)
    path.write_bytes(b"what was there before")
    with pytest.raises(DamagedError), OciArchive.to_file(path) as destination:
        destination.finish(bad)
    assert path.read_bytes() == b"what was there before"
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_layer_leaves_nothing(image: Image, tmp_path: Path) -> None:
    gone = image.platforms()[0].manifest.layers[0].digest
    bad = replace(image, blobs={digest: blob for digest, blob in image.blobs.items() if digest != gone})
    with pytest.raises(MissingBlobError, match=gone), OciArchive.to_file(target(tmp_path)) as destination:
        destination.finish(bad)
    assert list(target(tmp_path).parent.iterdir()) == []


def test_left_in_the_middle_of_a_blob(tmp_path: Path) -> None:
    begun = threading.Event()

    class Endless(Stream):
        def chunks(self, offset: int = 0) -> Iterator[Buffer]:
            while True:
                yield b"x" * 100
                begun.set()

    with OciArchive.to_file(target(tmp_path)) as destination:
        destination.offer(Blob(Digest("sha256:" + "0" * 64), Endless(1 << 40)), "layer")
        assert begun.wait(10)
    assert list(target(tmp_path).parent.iterdir()) == []


def test_leaving_after_finish_keeps_the_file(image: Image, tmp_path: Path) -> None:
    with OciArchive.to_file(target(tmp_path)) as destination:
        destination.finish(image)
    assert target(tmp_path).exists()


def test_a_full_disk(image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write

    def write(fd: int, data: Buffer) -> int:
        if len(data) > 100:  # takes half of what it gets, then is full
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data[: max(len(data) // 2, 1)])

    full = r"out\.tar: can't be written: No space left on device after .* bytes; make room"
    with pytest.raises(OutputError, match=full), OciArchive.to_file(target(tmp_path)) as destination:
        monkeypatch.setattr(os, "write", write)
        destination.finish(image)
    assert list(target(tmp_path).parent.iterdir()) == []


def test_short_writes_are_continued(image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, memoryview(data)[:777]))
    OciArchive.to_file(target(tmp_path)).finish(image)
    assert validate(open_image(str(target(tmp_path)))) == []


def test_where_nothing_can_be_written(image: Image, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file or directory"):
        OciArchive.to_file(tmp_path / "nowhere" / "out.tar")
    with pytest.raises(OutputError, match="is a directory"):
        OciArchive.to_file(tmp_path)


def test_a_symlink_keeps_pointing(image: Image, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(target(tmp_path))
    OciArchive.to_file(link).finish(image)
    assert link.is_symlink()
    assert target(tmp_path).stat().st_size > 0


def test_a_device_is_written_to_not_replaced(image: Image, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    OciArchive.to_file(pipe).finish(image)
    reader.join()
    assert pipe.is_fifo()
    with tarfile.open(fileobj=io.BytesIO(received[0])) as packed:
        assert "index.json" in packed.getnames()


def test_permissions_follow_the_umask(image: Image, tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        OciArchive.to_file(target(tmp_path)).finish(image)
    finally:
        os.umask(old)
    assert target(tmp_path).stat().st_mode & 0o777 == 0o640


def test_standard_output(image: Image, tmp_path: Path) -> None:
    stream = io.BytesIO()
    open_destination("-", stdout=stream).finish(image)
    (tmp_path / "copy.tar").write_bytes(stream.getvalue())
    assert validate(open_image(str(tmp_path / "copy.tar"))) == []


def test_a_reader_that_went_away(image: Image) -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "wb", buffering=0) as stream, pytest.raises(BrokenPipeError):  # noqa: PTH123  # a descriptor
        OciArchive(StreamSink(stream)).finish(image)


@pytest.mark.parametrize("spec", ["docker://a.example/b", "docker-daemon:a", "oci-archive:a.tar:@1", "dir:x", ""])
def test_outputs_that_cannot_be(spec: str) -> None:
    with pytest.raises(UsageError):
        open_destination(spec, stdout=io.BytesIO())


def test_a_terminal_is_no_output() -> None:
    class Terminal(io.BytesIO):
        def isatty(self) -> bool:
            return True

    with pytest.raises(UsageError, match="standard output is a terminal"):
        open_destination("-", stdout=Terminal())


def test_sha512_and_large_blobs_have_headers_that_fit() -> None:
    from layerkit.destinations.oci_archive import _header

    for path, size in [("blobs/sha512/" + "f" * 128, 5), ("blobs/sha256/" + "f" * 64, 9 << 30)]:
        member = tarfile.TarInfo.frombuf(_header(path, size)[-512:], "utf-8", "strict")
        packed = tarfile.open(fileobj=io.BytesIO(_header(path, size)))  # noqa: SIM115  # nothing to close
        found = packed.next()
        assert found is not None
        assert (found.name, found.size) == (path, size)
        assert member.mtime == 0


def test_a_docker_archive_holds_one_platform(attested: Image, image: Image, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="holds linux/amd64, linux/arm64; choose one with --platform"),
        DockerArchive.to_file(target(tmp_path)) as destination,
    ):
        destination.finish(attested)
    assert list(target(tmp_path).parent.iterdir()) == []
    open_destination(f"docker-archive:{target(tmp_path)}:you/app:2").finish(image)
    again = open_image(f"docker-archive:{target(tmp_path)}")
    assert again.reference == "docker.io/you/app:2"
    assert again.platforms()[0].manifest.config.digest == image.platforms()[0].manifest.config.digest
    assert validate(again) == []


def test_a_repeated_layer_is_stored_once(tmp_path: Path) -> None:
    files = docker_archive(gzipped(layer()), gzipped(layer()), names=["a.tar.gz", "a.tar.gz"])
    image = open_image(str(write_tar(tmp_path / "in.tar", files)))
    OciArchive.to_file(target(tmp_path)).finish(image)
    assert names(target(tmp_path)).count(f"blobs/sha256/{sha256(gzipped(layer()))[7:]}") == 1


needs_skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
needs_umoci = pytest.mark.skipif(shutil.which("umoci") is None, reason="umoci is not installed")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.real
@needs_skopeo
@pytest.mark.parametrize(
    ("family", "spec"),
    [
        ("oci", "oci-archive:{}:me/app:1"),
        ("docker", "oci-archive:{}"),  # by name, skopeo finds only OCI manifests in a layout
        ("oci", "docker-archive:{}:me/app:1"),
        ("docker", "docker-archive:{}:me/app:1"),
    ],
)
def test_skopeo_reads_it(tmp_path: Path, family: str, spec: str) -> None:
    files = simple_layout("a", "b" * 5000) if family == "oci" else docker_archive(layer("a"), layer("b" * 5000))
    image = open_image(str(write_tar(tmp_path / "in.tar", files)))
    assert (image.root.media_type == DOCKER_MANIFEST) == (family == "docker")
    OciArchive.to_file(target(tmp_path), name="me/app:1").finish(image)
    _run("skopeo", "--insecure-policy", "copy", spec.format(target(tmp_path)), f"oci:{tmp_path}/copy:x")
    copy = open_image(f"oci:{tmp_path}/copy:x")
    assert validate(copy) == []
    assert copy.platforms()[0].config.diff_ids == image.platforms()[0].config.diff_ids


@pytest.mark.real
@pytest.mark.skipif(shutil.which("podman") is None or os.geteuid() != 0, reason="podman is not installed, or not run as root")
@pytest.mark.parametrize("spec", ["oci-archive:{}:me/app:1", "docker-archive:{}:me/app:1"])
def test_podman_loads_it(image: Image, tmp_path: Path, spec: str) -> None:
    open_destination(spec.format(target(tmp_path))).finish(image)
    with tempfile.TemporaryDirectory(prefix="lk-") as run:  # podman takes at most 50 characters for it
        store = [f"--root={tmp_path}/root", f"--runroot={run}", "--storage-driver=vfs"]
        assert "me/app:1" in _run("podman", *store, "load", "--input", str(target(tmp_path)))
        mounted = Path(_run("podman", *store, "image", "mount", "docker.io/me/app:1").strip())
        try:
            assert (mounted / "etc/motd").read_text() == "b" * 5000
        finally:
            _run("podman", *store, "image", "umount", "--all")


@pytest.mark.real
@needs_umoci
def test_umoci_unpacks_it(image: Image, tmp_path: Path) -> None:
    open_destination(f"oci:{tmp_path}/layout:x").finish(image)
    _run("umoci", "unpack", "--rootless", "--image", f"{tmp_path}/layout:x", str(tmp_path / "bundle"))
    assert (tmp_path / "bundle/rootfs/etc/motd").read_text() == "b" * 5000


def test_blobs_in_memory_are_verified_too(tmp_path: Path, image: Image) -> None:
    manifest = image.document(image.root)
    assert isinstance(manifest, Manifest)
    wrong = Blob(manifest.config.digest, Bytes(b"x" * manifest.config.size))
    with pytest.raises(DamagedError), OciArchive.to_file(target(tmp_path)) as destination:
        destination.finish(replace(image, blobs={**image.blobs, manifest.config.digest: wrong}))


def test_a_blob_that_is_written_while_it_is_made(image: Image, tmp_path: Path) -> None:
    """The archive is the same as when it is offered complete; what turned out wrong leaves no trace."""
    layer = image.platforms()[0].manifest.layers[0]
    blob = image.blob(layer)
    data = b"".join(map(bytes, blob.chunks()))
    with OciArchive.to_file(tmp_path / "growing.tar") as destination:
        given_up = destination.begin("given up")
        assert given_up is not None
        given_up.write(b"of no use")
        given_up.discard()
        given_up.discard()
        writing = destination.begin("layer")
        assert writing is not None
        writing.write(data[:10] + b"something else")
        writing.rewind(10)
        writing.write(data[10:])
        writing.finish(blob)
        writing.discard()
        destination.offer(blob, "layer")
        again = destination.begin("layer")
        assert again is not None
        again.write(data)
        again.finish(blob)
        destination.finish(image)
    with OciArchive.to_file(tmp_path / "offered.tar") as destination:
        destination.offer(blob, "layer")
        destination.finish(image)
    assert (tmp_path / "growing.tar").read_bytes() == (tmp_path / "offered.tar").read_bytes()
