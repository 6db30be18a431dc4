"""What became of an image of a batch."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from layerkit.batch.list import Line


class Status(Enum):
    DONE = "done"
    UNCHANGED = "unchanged"
    """An earlier run did the same, and the tag holds what it wrote."""
    FAILED = "failed"


@dataclass(frozen=True)
class Result:
    line: Line
    """Of this image alone, however many its source holds: what `--failed` writes."""
    reference: str
    """`HOST/REPOSITORY:TAG`."""
    status: Status
    digest: str | None = None
    """Of what the tag holds now; None: it failed."""
    bytes_sent: int = 0
    """Of blobs' bodies, those sent twice included; a blob that several images share counts for the one that sent it."""
    seconds: float = 0.0
    """From its beginning to its end; other images run meanwhile."""
    replaced: str | None = None
    """Digest that somebody else had put under the tag since the last run."""
    error: str | None = None
    exit_code: int = 0
    """What `layerkit fix-and-push` would have ended with."""

    def as_json(self) -> dict[str, Any]:
        """The fields of one line of JSON; those that say nothing left out."""
        fields: dict[str, Any] = {
            "image": self.line.image,
            "reference": self.reference,
            "status": self.status.value,
            "digest": self.digest,
            "bytes_sent": self.bytes_sent,
            "seconds": round(self.seconds, 3),
        }
        if self.replaced is not None:
            fields["replaced"] = self.replaced
        if self.error is not None:
            fields |= {"error": self.error, "exit_code": self.exit_code}
        return fields
