"""Layers at the target that needn't be sent again, once it is certain what they hold.

In: what old configs claim: diff_id -> blob. Out: the same as `Known`s, each with the question whether it is proven. A claim is
anybody's word: an image whose config claims our diff_ids over other blobs would have those published. So a blob counts only when
layerkit has decoded it and found that diff_id: in an earlier run of this user's (`state`), or now, while other parts are being
uploaded.

Reading a blob back is mostly cheaper than sending one: hardly any line is faster up than down. Where it turns out to be slower,
by the rate at which this push has been sending, it is given up, and the part is sent.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping

from layerkit.compression.decode import decoded_chunks
from layerkit.errors import CannotFixError, ImageError, RefusedError, UnreachableError
from layerkit.image.blob import Blob, Buffer
from layerkit.image.digest import Digest, short
from layerkit.image.manifest import Descriptor
from layerkit.progress import SILENT, Progress
from layerkit.registry.client import RegistryClient
from layerkit.rewrite.options import Known
from layerkit.state import State

_PATIENCE = 5.0
"""Seconds for which a blob is read back at least, before rates are compared."""

_MOST_RAW = 1100
"""Bytes of tar for each of a blob; deflate makes 1,032 at most. What gives more isn't worth waiting for."""


class Reuse:
    """Thread-safe. Each blob is read back once at most."""

    def __init__(
        self,
        client: RegistryClient,
        state: State,
        sending_rate: Callable[[], float | None] = lambda: None,
        progress: Progress = SILENT,
    ) -> None:
        """`sending_rate`: bytes a second at which blobs have been sent so far; None: nothing was yet."""
        self.sending_rate = sending_rate
        self._client = client
        self._state = state
        self._progress = progress
        self._found: dict[Digest, Digest | None] = {}
        """Blob -> its diff_id, once it was decoded; None: it couldn't be, or that would take too long."""
        self._locks: dict[Digest, threading.Lock] = {}
        self._lock = threading.Lock()

    def known(self, repository: str, claims: Mapping[Digest, Descriptor]) -> dict[Digest, Known]:
        """diff_id -> the layer that is claimed to have it, in `repository`."""
        found = {}
        for diff_id, layer in claims.items():
            blob = Blob(layer.digest, self._client.blob_content(repository, layer.digest, layer.size))
            found[diff_id] = Known(layer, blob, self._question(blob, diff_id))
        return found

    def _question(self, blob: Blob, diff_id: Digest) -> Callable[[], bool]:
        return lambda: self._is_proven(blob, diff_id)

    def _is_proven(self, blob: Blob, diff_id: Digest) -> bool:
        with self._lock:
            lock = self._locks.setdefault(blob.digest, threading.Lock())
        with lock:
            if blob.digest not in self._found:
                self._found[blob.digest] = self._remembered(blob) or self._read_back(blob)
        found = self._found[blob.digest]
        if found is not None and found != diff_id:
            self._progress.warn(
                f"layer {short(blob.digest)} at {self._client.registry} isn't reused: a config there says that it holds "
                f"{diff_id}, but it holds {found}. Whoever pulls that image gets other files than it claims"
            )
        return found == diff_id

    def _remembered(self, blob: Blob) -> Digest | None:
        proof = self._state.proof(blob.digest)
        if proof is None:
            return None
        self._progress.note(f"layer {short(blob.digest)} is there already: layerkit decoded it on {proof.proved}")
        return Digest(proof.diff_id)

    def _read_back(self, blob: Blob) -> Digest | None:
        where = f"layer {short(blob.digest)} at {self._client.registry}"
        try:
            found = self._decode(blob, where)
        except (ImageError, CannotFixError, RefusedError, UnreachableError) as error:
            self._progress.note(f"{where} isn't reused, it can't be read back: {error}")
            return None
        if found is None:
            self._progress.note(f"{where} isn't reused: sending its content is quicker than reading it back")
            return None
        self._state.prove({blob.digest: found})
        self._progress.note(f"layer {short(blob.digest)} is there already: it was read back")
        return found

    def _decode(self, blob: Blob, where: str) -> Digest | None:
        """The diff_id of what the blob's own bytes hold; None: sending is quicker. Raises DamagedError when they aren't those of
        its digest, and what reading raises."""
        clock = self._client.options.clock
        began, rate = clock.monotonic(), self.sending_rate()
        allowed = max(_PATIENCE, blob.size / rate) if rate else None
        hasher = hashlib.sha256()
        raw = 0
        with self._progress.task(f"read back {short(blob.digest)}", blob.size) as task:

            def advancing() -> Iterator[Buffer]:
                for chunk in blob.verified(where):
                    yield chunk
                    task.advance(len(chunk))

            for data in decoded_chunks(advancing(), where):
                hasher.update(data)
                raw += len(data)
                if raw > _MOST_RAW * (blob.size + 1000) or (allowed is not None and clock.monotonic() - began > allowed):
                    return None
        return Digest(f"sha256:{hasher.hexdigest()}")
