"""Mounts of layers that GNU tar unpacked: what a snapshotter does, without one.

Each layer gets a folder of its own. Its whiteouts become what the mount understands: devices and an xattr for Linux's overlay, in
the namespace it heeds; fuse-overlayfs reads them as they are.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from layerkit.image.image import Image
from tests.judges.engines import run
from tests.layered import layers_of

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"


class Overlay:
    """Linux's overlay, which heeds `trusted.overlay.*`."""

    name = "overlay"
    needs: tuple[str, ...] = ("mount", "umount", "tar")
    namespace = "trusted"
    options = "ro"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self) -> None:
        (self.folder / "empty").mkdir()  # an overlay has two layers at least
        (self.folder / "mount").mkdir()

    def stop(self) -> None:
        pass

    @contextmanager
    def mounted(self, image: Image) -> Iterator[Path]:
        target = self.folder / "mount"
        names = [f"{number}" for number, tar in enumerate(layers_of(image)) if self._unpack(tar, self.folder / f"{number}")]
        try:
            self._mount(":".join([*reversed(names), "empty"]), target)
            try:
                yield target
            finally:
                self._unmount(target)
        finally:
            for name in names:
                shutil.rmtree(self.folder / name)

    def _mount(self, lower: str, target: Path) -> None:
        command = ["mount", "-t", "overlay", "overlay", "-o", f"{self.options},lowerdir={lower}", str(target)]
        subprocess.run(command, cwd=self.folder, check=True)  # names are relative: all options fit into one page

    def _unmount(self, target: Path) -> None:
        run("umount", target)

    def _unpack(self, tar: bytes, folder: Path) -> bool:
        folder.mkdir()
        command = ["tar", "-xpf", "-", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", str(folder)]
        subprocess.run(command, input=tar, check=True)
        for path in sorted(folder.rglob(WHITEOUT + "*")):
            self._whiteout(path)
        return True

    def _whiteout(self, path: Path) -> None:
        path.unlink()
        if path.name == OPAQUE:
            os.setxattr(path.parent, f"{self.namespace}.overlay.opaque", b"y")
        else:
            os.mknod(path.parent / path.name.removeprefix(WHITEOUT), 0o20000, 0)


class UserOverlay(Overlay):
    """The same in a user namespace: it heeds `user.overlay.*`."""

    name = "overlay with userxattr"
    namespace = "user"
    options = "ro,userxattr"


class FuseOverlay(Overlay):
    """What rootless engines mount where the kernel can't: it heeds all marks of opaque directories, and whiteouts as they are."""

    name = "fuse-overlayfs"
    needs = ("fuse-overlayfs", "umount", "tar")

    def _mount(self, lower: str, target: Path) -> None:
        command = ["fuse-overlayfs", "-o", f"lowerdir={lower}", str(target)]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def _whiteout(self, path: Path) -> None:
        pass


MOUNTS = (Overlay, UserOverlay, FuseOverlay)
