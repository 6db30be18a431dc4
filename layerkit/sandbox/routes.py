"""What each request of the distribution protocol is answered with (distribution-spec v1.1, "Endpoints").

In: an `Exchange` and the store. Out: an `Answer`, or a `Refusal`. The sandbox's limits are applied here, those of time excepted.
"""

import re
import threading
import time
from collections.abc import Callable

from layerkit.errors import ImageError, UsageError
from layerkit.image.digest import Digest, is_digest, sha256
from layerkit.image.foreign import natural
from layerkit.image.manifest import Descriptor, Index, Manifest, parse_document
from layerkit.image.media_types import OCI_INDEX, is_foreign_layer
from layerkit.image.reference import check_repository, check_tag
from layerkit.image.referrers import Kind, referrer
from layerkit.sandbox.exchange import Answer, BrokenBody, EdgeTimeout, Exchange, Refusal, json_answer, no_such_page
from layerkit.sandbox.limits import Limits
from layerkit.sandbox.store import Store, Upload

MAX_MANIFEST = 4 << 20
"""Bytes; distribution-spec: registries should take at least this much."""

_PATHS = re.compile(
    r"/v2/(?P<name>.+?)/(?:(?P<tags>tags/list)|manifests/(?P<manifest>[^/]+)|blobs/uploads/(?P<upload>[^/]*)|blobs/(?P<blob>[^/]+)"
    r"|referrers/(?P<referrers>[^/]+))"
)
_CONTENT_RANGE = re.compile(r"(?:bytes[= ])?([0-9]+)-([0-9]+)")
_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")


def needed_scope(method: str, path: str) -> str | None:
    """`repository:NAME:ACTION` that a token must allow; None for the page that only asks who is there."""
    match = _PATHS.fullmatch(path)
    if match is None:
        return None
    action = "delete" if method == "DELETE" and match["upload"] is None else "pull"
    if method in ("POST", "PATCH", "PUT") or match["upload"] is not None:
        action = "push"
    return f"repository:{match['name']}:{action}"


