"""A path, or standard input: told apart by content, whatever the name says.

In: a file or directory. Out: an `Image`. The hybrid that docker 25 and later write is read by its OCI side, which still has
the index and the attestations; by its docker side when `index.json` lists nothing or what it lists isn't all there.
"""

import errno
import importlib
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from layerkit.compression.kind import compression_of
from layerkit.errors import ImageError, LayerkitError, NotAnImageError, UsageError
from layerkit.image.blob import FileRange, InputFile, read_at
from layerkit.image.image import Image
from layerkit.image.layout import DOCKER_FILE, INDEX_FILE, Name
from layerkit.image.media_types import Compression
from layerkit.progress import Progress
from layerkit.sources.docker_archive import held_by_docker, open_docker_archive, read_items
from layerkit.sources.folder import Directory, Folder, Within
from layerkit.sources.naming import Held
from layerkit.sources.oci_layout import Listed, held_by_layout, open_layout, read_layout
from layerkit.sources.outer_tar import OuterTar
from layerkit.sources.spool import spool_file, spool_stream
from layerkit.sources.transports import Transport, missing_file
from layerkit.tar.header import BLOCK, ZERO_BLOCK, HeaderError, parse_header

STDIN_NAME = "standard input"


class Opened:
    """A place that holds an image, or several: opened and listed once, whichever of them are wanted. Thread-safe."""

    def __init__(self, folder: Folder, *, packed: bool) -> None:
        self._packed = packed
        self._top = folder.children("")
        inner = _only_folder(folder, self._top)
        if inner is not None:
            folder, self._top = inner, inner.children("")
        self._folder = folder
        self._lock = threading.Lock()
        self._listed: Listed | None = None

    def image(self, transport: Transport, name: str | None, progress: Progress) -> Image:
        """The image called `name`, or the only one. Raises ImageError that says what is wrong, UsageError when several are
        meant."""
        oci_kind = "OCI archive" if self._packed else "OCI layout"
        docker_kind = "docker archive" if self._packed else "unpacked docker archive"
        if transport in (Transport.OCI_ARCHIVE, Transport.OCI_LAYOUT):
            return open_layout(self._layout(), name, oci_kind)
        if transport is Transport.DOCKER_ARCHIVE:
            return open_docker_archive(self._folder, name, docker_kind, progress)
        if INDEX_FILE in self._top and DOCKER_FILE in self._top:
            return self._hybrid(name, oci_kind, docker_kind, progress)
        if INDEX_FILE in self._top:
            return open_layout(self._layout(), name, oci_kind)
        if DOCKER_FILE in self._top:
            return open_docker_archive(self._folder, name, docker_kind, progress)
        raise _not_an_image(self._folder.name, self._top)

    def held(self, transport: Transport) -> list[Held]:
        """All images, in the order in which they are listed. Of a place that lists them in both forms, the OCI side says which
        there are, unless it lists none. Raises as `image`."""
        is_guess = transport is Transport.PATH
        if transport is Transport.DOCKER_ARCHIVE or (is_guess and INDEX_FILE not in self._top and DOCKER_FILE in self._top):
            return held_by_docker(self._folder)
        if is_guess and INDEX_FILE not in self._top:
            raise _not_an_image(self._folder.name, self._top)
        try:
            return held_by_layout(self._layout())
        except ImageError:
            if is_guess and DOCKER_FILE in self._top:
                return held_by_docker(self._folder)
            raise

    def _layout(self) -> Listed:
        with self._lock:
            if self._listed is None:
                self._listed = read_layout(self._folder)
            return self._listed

    def _hybrid(self, name: str | None, oci_kind: str, docker_kind: str, progress: Progress) -> Image:
        try:
            image = open_layout(self._layout(), name, oci_kind)
            complete = _is_complete(image)
        except ImageError:
            complete = False
        if not complete:
            return open_docker_archive(self._folder, name, docker_kind, progress)
        if image.reference is None and len(items := set(read_items(self._folder))) == 1:
            image = replace(image, names=tuple(map(Name, dict.fromkeys(items.pop().names))) or image.names)
        return image


