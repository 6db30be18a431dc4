"""A push as most clients do it: each blob in one request, nothing tried twice. To show what a registry says to that."""

from collections.abc import Iterator
from urllib.parse import urljoin

import urllib3

from layerkit.image.blob import Blob
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor, Manifest
from layerkit.image.referrers import referrer
from layerkit.report.sizes import format_size

HTTP = urllib3.PoolManager(retries=False)


def plain_push(image: Image, registry: str, repository: str) -> Iterator[str]:
    """Sends every blob and manifest, and yields a line about each that is refused."""
    base = f"http://{registry}/v2/{repository}/"
    for descriptor, document in image.walk():
        if not isinstance(document, Manifest):
            continue
        for number, layer in enumerate((document.config, *document.layers)):
            status = _send(base, image.blob(layer))
            if status >= 400:
                yield f"HTTP {status}: layer {number}, {format_size(layer.size)}"
        status = _send_manifest(base, descriptor, document)
        about = referrer(descriptor, document)
        if status >= 400 and about is not None:
            yield f"HTTP {status}: {about.kind.value}"


def _send(base: str, blob: Blob) -> int:
    """POST for a place, PATCH with everything, PUT to commit; the status that ended it."""
    begun = HTTP.request("POST", base + "blobs/uploads/")
    size = {"Content-Length": str(blob.size), "Content-Range": f"0-{blob.size - 1}"}
    sent = HTTP.request("PATCH", urljoin(base, begun.headers["Location"]), body=_bytes(blob), headers=size)
    if sent.status >= 400:
        return sent.status
    place = urljoin(base, sent.headers["Location"])
    return HTTP.request("PUT", f"{place}{'&' if '?' in place else '?'}digest={blob.digest}").status


def _bytes(blob: Blob) -> Iterator[bytes]:
    yield from map(bytes, blob.chunks())


def _send_manifest(base: str, descriptor: Descriptor, document: Manifest) -> int:
    headers = {"Content-Type": document.media_type}
    return HTTP.request("PUT", f"{base}manifests/{descriptor.digest}", body=document.raw, headers=headers).status
