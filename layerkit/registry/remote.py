"""A blob in a registry as a `Content`: range requests, begun again where the connection broke.

What it needs of a client is `Reader`, so that a client can hand these out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from layerkit.errors import HttpRefusalError, LayerkitError
from layerkit.image.blob import CHUNK, Buffer
from layerkit.image.digest import Digest
from layerkit.image.foreign import natural
from layerkit.registry.answers import Answer
from layerkit.registry.authorisation import Scope
from layerkit.registry.retry import RETRIED, PassingError, Patience, retrying
from layerkit.registry.transport import Stream


class Reader(Protocol):
    """The part of a RegistryClient that reading a blob needs."""

    registry: str

    @property
    def patience(self) -> Patience: ...
    def stream(self, path: str, *, scope: Scope, headers: Mapping[str, str]) -> Stream: ...
    def passing(self, answer: Answer) -> PassingError: ...
    def refusal(self, answer: Answer, doing: str, repository: str = "") -> LayerkitError: ...


@dataclass(frozen=True)
class RemoteContent:
    """`size` bytes from `start` of a blob in a registry."""

    client: Reader = field(repr=False)
    repository: str
    digest: Digest
    size: int
    start: int = 0

    @property
    def is_local(self) -> bool:
        return False

    def section(self, start: int, end: int) -> "RemoteContent":
        start, end = max(start, 0), min(end, self.size)
        return replace(self, start=self.start + start, size=max(end - start, 0))

    def chunks(self, offset: int = 0) -> Iterator[Buffer]:
        reading = _Reading(self, self.start + offset)
        while reading.at < reading.end:
            yield retrying(self.client.patience, reading.doing, reading.piece)


class _Reading:
    """One way through a blob: each piece has its own tries, so that what gets on is never given up."""

    def __init__(self, content: RemoteContent, at: int) -> None:
        self.at = at
        """Offset in the blob."""
        self.end = content.start + content.size
        self.doing = f"reading blob {content.digest} of {content.client.registry}/{content.repository}"
        self._content = content
        self._pieces: Iterator[bytes] | None = None

    def piece(self) -> bytes:
        """The next one. Raises PassingError, BrokenConnectionError, and what isn't tried again."""
        try:
            if self._pieces is None:
                self._pieces = self._from(self.at)
            found = next(self._pieces, None)
            if found is None:
                raise PassingError(f"the answer ended {self.end - self.at:,} bytes early")
        except BaseException:
            self._pieces = None
            raise
        self.at += len(found)
        return found

    def _from(self, at: int) -> Iterator[bytes]:
        """The bytes from `at`, also from a registry that ignores ranges and sends the whole blob."""
        content, client = self._content, self._content.client
        stream = client.stream(
            f"/v2/{content.repository}/blobs/{content.digest}",
            scope=Scope(content.repository),
            headers={"Range": f"bytes={at}-{self.end - 1}", "Accept-Encoding": "identity"},
        )
        if stream.answer.status in RETRIED:
            raise client.passing(stream.answer)
        if stream.answer.status not in (200, 206):
            raise client.refusal(stream.answer, self.doing, content.repository)
        begin: int | None = 0
        if stream.answer.status == 206:
            unit, _, rest = stream.answer.headers.get("content-range", f"bytes {at}-").partition(" ")
            begin = natural(rest.partition("-")[0].strip()) if unit == "bytes" else None
        if begin is None or begin > at:
            stream.close()
            raise HttpRefusalError(f"{self.doing}: asked for bytes from {at:,}, got others", stream.answer.status)
        skip, left = at - begin, self.end - at
        for piece in stream.pieces(CHUNK):
            wanted = piece[skip : skip + left]
            skip = max(0, skip - len(piece))
            left -= len(wanted)
            if wanted:
                yield wanted
            if not left:
                return
