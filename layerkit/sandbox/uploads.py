"""How blobs come in (distribution-spec, "Pushing blobs"), in the dialect that the limits describe.

In: POST, PATCH, PUT, GET and DELETE of an upload. Out: what a registry of that dialect answers. Chunks have to follow each other,
and the newest Location has to be used with its query as it is.
"""

import re
import threading
import time
from collections.abc import Callable

from layerkit.image.digest import Digest, is_digest
from layerkit.image.foreign import natural
from layerkit.sandbox.exchange import Answer, BrokenBody, EdgeTimeout, Exchange, Refusal, refused
from layerkit.sandbox.limits import Limits, Shown
from layerkit.sandbox.store import Store, Upload

_CONTENT_RANGE = re.compile(r"(?:bytes[= ])?([0-9]+)-([0-9]+)")


class Uploads:
    def __init__(self, store: Store, limits: Limits, may_read: Callable[[Exchange, str], bool]) -> None:
        """`may_read` says whether the request's token allows pulling from another repository, for mounts."""
        self._store = store
        self._limits = limits
        self._may_read = may_read
        self._late: list[threading.Timer] = []

    def close(self) -> None:
        """Commits that the edge gave up waiting for are not waited for either."""
        for timer in self._late:
            timer.cancel()

    def answer(self, exchange: Exchange, name: str, upload_id: str) -> Answer:
        """Raises Refusal, ResetConnection, EdgeTimeout, BrokenBody."""
        if not upload_id:
            if exchange.method != "POST":
                raise Refusal(405, "UNSUPPORTED", "only POST here")
            return self._begin(exchange, name)
        upload = self._store.upload(name, upload_id)
        if upload is None or (exchange.method in ("PATCH", "PUT") and exchange.query.get("_state") != upload.state):
            raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", "no such upload, or not its newest Location")
        if exchange.method == "GET":
            if self._limits.asked >= 400:
                raise Refusal(self._limits.asked, "UNSUPPORTED", "an upload isn't asked where it stands")
            return Answer(self._limits.asked, self._progress(name, upload))
        if exchange.method == "DELETE":
            self._store.forget(upload)
            return Answer(204)
        if exchange.method not in ("PATCH", "PUT"):
            raise Refusal(405, "UNSUPPORTED", "GET, PATCH, PUT or DELETE here")
        with upload.lock:
            wanted = digest_in(exchange.query.get("digest", "")) if exchange.method == "PUT" else None
            self._receive(exchange, name, upload)
            if wanted is None:
                upload.renew()
                return Answer(self._limits.patched, self._progress(name, upload))
            return self._finish(exchange, name, upload, wanted)

    def _begin(self, exchange: Exchange, name: str) -> Answer:
        mounted = exchange.query.get("mount")
        if mounted:
            origin = exchange.query.get("from")
            allowed = origin is None or self._may_read(exchange, origin)
            if allowed and self._store.mount(name, digest_in(mounted), origin):
                return _created(name, Digest(mounted))
        upload = self._store.begin(name)
        if "digest" in exchange.query:
            with upload.lock:
                self._receive(exchange, name, upload)
                return self._finish(exchange, name, upload, digest_in(exchange.query["digest"]))
        headers = self._progress(name, upload)
        if self._limits.min_chunk and self._limits.announce_min:
            headers["OCI-Chunk-Min-Length"] = str(self._limits.min_chunk)
        if self._limits.max_chunk and self._limits.announce_max:
            headers["OCI-Chunk-Max-Length"] = str(self._limits.max_chunk)
        return Answer(202, headers)

    def _receive(self, exchange: Exchange, name: str, upload: Upload) -> None:
        """The request's body goes to the upload, if it is what comes next."""
        began = upload.size
        self._check_chunk(exchange, name, upload)
        try:
            for data in exchange.body():
                if self._limits.max_body is not None and exchange.received > self._limits.max_body:
                    raise refused(self._limits.large_body)
                upload.write(data)
        except (BrokenBody, EdgeTimeout):
            if self._limits.forget_broken:
                self._store.forget(upload)
            raise
        if exchange.method == "PATCH":
            upload.patched(began)
        upload.ended_short = exchange.method == "PATCH" and exchange.received < (self._limits.min_chunk or 0)
        if self._limits.max_blob is not None and exchange.received > self._limits.max_blob:
            self._store.forget(upload)
            raise refused(self._limits.large_blob)  # what takes one request so long never gets another answer

    def _check_chunk(self, exchange: Exchange, name: str, upload: Upload) -> None:
        """Is the body what comes next, and sent in a way that this registry knows?"""
        given = exchange.headers.get("Content-Range")
        if exchange.method == "PATCH":
            if given and self._limits.ranged is not None:
                raise refused(self._limits.ranged)
            if upload.chunks and self._limits.second_patch is not None:
                raise refused(self._limits.second_patch)
            if given and self._limits.max_chunk is not None and (exchange.length or 0) > self._limits.max_chunk:
                raise refused(self._limits.large_chunk)
        match = _CONTENT_RANGE.fullmatch(given or "")
        first, last = (natural(text) for text in match.groups()) if match else (None, None)
        misplaced = match is not None and first != upload.size
        wrong_length = match is not None and (first is None or last is None or exchange.length not in (None, last - first + 1))
        too_short = bool(self._limits.min_chunk) and upload.ended_short and exchange.length != 0
        if (given and match is None) or misplaced or wrong_length or too_short:
            message = f"expected bytes from {upload.size}, found Content-Range {given!r}, Content-Length {exchange.length}"
            raise Refusal(416, "BLOB_UPLOAD_INVALID", message, self._progress(name, upload))

    def _finish(self, exchange: Exchange, name: str, upload: Upload, wanted: Digest) -> Answer:
        found, size = upload.digest(wanted), upload.size
        if found != wanted:
            self._store.forget(upload)
            raise Refusal(400, "DIGEST_INVALID", f"expected {wanted}, found {found} in {size:,} bytes")
        if self._limits.max_blob is not None and size > self._limits.max_blob:
            self._store.forget(upload)
            raise refused(self._limits.large_blob)
        kept = self._store.keep(upload)
        takes = size / self._limits.commit_rate if self._limits.commit_rate else 0.0
        left = exchange.time_left()
        if left is not None and takes > left:
            timer = threading.Timer(takes, self._store.commit, (name, wanted, kept))
            timer.daemon = True
            timer.start()
            self._late.append(timer)
            time.sleep(max(left, 0.0))
            raise EdgeTimeout
        time.sleep(takes)
        self._store.commit(name, wanted, kept)
        if self._limits.lose_answers:
            raise EdgeTimeout
        return _created(name, wanted)

    def _progress(self, name: str, upload: Upload) -> dict[str, str]:
        headers = {
            "Location": f"/v2/{name}/blobs/uploads/{upload.id}?_state={upload.state}",
            "Docker-Upload-UUID": upload.id,
        }
        shown = self._shown(upload)
        return {**headers, "Range": shown} if shown else headers

    def _shown(self, upload: Upload) -> str:
        """The Range header; empty: there is none."""
        shown = self._limits.shown
        start, end = upload.chunks[-1] if upload.chunks else (0, upload.size)
        if shown is Shown.NONE:
            return ""
        if shown is Shown.CHUNK:
            return f"{start}-{max(end - 1, start)}"
        if shown is Shown.FIRST and upload.chunks:
            return f"0-{max(upload.chunks[0][1] - 1, 0)}"
        return f"0-{upload.size if shown is Shown.PAST else max(upload.size - 1, 0)}"


def _created(name: str, digest: Digest) -> Answer:
    return Answer(201, {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest})


def digest_in(text: str) -> Digest:
    """Raises Refusal."""
    if not is_digest(text):
        raise Refusal(400, "DIGEST_INVALID", f"{text!r} is not a digest")
    return Digest(text)