def opened_path(text: str, progress: Progress) -> Opened:
    """Whatever is there. Raises ImageError that says what is wrong."""
    path = Path(text)
    try:
        if path.is_dir():
            return Opened(Directory(path, text), packed=False)
        if path.exists() and not path.is_file():
            return opened_stream(path.open("rb"), text, progress)  # a named pipe, or the shell's <(...)
        file = InputFile(path, name=text)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise missing_file(text) from None
        raise ImageError(f"{text}: {error.strerror}") from None
    return opened_file(file, progress)


def opened_stdin(stdin: BinaryIO, progress: Progress) -> Opened:
    """Standard input: read in place when it is a file, spooled when it is a pipe."""
    try:
        descriptor = stdin.fileno()
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and os.lseek(descriptor, 0, os.SEEK_CUR) == 0:
            file = InputFile(Path(STDIN_NAME), name=STDIN_NAME, fd=os.dup(descriptor))
            return opened_file(file, progress)
    except OSError:
        pass  # no file descriptor at all, or one that has no position
    if stdin.isatty():
        raise UsageError("standard input is a terminal; expected an image, as in: docker save NAME | layerkit ... -")
    return opened_stream(stdin, STDIN_NAME, progress)


def opened_stream(stream: BinaryIO, title: str, progress: Progress) -> Opened:
    with stream:
        file = spool_stream(stream, title, progress)
    return opened_file(file, progress)


def opened_file(file: InputFile, progress: Progress) -> Opened:
    compression = compression_of(FileRange(file, 0, file.size))
    if compression is not Compression.NONE:
        file = spool_file(file, compression, progress)
    _check_is_tar(file)
    return Opened(OuterTar(file), packed=True)


def _is_complete(image: Image) -> bool:
    """Is there something to run, with all its blobs? Platforms that aren't there at all don't count (a sparse index)."""
    platforms = image.platforms()
    return bool(platforms) and all(image.has(layer) for platform in platforms for layer in platform.manifest.layers)


def _only_folder(folder: Folder, top: list[str]) -> Folder | None:
    """An image packed together with the one directory it was in."""
    if len(top) != 1:
        return None
    inner = Within(folder, top[0])
    names = inner.children("")
    return inner if INDEX_FILE in names or DOCKER_FILE in names else None


def _check_is_tar(file: InputFile) -> None:
    """Raises NotAnImageError that says what the bytes are instead."""
    if file.size == 0:
        raise NotAnImageError(f"{file.name}: expected an image, found an empty file")
    head = read_at(FileRange(file, 0, file.size), 0, BLOCK)
    if head == ZERO_BLOCK:
        raise NotAnImageError(f"{file.name}: expected an image, found an empty tar")
    try:
        if len(head) < BLOCK:
            raise HeaderError
        parse_header(head)
    except HeaderError:
        raise NotAnImageError(
            f"{file.name}: expected an image (a tar, compressed or not, or an OCI layout directory), found {_described(file)}"
        ) from None


def _described(file: InputFile) -> str:
    """What the file really is, in libmagic's words."""
    head = read_at(FileRange(file, 0, file.size), 0, 1 << 16)
    try:
        importlib.import_module("pylibmagic")  # brings libmagic where the system has none
        import magic

        return str(magic.from_buffer(head))
    except Exception:  # libmagic's own failure must not hide the error that is being told
        return f"bytes that begin with {head[:16]!r}"


def _not_an_image(name: str, top: list[str]) -> LayerkitError:
    if "repositories" in top:
        return NotAnImageError(
            f"{name}: a docker archive without {DOCKER_FILE}, as Docker before 1.10 wrote; load it and save it again"
        )
    shown = ", ".join(top[:5]) + (f" and {len(top) - 5} more" if len(top) > 5 else "")
    return NotAnImageError(
        f"{name}: expected an image ({INDEX_FILE} or {DOCKER_FILE} at the top), found {shown or 'an empty directory'}"
    )
