"""From what the user typed to an `Image`, or to the place where several are."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO

from layerkit.errors import UsageError
from layerkit.image.image import Image
from layerkit.progress import SILENT, Progress
from layerkit.sources.daemon import open_daemon
from layerkit.sources.files import Opened, opened_path, opened_stdin
from layerkit.sources.transports import Place, Transport, parse_place

if TYPE_CHECKING:
    from layerkit.sources.registry import Client


def open_image(
    spec: str,
    *,
    progress: Progress = SILENT,
    stdin: BinaryIO | None = None,
    connect: "Callable[[str], Client] | None" = None,
    platforms: Sequence[str] = (),
) -> Image:
    """The image that `spec` names: a path, `-`, or `TRANSPORT:PLACE[:NAME]`. No layer is read, only what lists them; of an
    image in a registry only the manifests of `platforms` (all, when empty).

    `connect` makes the client of a registry, by its HOST[:PORT]. Raises ImageError for what is no image or a damaged one,
    UsageError for a spec that can't be meant, RefusedError or UnreachableError from a registry.
    """
    place = parse_place(spec)
    if place.transport is Transport.REGISTRY:
        if connect is None:
            raise UsageError(f"{spec}: registries can't be read here")
        from layerkit.sources.registry import open_registry  # an image in a file needn't wait for what speaks HTTP

        return open_registry(place.location, connect, platforms)
    if place.transport is Transport.DAEMON:
        return open_daemon(place.location, progress)
    transport = Transport.PATH if place.transport is Transport.STDIN else place.transport
    return opened_at(place, progress, stdin).image(transport, place.name, progress)


def opened_at(place: Place, progress: Progress = SILENT, stdin: BinaryIO | None = None) -> Opened:
    """What is at a place that is a file, a folder or standard input. Raises ImageError, UsageError."""
    if place.transport is not Transport.STDIN:
        return opened_path(place.location, progress)
    if stdin is None:
        raise UsageError("-: there is no standard input here")
    return opened_stdin(stdin, progress)
