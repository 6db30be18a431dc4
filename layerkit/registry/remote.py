"""A blob in a registry as a `Content`: range requests, begun again where the connection broke.

What it needs of a client is `Reader`, so that a client can hand these out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from layerkit.errors import BrokenConnectionError, HttpRefusalError, LayerkitError
from layerkit.image.blob import CHUNK, Buffer
from layerkit.image.digest import Digest
from layerkit.image.foreign import natural
from layerkit.registry.answers import Answer
from layerkit.registry.authorisation import Scope
from layerkit.registry.contact import ConnectionOptions
from layerkit.registry.retry import RETRIED, Budget
from layerkit.registry.transport import Stream


class Reader(Protocol):
    """The part of a RegistryClient that reading a blob needs."""

    registry: str
    options: ConnectionOptions

    def stream(self, path: str, *, scope: Scope, headers: Mapping[str, str]) -> Stream: ...
    def pause(self, budget: Budget, failure: str, doing: str, retry_after: float | None = None) -> None: ...
    def retry_after(self, answer: Answer) -> float | None: ...
    def reason(self, answer: Answer) -> str: ...
    def refusal(self, answer: Answer, doing: str, repository: str = "") -> LayerkitError: ...


@dataclass(frozen=True)
class RemoteContent:
    """A blob in a registry as a `Content`: range requests, begun again where the connection broke."""

    client: Reader = field(repr=False)
    repository: str
    digest: Digest
    size: int

    def chunks(self, offset: int = 0) -> Iterator[Buffer]:
        client = self.client
        doing = f"reading blob {self.digest} of {client.registry}/{self.repository}"
        budget = Budget(client.options.retry, client.options.clock)
        while offset < self.size:
            retry_after = None
            try:
                stream = client.stream(
                    f"/v2/{self.repository}/blobs/{self.digest}",
                    scope=Scope(self.repository),
                    headers={"Range": f"bytes={offset}-{self.size - 1}", "Accept-Encoding": "identity"},
                )
                if stream.answer.status in (200, 206):
                    for piece in self._pieces(stream, offset, doing):
                        offset += len(piece)
                        yield piece
                        budget.renew()
                    if offset >= self.size:
                        return
                    failure = f"the answer ended {self.size - offset:,} bytes early"
                elif stream.answer.status in RETRIED:
                    failure, retry_after = client.reason(stream.answer), client.retry_after(stream.answer)
                else:
                    raise client.refusal(stream.answer, doing, self.repository)
            except BrokenConnectionError as error:
                failure = str(error)
            client.pause(budget, failure, doing, retry_after)

    def _pieces(self, stream: Stream, offset: int, doing: str) -> Iterator[bytes]:
        """The bytes from `offset`, also from a registry that ignores ranges and sends the whole blob."""
        begin = 0
        if stream.answer.status == 206:
            unit, _, rest = stream.answer.headers.get("content-range", f"bytes {offset}-").partition(" ")
            first = rest.partition("-")[0].strip()
            found = natural(first) if unit == "bytes" else None
            begin = offset + 1 if found is None else found
        if begin > offset:
            stream.close()
            raise HttpRefusalError(f"{doing}: asked for bytes from {offset:,}, got others", stream.answer.status)
        skip, left = offset - begin, self.size - offset
        for piece in stream.pieces(CHUNK):
            wanted = piece[skip : skip + left]
            skip = max(0, skip - len(piece))
            left -= len(wanted)
            if wanted:
                yield wanted
            if not left:
                return