class Routes:
    def __init__(self, store: Store, limits: Limits, may_read: Callable[[Exchange, str], bool]) -> None:
        """`may_read` says whether the request's token allows pulling from another repository, for mounts."""
        self._store = store
        self._limits = limits
        self._may_read = may_read
        self._late: list[threading.Timer] = []

    def answer(self, exchange: Exchange) -> Answer:
        """Raises Refusal, EdgeTimeout, BrokenBody."""
        if exchange.path in ("/v2", "/v2/"):
            return json_answer({})
        match = _PATHS.fullmatch(exchange.path)
        if match is None:
            raise no_such_page()
        name = match["name"]
        try:
            check_repository(name, name)
        except UsageError as error:
            raise Refusal(400, "NAME_INVALID", str(error)) from None
        if match["upload"] is not None:
            return self._upload(exchange, name, match["upload"])
        if match["blob"] is not None:
            return self._blob(exchange, name, _digest(match["blob"]))
        if match["manifest"] is not None:
            return self._manifest(exchange, name, match["manifest"])
        if exchange.method != "GET":
            raise Refusal(405, "UNSUPPORTED", "only GET here")
        return self._tags(exchange, name) if match["tags"] else self._referrers(exchange, name, _digest(match["referrers"]))

    def close(self) -> None:
        """Commits that the edge gave up waiting for are not waited for either."""
        for timer in self._late:
            timer.cancel()

    # Blobs

    def _blob(self, exchange: Exchange, name: str, digest: Digest) -> Answer:
        if exchange.method == "DELETE":
            self._check_deletion()
            if not self._store.delete_blob(name, digest):
                raise Refusal(404, "BLOB_UNKNOWN", f"{digest} is not in {name}")
            return Answer(202)
        if exchange.method not in ("GET", "HEAD"):
            raise Refusal(405, "UNSUPPORTED", "GET, HEAD or DELETE here")
        path = self._store.blob(name, digest)
        if path is None:
            raise Refusal(404, "BLOB_UNKNOWN", f"{digest} is not in {name}")
        size = path.stat().st_size
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest, "Accept-Ranges": "bytes"}
        wanted = _RANGE.fullmatch(exchange.headers.get("Range") or "")
        if exchange.method == "HEAD" or wanted is None or wanted[0] == "bytes=-":
            return Answer(200, headers, file=(path, 0, size))
        first, last = wanted.groups()
        number = natural(last, most=size)  # None for what lies beyond the blob's end
        start = natural(first, most=size) if first else size - (size if number is None else number)
        end = min(number, size - 1) if first and number is not None else size - 1
        if start is None or start > end:
            raise Refusal(416, "UNSUPPORTED", f"the blob has {size} bytes", {"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        return Answer(206, headers, file=(path, start, end - start + 1))

    def _upload(self, exchange: Exchange, name: str, upload_id: str) -> Answer:
        if not upload_id:
            if exchange.method != "POST":
                raise Refusal(405, "UNSUPPORTED", "only POST here")
            return self._begin(exchange, name)
        upload = self._store.upload(name, upload_id)
        if upload is None or (exchange.method in ("PATCH", "PUT") and exchange.query.get("_state") != upload.state):
            raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", "no such upload, or not its newest Location")
        if exchange.method == "GET":
            return Answer(204, self._progress(name, upload))
        if exchange.method == "DELETE":
            self._store.forget(upload)
            return Answer(204)
        if exchange.method not in ("PATCH", "PUT"):
            raise Refusal(405, "UNSUPPORTED", "GET, PATCH, PUT or DELETE here")
        with upload.lock:
            wanted = _digest(exchange.query.get("digest", "")) if exchange.method == "PUT" else None
            self._receive(exchange, name, upload)
            if wanted is None:
                upload.renew()
                return Answer(202, self._progress(name, upload))
            return self._finish(exchange, name, upload, wanted)

    def _begin(self, exchange: Exchange, name: str) -> Answer:
        mounted = exchange.query.get("mount")
        if mounted:
            origin = exchange.query.get("from")
            allowed = origin is None or self._may_read(exchange, origin)
            if allowed and self._store.mount(name, _digest(mounted), origin):
                return _created(name, Digest(mounted))
        upload = self._store.begin(name)
        if "digest" in exchange.query:
            with upload.lock:
                self._receive(exchange, name, upload)
                return self._finish(exchange, name, upload, _digest(exchange.query["digest"]))
        headers = self._progress(name, upload)
        if self._limits.min_chunk:
            headers["OCI-Chunk-Min-Length"] = str(self._limits.min_chunk)
        return Answer(202, headers)

    def _receive(self, exchange: Exchange, name: str, upload: Upload) -> None:
        """The request's body goes to the upload, if it is what comes next."""
        given = exchange.headers.get("Content-Range")
        match = _CONTENT_RANGE.fullmatch(given or "")
        first, last = (natural(text) for text in match.groups()) if match else (None, None)
        misplaced = match is not None and first != upload.size
        wrong_length = match is not None and (first is None or last is None or exchange.length not in (None, last - first + 1))
        too_short = bool(self._limits.min_chunk) and upload.ended_short and exchange.length != 0
        if (given and match is None) or misplaced or wrong_length or too_short:
            message = f"expected bytes from {upload.size}, found Content-Range {given!r}, Content-Length {exchange.length}"
            raise Refusal(416, "BLOB_UPLOAD_INVALID", message, self._progress(name, upload))
        try:
            for data in exchange.body():
                if self._limits.max_body is not None and exchange.received > self._limits.max_body:
                    raise Refusal(413, "SIZE_INVALID", f"the body is larger than {self._limits.max_body:,} bytes")
                upload.write(data)
        except (BrokenBody, EdgeTimeout):
            if self._limits.forget_broken:
                self._store.forget(upload)
            raise
        upload.ended_short = exchange.method == "PATCH" and exchange.received < (self._limits.min_chunk or 0)
        if self._limits.max_blob is not None and exchange.received > self._limits.max_blob:
            self._store.forget(upload)
            raise EdgeTimeout  # what takes one request so long never gets an answer

    def _finish(self, exchange: Exchange, name: str, upload: Upload, wanted: Digest) -> Answer:
        found, size = upload.digest(wanted), upload.size
        if found != wanted:
            self._store.forget(upload)
            raise Refusal(400, "DIGEST_INVALID", f"expected {wanted}, found {found} in {size:,} bytes")
        if self._limits.max_blob is not None and size > self._limits.max_blob:
            self._store.forget(upload)
            raise EdgeTimeout
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
        return {
            "Location": f"/v2/{name}/blobs/uploads/{upload.id}?_state={upload.state}",
            "Docker-Upload-UUID": upload.id,
            "Range": f"0-{max(upload.size - 1, 0)}",
        }

    # Manifests

    def _manifest(self, exchange: Exchange, name: str, reference: str) -> Answer:
        if exchange.method == "PUT":
            return self._put_manifest(exchange, name, reference)
        if exchange.method == "DELETE":
            self._check_deletion()
            if not self._store.delete_manifest(name, _digest(reference)):
                raise Refusal(404, "MANIFEST_UNKNOWN", f"{reference} is not in {name}")
            return Answer(202)
        if exchange.method not in ("GET", "HEAD"):
            raise Refusal(405, "UNSUPPORTED", "GET, HEAD, PUT or DELETE here")
        found = self._store.manifest(name, reference)
        if found is None:
            raise Refusal(404, "MANIFEST_UNKNOWN", f"{reference} is not in {name}")
        raw, media_type, digest = found
        return Answer(200, {"Content-Type": media_type, "Docker-Content-Digest": digest}, raw)

    def _put_manifest(self, exchange: Exchange, name: str, reference: str) -> Answer:
        raw = exchange.read(MAX_MANIFEST)
        digest = sha256(raw)
        tag = None
        if is_digest(reference):
            if reference != digest:
                raise Refusal(400, "DIGEST_INVALID", f"expected {reference}, found {digest}")
        else:
            tag = reference
            try:
                check_tag(tag, tag)
            except UsageError as error:
                raise Refusal(400, "TAG_INVALID", str(error)) from None
        declared = (exchange.headers.get("Content-Type") or "").partition(";")[0].strip()
        try:
            document = parse_document(raw, "manifest", declared)
        except ImageError as error:
            raise Refusal(400, "MANIFEST_INVALID", str(error)) from None
        if declared and document.media_type != declared:
            raise Refusal(400, "MANIFEST_INVALID", f"Content-Type {declared}, mediaType {document.media_type}")
        self._check_parts(name, document)
        self._store.put_manifest(name, digest, raw, document.media_type, tag)
        headers = {"Location": f"/v2/{name}/manifests/{reference}", "Docker-Content-Digest": digest}
        subject = document.fields.get("subject")
        if isinstance(subject, dict):
            headers["OCI-Subject"] = str(subject.get("digest", ""))
        return Answer(201, headers)

    def _check_parts(self, name: str, document: Manifest | Index) -> None:
        parts: list[Descriptor]
        if isinstance(document, Manifest):
            parts = [document.config, *(layer for layer in document.layers if not is_foreign_layer(layer.media_type))]
            attested = _is_attestation(document.descriptor(), document)
        else:
            parts = list(document.entries)
            attested = any(map(_is_attestation, document.entries))
        if attested and not self._limits.attestations:
            raise Refusal(400, "MANIFEST_INVALID", "attestations are not supported by this registry")
        for part in parts:
            if not self._store.has(name, part.digest):
                raise Refusal(400, "MANIFEST_BLOB_UNKNOWN", f"{part.digest} is not in {name}")

    def _tags(self, exchange: Exchange, name: str) -> Answer:
        tags = self._store.tags(name)
        if tags is None:
            raise Refusal(404, "NAME_UNKNOWN", f"there is no repository {name}")
        last, count = exchange.query.get("last", ""), natural(exchange.query.get("n"))
        page = [tag for tag in tags if tag > last]
        headers = {}
        if count is not None and count < len(page):
            page = page[:count]
            if page:
                headers["Link"] = f'</v2/{name}/tags/list?n={count}&last={page[-1]}>; rel="next"'
        return json_answer({"name": name, "tags": page}, **headers)

    def _referrers(self, exchange: Exchange, name: str, digest: Digest) -> Answer:
        wanted = exchange.query.get("artifactType")
        found = []
        for descriptor, fields in self._store.documents(name):
            subject, config = fields.get("subject"), fields.get("config")
            if not isinstance(subject, dict) or subject.get("digest") != digest:
                continue
            kind = fields.get("artifactType") or (config.get("mediaType") if isinstance(config, dict) else None)
            if wanted in (None, kind):
                found.append({**descriptor.fields, "artifactType": kind, "annotations": fields.get("annotations") or {}})
        headers = {"OCI-Filters-Applied": "artifactType"} if wanted else {}
        return json_answer({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}, OCI_INDEX, **headers)

    def _check_deletion(self) -> None:
        if not self._limits.deletion:
            raise Refusal(405, "UNSUPPORTED", "nothing can be deleted here")


def _is_attestation(descriptor: Descriptor, document: Manifest | None = None) -> bool:
    found = referrer(descriptor, document)
    return found is not None and found.kind is Kind.ATTESTATION


def _created(name: str, digest: Digest) -> Answer:
    return Answer(201, {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest})


def _digest(text: str) -> Digest:
    if not is_digest(text):
        raise Refusal(400, "DIGEST_INVALID", f"{text!r} is not a digest")
    return Digest(text)
