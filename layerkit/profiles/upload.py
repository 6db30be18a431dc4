"""How a registry wants blobs sent: where an upload begins. What is answered decides where it goes on."""

from dataclasses import dataclass
from enum import Enum


class Way(Enum):
    """Ways to upload a blob (distribution-spec, "Pushing blobs")."""

    WHOLE = "whole"
    """POST, then one PUT with all of it: "POST then PUT", which every registry has to take."""
    STREAMED = "streamed"
    """POST, one PATCH with all of it and no Content-Range, then an empty PUT: what docker, skopeo and crane do."""
    CHUNKED = "chunked"
    """POST, PATCHes with Content-Range, then an empty PUT: bodies stay small, and an upload can be resumed."""


@dataclass(frozen=True)
class UploadRules:
    way: Way
    """Where an upload begins."""
    chunk_size: int
    """Bytes of a chunk to begin with; multiples of 10 MiB suit S3-backed registries."""
    max_body: int | None = None
    """Bytes of one request's body at most; None: not known to be limited."""
    max_seconds: float | None = None
    """Seconds after which an edge gives up on a request; None: not known."""
