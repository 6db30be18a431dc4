"""What each request of the distribution protocol is answered with (distribution-spec v1.1, "Endpoints").

In: an `Exchange` and the store. Out: an `Answer`, or a `Refusal`. The sandbox's limits are applied here and in `uploads.py` and
`manifests.py`, those of time excepted.
"""

import re
from collections.abc import Callable

from layerkit.errors import UsageError
from layerkit.image.digest import Digest
from layerkit.image.foreign import natural
from layerkit.image.media_types import OCI_INDEX
from layerkit.image.reference import check_repository
from layerkit.sandbox.exchange import Answer, Exchange, Refusal, json_answer, no_such_page
from layerkit.sandbox.limits import Limits
from layerkit.sandbox.manifests import Manifests, check_deletion
from layerkit.sandbox.store import Store
from layerkit.sandbox.uploads import Uploads, digest_in

_PATHS = re.compile(
    r"/v2/(?P<name>.+?)/(?:(?P<tags>tags/list)|manifests/(?P<manifest>[^/]+)|blobs/uploads/(?P<upload>[^/]*)|blobs/(?P<blob>[^/]+)"
    r"|referrers/(?P<referrers>[^/]+))"
)
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
        self._uploads = Uploads(store, limits, may_read)
        self._manifests = Manifests(store, limits)

    def answer(self, exchange: Exchange) -> Answer:
        """Raises Refusal, ResetConnection, EdgeTimeout, BrokenBody."""
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
        if not self._limits.has_repository(name):
            raise Refusal(404, "NAME_UNKNOWN", f"the repository with name {name!r} does not exist in the registry")
        if match["upload"] is not None:
            return self._uploads.answer(exchange, name, match["upload"])
        if match["blob"] is not None:
            return self._blob(exchange, name, digest_in(match["blob"]))
        if match["manifest"] is not None:
            return self._manifests.answer(exchange, name, match["manifest"])
        if exchange.method != "GET":
            raise Refusal(405, "UNSUPPORTED", "only GET here")
        return self._tags(exchange, name) if match["tags"] else self._referrers(exchange, name, digest_in(match["referrers"]))

    def close(self) -> None:
        self._uploads.close()

    # Blobs

    def _blob(self, exchange: Exchange, name: str, digest: Digest) -> Answer:
        if exchange.method == "DELETE":
            check_deletion(self._limits)
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
