"""Why a blob doesn't get through, for people: what was refused, and what to do."""

from layerkit.errors import BlobTooLargeError, BlobTooSlowError
from layerkit.image.blob import Blob


def too_slow(doing: str, blob: Blob, reason: str, limit: int | None) -> BlobTooSlowError:
    """`limit`: bytes of a blob that would be taken in time, as far as can be told."""
    text = f"{doing}: {reason}; smaller layers get through (a smaller --max-layer-size)"
    return BlobTooSlowError(text, blob.digest, limit)


def blob_too_large(doing: str, blob: Blob, reason: str, limit: int) -> BlobTooLargeError:
    """`limit`: as above."""
    text = f"{doing}: {reason}: the registry takes no layer of that size; smaller ones get through (--max-layer-size {limit})"
    return BlobTooLargeError(text, blob.digest, limit)


def bodies_too_large(doing: str, reason: str, sent: int) -> str:
    """A request of `sent` bytes was refused, and there is no smaller one."""
    return (
        f"{doing}: {reason}; it was a request of {sent:,} bytes, and they don't get smaller: ask the registry's operator to "
        "raise the limit of request bodies"
    )


def altered_on_the_way(doing: str, reason: str, times: int) -> str:
    return (
        f"{doing}: the image is sound, but {times} times the registry got other bytes than were sent ({reason}); something on "
        "the way alters them"
    )
