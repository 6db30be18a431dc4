"""Whatever the user holds -> `Image`.

In: a spec as typed (path, `-`, `oci-archive:`, `oci:`, `docker-archive:`, `docker-daemon:`, `docker://`). Out: an `Image` whose
blobs are byte ranges of the input file, or requests to a registry; nothing is unpacked and no layer is read on opening.
"""

from layerkit.sources.opening import open_image, opened_at

__all__ = ["open_image", "opened_at"]
