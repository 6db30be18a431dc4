"""A path, or standard input: told apart by content, whatever the name says.

In: a file or directory. Out: an `Image`. The hybrid that docker 25 and later write is read by its OCI side, which still has
the index and the attestations; by its docker side when `index.json` lists nothing or what it lists isn't all there.
"""

import errno
import importlib
import os
import stat
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
from layerkit.sources.docker_archive import open_docker_archive, read_items
from layerkit.sources.folder import Directory, Folder, Within
from layerkit.sources.oci_layout import open_layout
from layerkit.sources.outer_tar import OuterTar
from layerkit.sources.spool import spool_file, spool_stream
from layerkit.sources.transports import Transport, missing_file
from layerkit.tar.header import BLOCK, ZERO_BLOCK, HeaderError, parse_header

STDIN_NAME = "standard input"


def open_path(text: str, transport: Transport, name: str | None, progress: Progress) -> Image:
    """`transport` PATH: whatever is there. Raises ImageError that says what is wrong, UsageError when several are meant."""
    path = Path(text)
    try:
        if path.is_dir():
            return open_folder(Directory(path, text), transport, name, progress, packed=False)
        if path.exists() and not path.is_file():
            return open_stream(path.open("rb"), text, name, progress)  # a named pipe, or the shell's <(...)
        file = InputFile(path, name=text)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise missing_file(text) from None
        raise ImageError(f"{text}: {error.strerror}") from None
    return open_file(file, transport, name, progress)


def open_stdin(stdin: BinaryIO, name: str | None, progress: Progress) -> Image:
    """Standard input: read in place when it is a file, spooled when it is a pipe."""
    try:
        descriptor = stdin.fileno()
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and os.lseek(descriptor, 0, os.SEEK_CUR) == 0:
            file = InputFile(Path(STDIN_NAME), name=STDIN_NAME, fd=os.dup(descriptor))
            return open_file(file, Transport.PATH, name, progress)
    except OSError:
        pass  # no file descriptor at all, or one that has no position
    if stdin.isatty():
        raise UsageError("standard input is a terminal; expected an image, as in: docker save NAME | layerkit ... -")
    return open_stream(stdin, STDIN_NAME, name, progress)


def open_stream(stream: BinaryIO, title: str, name: str | None, progress: Progress) -> Image:
    with stream:
        file = spool_stream(stream, title, progress)
    return open_file(file, Transport.PATH, name, progress)


def open_file(file: InputFile, transport: Transport, name: str | None, progress: Progress) -> Image:
    compression = compression_of(FileRange(file, 0, file.size))
    if compression is not Compression.NONE:
        file = spool_file(file, compression, progress)
    _check_is_tar(file)
    return open_folder(OuterTar(file), transport, name, progress, packed=True)


def open_folder(folder: Folder, transport: Transport, name: str | None, progress: Progress, *, packed: bool) -> Image:
    top = folder.children("")
    inner = _only_folder(folder, top)
    if inner is not None:
        folder, top = inner, inner.children("")
    oci_kind = "OCI archive" if packed else "OCI layout"
    docker_kind = "docker archive" if packed else "unpacked docker archive"
    if transport in (Transport.OCI_ARCHIVE, Transport.OCI_LAYOUT):
        return open_layout(folder, name, oci_kind)
    if transport is Transport.DOCKER_ARCHIVE:
        return open_docker_archive(folder, name, docker_kind, progress)
    if INDEX_FILE in top and DOCKER_FILE in top:
        return _open_hybrid(folder, name, oci_kind, docker_kind, progress)
    if INDEX_FILE in top:
        return open_layout(folder, name, oci_kind)
    if DOCKER_FILE in top:
        return open_docker_archive(folder, name, docker_kind, progress)
    raise _not_an_image(folder.name, top)


def _open_hybrid(folder: Folder, name: str | None, oci_kind: str, docker_kind: str, progress: Progress) -> Image:
    try:
        image = open_layout(folder, name, oci_kind)
        complete = _is_complete(image)
    except ImageError:
        complete = False
    if not complete:
        return open_docker_archive(folder, name, docker_kind, progress)
    if image.reference is None and len(items := set(read_items(folder))) == 1:
        image = replace(image, names=tuple(map(Name, dict.fromkeys(items.pop().names))) or image.names)
    return image


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
