"""Container engines, each with a store of its own in a temporary folder, ended by the process id that was started.

`mounted(image)` gives the folder that a container would have as its root.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from layerkit.image.image import Image
from tests.layered import NAME, write_layout

_START = 30
"""Seconds that a daemon may take to answer."""


class Judge(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Programs."""

    def __init__(self, folder: Path) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def mounted(self, image: Image) -> AbstractContextManager[Path]:
        """The root of `image`; another image may have to wait until this one is gone."""


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr or done.stdout}"
    return done.stdout


@contextmanager
def oci_archive(image: Image, folder: Path) -> Iterator[Path]:
    layout = write_layout(image, folder / "layout")
    try:
        run("tar", "-C", layout, "-cf", folder / "image.tar", ".")
        yield folder / "image.tar"
    finally:
        shutil.rmtree(layout)
        (folder / "image.tar").unlink(missing_ok=True)


class _Daemon:
    """A process that is waited for, and terminated by its own handle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def _start(self, command: list[str], probe: list[str]) -> None:
        log = (self.folder / "log").open("wb")
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + _START
        while subprocess.run(probe, capture_output=True, check=False).returncode:
            text = (self.folder / "log").read_text(errors="replace")[-2000:]
            assert self._process.poll() is None, f"{command[0]} ended: {text}"
            assert time.monotonic() < deadline, f"{command[0]} doesn't answer: {text}"
            time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None


class Containerd(_Daemon):
    """Layers unpacked by containerd, mounted as an overlay."""

    name = "containerd"
    needs = ("containerd", "ctr", "tar")

    def start(self) -> None:
        config = self.folder / "config.toml"
        paths = f'root = "{self.folder}/root"\nstate = "{self.folder}/state"\n'
        config.write_text(f'version = 2\n{paths}disabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        socket = f"{self.folder}/c.sock"
        self._ctr = ["ctr", "-a", socket]
        self._start(["containerd", "-c", str(config), "-a", socket], [*self._ctr, "version"])

    @contextmanager
    def mounted(self, image: Image) -> Iterator[Path]:
        target = self.folder / "mount"
        target.mkdir(exist_ok=True)
        with oci_archive(image, self.folder) as archive:
            run(*self._ctr, "images", "import", "--no-unpack", archive)
        run(*self._ctr, "images", "mount", NAME, target)
        try:
            yield target
        finally:
            run(*self._ctr, "images", "unmount", "--rm", target)
            run(*self._ctr, "images", "rm", "--sync", NAME)


class Dockerd(_Daemon):
    """Layers unpacked by dockerd (overlay2); mounted here, because a container's root gets files of its own."""

    name = "dockerd"
    needs = ("dockerd", "docker", "containerd", "skopeo")

    def start(self) -> None:
        socket = f"unix://{self.folder}/d.sock"
        self._docker = ["docker", "-H", socket]
        command = ["dockerd", "--iptables=false", "--bridge=none", "-H", socket, "--pidfile", f"{self.folder}/pid"]
        command += ["--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec", "--storage-driver", "overlay2"]
        self._start(command, [*self._docker, "version"])

    def stop(self) -> None:
        super().stop()
        # Where the mounts of / are private, dockerd mounts its data on itself, and leaves that behind.
        subprocess.run(["umount", str(self.folder / "data")], capture_output=True, check=False)

    def output(self, image: Image, *command: str) -> str:
        """What `command` says in a container of the image, without a network."""
        self._load(image)
        try:
            return run(*self._docker, "run", "--rm", "--network", "none", NAME, *command)
        finally:
            run(*self._docker, "image", "rm", "-f", NAME)

    def _load(self, image: Image) -> None:
        archive = self.folder / "image.tar"
        layout = write_layout(image, self.folder / "layout")
        try:
            run("skopeo", "--insecure-policy", "copy", f"oci:{layout}:latest", f"docker-archive:{archive}:{NAME}")
            run(*self._docker, "load", "-i", archive)
        finally:
            shutil.rmtree(layout)
            archive.unlink(missing_ok=True)

    @contextmanager
    def mounted(self, image: Image) -> Iterator[Path]:
        target = self.folder / "mount"
        target.mkdir(exist_ok=True)
        self._load(image)
        data = json.loads(run(*self._docker, "image", "inspect", NAME))[0]["GraphDriver"]["Data"]
        layers = filter(None, [data["UpperDir"], *data.get("LowerDir", "").split(":")])
        links = [f"l/{(Path(layer).parent / 'link').read_text()}" for layer in layers]
        options = f"ro,lowerdir={':'.join([*links, str(self._nothing())])}"  # short: all of them fit into one page
        command = ["mount", "-t", "overlay", "overlay", "-o", options, str(target)]
        subprocess.run(command, cwd=self.folder / "data" / "overlay2", check=True)
        try:
            yield target
        finally:
            run("umount", target)
            run(*self._docker, "image", "rm", "-f", NAME)

    def _nothing(self) -> Path:
        """An overlay has two layers at least."""
        empty = self.folder / "empty"
        empty.mkdir(exist_ok=True)
        return empty


class Podman:
    """containers/storage with overlay."""

    name = "podman"
    needs = ("podman", "tar")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._podman = ["podman", "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "overlay"]

    def start(self) -> None:
        run(*self._podman, "info")

    def stop(self) -> None:
        run(*self._podman, "system", "reset", "--force")

    @contextmanager
    def mounted(self, image: Image) -> Iterator[Path]:
        with oci_archive(image, self.folder) as archive:
            loaded = run(*self._podman, "load", "-i", archive).strip().splitlines()[-1].rpartition(" ")[2]
        try:
            yield Path(run(*self._podman, "image", "mount", loaded).strip())
        finally:
            run(*self._podman, "image", "unmount", loaded)
            run(*self._podman, "image", "rm", "-f", loaded)


class Umoci:
    """Layers applied one after the other to one folder."""

    name = "umoci"
    needs = ("umoci",)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self) -> None:
        run("umoci", "--version")

    def stop(self) -> None:
        pass

    @contextmanager
    def mounted(self, image: Image) -> Iterator[Path]:
        bundle = self.folder / "bundle"
        layout = write_layout(image, self.folder / "layout")
        try:
            run("umoci", "unpack", "--image", f"{layout}:latest", bundle)
            yield bundle / "rootfs"
        finally:
            shutil.rmtree(layout)
            shutil.rmtree(bundle, ignore_errors=True)


JUDGES = (Containerd, Dockerd, Podman, Umoci)
