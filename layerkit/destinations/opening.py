"""`open_destination`: from what the user typed to a `Destination`."""

from pathlib import Path
from typing import BinaryIO

from layerkit.destinations.destination import Destination
from layerkit.destinations.oci_archive import DockerArchive, OciArchive, StreamSink
from layerkit.destinations.oci_layout import OciLayout
from layerkit.errors import UsageError
from layerkit.progress import SILENT, Progress
from layerkit.sources.transports import Place, Transport, parse_place


def open_destination(spec: str, *, stdout: BinaryIO | None = None, progress: Progress = SILENT) -> Destination:
    """OUTPUT: a path (an OCI archive; a layout when it is a directory), `-`, `oci-archive:PATH[:NAME]`, `oci:DIR[:NAME]` or
    `docker-archive:PATH[:NAME]`. Raises UsageError for anything else, OutputError when nothing can be written there."""
    place = _checked(parse_place(spec), spec)
    if place.transport is Transport.STDIN:
        if stdout is None:
            raise UsageError("-: there is no standard output here")
        if stdout.isatty():
            raise UsageError(
                "standard output is a terminal; expected a file name, or a pipe as in: layerkit fix IMAGE - | docker load"
            )
        return OciArchive(StreamSink(stdout), progress=progress)
    path = Path(place.location)
    if place.transport is Transport.OCI_LAYOUT or (place.transport is Transport.PATH and path.is_dir()):
        return OciLayout(path, name=place.name, progress=progress)
    if place.transport is Transport.DOCKER_ARCHIVE:
        return DockerArchive.to_file(path, name=place.name, progress=progress)
    return OciArchive.to_file(path, name=place.name, progress=progress)


def _checked(place: Place, spec: str) -> Place:
    if place.transport is Transport.REGISTRY:
        raise UsageError(f"{spec}: a file is expected here; to push to a registry: layerkit fix-and-push IMAGE {place.location}")
    if place.transport is Transport.DAEMON:
        raise UsageError(f"{spec}: the daemon can't be written to; expected a file, which docker load -i takes")
    if place.name is not None and place.name.startswith("@"):
        raise UsageError(f"{spec}: {place.name} chooses an image to read; expected a name to give to the one that is written")
    return place
