"""An image of the local Docker daemon: what `docker save` gives, spooled as it streams."""

from collections.abc import Iterable, Iterator
from typing import Any

from layerkit.errors import ImageError, LayerkitError, UsageError
from layerkit.image.blob import CHUNK
from layerkit.image.image import Image
from layerkit.progress import Progress, Task
from layerkit.sources.files import opened_file
from layerkit.sources.spool import spool_chunks
from layerkit.sources.transports import Transport


def open_daemon(name: str, progress: Progress) -> Image:
    """The daemon is the one that docker's own settings name (DOCKER_HOST). Raises UsageError without the extra `docker`,
    ImageError when the daemon doesn't answer or has no such image."""
    try:
        import docker
        import docker.errors
    except ImportError:
        raise UsageError(
            f"docker-daemon:{name}: this needs the extra 'docker': pip install 'layerkit[docker]'; "
            f"or without it: docker save {name} | layerkit ... -"
        ) from None
    where = f"docker-daemon:{name}"
    try:
        client = docker.from_env()
        try:
            stored: Any = client.images.get(name)
            with progress.task(f"saving {name}", int(stored.attrs.get("Size") or 0)) as task:
                file = spool_chunks(_counted(stored.save(chunk_size=CHUNK, named=True), task), where)
        finally:
            client.close()
    except docker.errors.ImageNotFound:
        raise ImageError(f"{where}: the Docker daemon has no image of that name; see docker image ls") from None
    except LayerkitError:
        raise
    except Exception as error:  # whatever its library makes of an odd DOCKER_HOST, a closed connection, an answer that is none
        raise ImageError(f"{where}: the Docker daemon doesn't answer as expected: {error}") from None
    return opened_file(file, progress).image(Transport.PATH, None, progress)


def _counted(chunks: Iterable[bytes], task: Task) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        task.advance(len(chunk))
