"""Small registries on loopback, each with a way of its own to take uploads, made after what was reported of real ones.

They hold what they are sent in memory, insist on what the specification lets them insist on (offsets, digests), and count.
`docs/registries.md` and the profiles have the sources; here is what the pusher has to cope with.
"""

import contextlib
import hashlib
import re
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KiB, MiB = 1 << 10, 1 << 20

_PATHS = re.compile(r"/v2/(?P<name>.+?)/(?:blobs/uploads/(?P<upload>[^/]*)|blobs/(?P<blob>[^/]+)|manifests/(?P<manifest>[^/]+))")


@dataclass(frozen=True)
class Dialect:
    """Sizes in bytes. As specified, unless it says otherwise."""

    max_body: int | None = None
    """Larger bodies are refused, whatever they belong to."""
    refuses_bodies: str = "413"
    """`413` before the body is read, `413 late` after it, `reset`."""
    max_chunk: int | None = None
    """Larger chunks are refused; a PUT may have any size."""
    refuses_chunks: str = "416"
    """`416` with the limit in its text (GHCR), `413`, `400` SIZE_INVALID, `reset`."""
    chunked: bool = True
    """False: a PATCH with Content-Range, or a second PATCH, is refused (Google)."""
    patched: bool = True
    """False: so is any PATCH."""
    no_chunks: int = 405
    """The status that says so."""
    put_body: bool = True
    """False: the last PUT must be empty (what only ever met docker)."""
    ranges: str = "end"
    """What a PATCH's Range names: `end`, `chunk` (its own bytes), `length` (its own, from 0), `stuck` at the first chunk's,
    `none`, `more` or `less` (by one)."""
    patch_status: int = 202
    get_status: int = 204
    """405 or 404: where an upload stands isn't told."""
    min_chunk: int | None = None
    """Announced; smaller chunks, the last excepted, are refused with 416."""
    announced_max: int | None = None
    """Announced as OCI-Chunk-Max-Length; larger bodies are refused with 413."""
    max_blob: int | None = None
    """Larger blobs are never committed: 524, and the upload is gone."""
    commit_413: int | None = None
    """Larger blobs are refused with 413 when they are committed."""


DIALECTS: dict[str, Dialect] = {
    "as specified": Dialect(),
    "ghcr: chunks of 4 MiB, 416 with a text": Dialect(max_chunk=4 * MiB),
    "chunks of 4 MiB, 413": Dialect(max_chunk=4 * MiB, refuses_chunks="413"),
    "chunks of 4 MiB, 400 SIZE_INVALID": Dialect(max_chunk=4 * MiB, refuses_chunks="400"),
    "chunks of 4 MiB, reset": Dialect(max_chunk=4 * MiB, refuses_chunks="reset"),
    "ecr: Range stuck at the first chunk, 201, GET refused": Dialect(ranges="stuck", patch_status=201, get_status=405),
    "google: no chunks, 405": Dialect(chunked=False),
    "google: no chunks, 400 UNSUPPORTED": Dialect(chunked=False, no_chunks=400),
    "no PATCH at all": Dialect(patched=False),
    "only what docker does": Dialect(chunked=False, put_body=False),
    "chunks, but no body in the last PUT": Dialect(put_body=False),
    "zot: Range of the chunk": Dialect(ranges="chunk"),
    "Range of the chunk's length": Dialect(ranges="length"),
    "no Range": Dialect(ranges="none"),
    "Range one more": Dialect(ranges="more"),
    "Range one less": Dialect(ranges="less"),
    "pulp: 204, GET not found": Dialect(patch_status=204, get_status=404),
    "cloudflare: bodies of 12 MB, 413": Dialect(max_body=12_000_000),
    "bodies of 12 MB, 413 after them": Dialect(max_body=12_000_000, refuses_bodies="413 late"),
    "bodies of 12 MB, reset": Dialect(max_body=12_000_000, refuses_bodies="reset"),
    "nginx: bodies of 1 MiB": Dialect(max_body=MiB),
    "bodies of 512 KiB": Dialect(max_body=512 * KiB),
    "serverless-registry: chunks of 5 to 20 MB": Dialect(min_chunk=5_000_000, announced_max=20_000_000),
}


@dataclass
class Seen:
    """A request and its answer."""

    method: str
    path: str
    """Without its query."""
    range: str
    """Content-Range."""
    length: int
    status: int = 0
    """0: reset."""
    at: float = field(default_factory=time.monotonic)


class Upload:
    def __init__(self) -> None:
        self.id = secrets.token_hex(8)
        self.data = bytearray()
        self.chunks = 0
        self.first = 0
        """Bytes of the first chunk."""
        self.ended_short = False


class Registry:
    """Thread-safe enough for a pusher: no upload has two requests at a time."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.seen: list[Seen] = []
        self.address = ""
        self.uploads: dict[str, Upload] = {}

    @contextlib.contextmanager
    def serving(self) -> Iterator["Registry"]:
        server = _server(self)
        self.address = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)

    def answer(self, call: "_Call") -> None:
        match = _PATHS.fullmatch(call.path)
        if call.path == "/v2/":
            call.reply(200, body=b"{}")
        elif match is None:
            call.reply(404)
        elif match["blob"]:
            held = self.blobs.get(match["blob"])
            call.reply(404) if held is None else call.reply(200, body=held)
        elif match["manifest"]:
            self._manifest(call, match["manifest"])
        elif call.method == "POST":
            self._begin(call, match["name"])
        else:
            upload = self.uploads.get(match["upload"])
            if upload is None:
                call.read()
                call.refuse(404, "BLOB_UPLOAD_UNKNOWN")
            elif call.method == "GET":
                self._tell(call, match["name"], upload)
            elif call.method == "DELETE":
                del self.uploads[upload.id]
                call.reply(204)
            else:
                self._receive(call, match["name"], upload)

    def _manifest(self, call: "_Call", reference: str) -> None:
        if call.method == "PUT":
            raw = call.read()
            digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
            self.manifests[reference] = self.manifests[digest] = (call.headers["content-type"], raw)
            call.reply(201, {"Docker-Content-Digest": digest})
        elif reference in self.manifests:
            media_type, raw = self.manifests[reference]
            call.reply(200, {"Content-Type": media_type}, raw)
        else:
            call.refuse(404, "MANIFEST_UNKNOWN")

    def _begin(self, call: "_Call", name: str) -> None:
        upload = Upload()
        self.uploads[upload.id] = upload
        headers = {"Location": f"/v2/{name}/blobs/uploads/{upload.id}?_state=s", "Range": "0-0"}
        if self.dialect.min_chunk:
            headers["OCI-Chunk-Min-Length"] = str(self.dialect.min_chunk)
        if self.dialect.announced_max:
            headers["OCI-Chunk-Max-Length"] = str(self.dialect.announced_max)
        call.reply(202, headers)

    def _tell(self, call: "_Call", name: str, upload: Upload) -> None:
        if self.dialect.get_status != 204:
            call.refuse(self.dialect.get_status, "UNSUPPORTED")
            return
        location = f"/v2/{name}/blobs/uploads/{upload.id}?_state=s"
        call.reply(204, {"Location": location, "Range": f"0-{max(len(upload.data) - 1, 0)}"})

    def _receive(self, call: "_Call", name: str, upload: Upload) -> None:
        if not self._takes(call, upload):
            return
        given = call.headers.get("content-range")
        if given is not None and int(given.partition("-")[0]) != len(upload.data):
            call.read()
            call.refuse(416, "RANGE_INVALID", "not where the upload stands")
            return
        body = call.read()
        upload.data += body
        if call.method == "PUT":
            self._commit(call, upload)
            return
        upload.chunks += 1
        upload.first = upload.first or len(body)
        upload.ended_short = len(body) < (self.dialect.min_chunk or 0)
        headers = {"Location": f"/v2/{name}/blobs/uploads/{upload.id}?_state=s"}
        said = self._said(upload, len(body))
        if said is not None:
            headers["Range"] = said
        call.reply(self.dialect.patch_status, headers)

    def _takes(self, call: "_Call", upload: Upload) -> bool:
        """Answers what the dialect refuses."""
        dialect = self.dialect
        is_patch = call.method == "PATCH"
        if dialect.max_body is not None and call.length > dialect.max_body:
            call.refuse_body(dialect.refuses_bodies)
        elif dialect.announced_max is not None and call.length > dialect.announced_max:
            call.refuse_body("413")
        elif is_patch and (not dialect.patched or (not dialect.chunked and ("content-range" in call.headers or upload.chunks))):
            call.read()
            call.refuse(dialect.no_chunks, "UNSUPPORTED", "the operation is unsupported")
        elif not is_patch and not dialect.put_body and call.length:
            call.read()
            call.refuse(400, "BLOB_UPLOAD_INVALID", "unexpected body")
        elif is_patch and dialect.max_chunk is not None and call.length > dialect.max_chunk and "content-range" in call.headers:
            if dialect.refuses_chunks == "416":
                call.read()
                limit = f"{dialect.max_chunk / MiB:.2f}MiB"
                call.refuse(
                    416, "UNKNOWN", f"chunk of {call.length / MiB:.2f}MiB exceeds the maximum permissible limit of {limit}"
                )
            elif dialect.refuses_chunks == "400":
                call.read()
                call.refuse(400, "SIZE_INVALID", "provided length did not match content length")
            else:
                call.refuse_body(dialect.refuses_chunks)
        elif upload.ended_short and is_patch:
            call.read()
            call.refuse(416, "BLOB_UPLOAD_INVALID", "the last chunk was too small")
        else:
            return True
        return False

    def _said(self, upload: Upload, length: int) -> str | None:
        end = len(upload.data)
        return {
            "end": f"0-{end - 1}",
            "chunk": f"{end - length}-{end - 1}",
            "length": f"0-{length - 1}",
            "stuck": f"0-{upload.first - 1}",
            "more": f"0-{end}",
            "less": f"0-{end - 2}",
        }.get(self.dialect.ranges)

    def _commit(self, call: "_Call", upload: Upload) -> None:
        size = len(upload.data)
        if self.dialect.max_blob is not None and size > self.dialect.max_blob:
            self.uploads.pop(upload.id, None)
            call.reply(524)
            return
        if self.dialect.commit_413 is not None and size > self.dialect.commit_413:
            call.refuse(413, "SIZE_INVALID", f"layers are limited to {self.dialect.commit_413} bytes")
            return
        self.uploads.pop(upload.id, None)
        digest = f"sha256:{hashlib.sha256(upload.data).hexdigest()}"
        if f"digest={digest}" not in call.query:
            call.refuse(400, "DIGEST_INVALID")
            return
        self.blobs[digest] = bytes(upload.data)
        call.reply(201, {"Docker-Content-Digest": digest})


class _Call:
    """One request, and what can be done to it."""

    def __init__(self, handler: BaseHTTPRequestHandler, seen: Seen, query: str) -> None:
        self.method, self.path, self.length, self.query = seen.method, seen.path, seen.length, query
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self._handler = handler
        self._seen = seen

    def read(self) -> bytes:
        return self._handler.rfile.read(self.length)

    def reply(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"", *, close: bool = False) -> None:
        self._seen.status = status
        self._handler.send_response(status)
        for name, value in (headers or {}).items():
            self._handler.send_header(name, value)
        self._handler.send_header("Content-Length", str(len(body)))
        if close:
            self._handler.send_header("Connection", "close")
            self._handler.close_connection = True
        self._handler.end_headers()
        if self.method != "HEAD":
            self._handler.wfile.write(body)
        self._handler.wfile.flush()

    def refuse(self, status: int, code: str, message: str = "", *, close: bool = False) -> None:
        text = f'{{"errors":[{{"code":"{code}","message":"{message}"}}]}}'
        self.reply(status, {"Content-Type": "application/json"}, text.encode(), close=close)

    def refuse_body(self, how: str) -> None:
        connection = self._handler.connection
        if how == "reset":
            self._handler.rfile.read(min(self.length, 64 * KiB))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._handler.close_connection = True
            connection.close()
            return
        if how == "413 late":
            self.read()
        self.refuse(413, "SIZE_INVALID", "request entity too large", close=True)
        if how == "413":  # as servers do: what is on its way is let pass, or the answer would be lost in a reset
            connection.settimeout(2)
            with contextlib.suppress(OSError):
                while connection.recv(1 << 20):
                    pass


def _server(registry: Registry) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):  # every method is served alike
                return self._serve
            raise AttributeError(name)

        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            seen = Seen(self.command, path, self.headers.get("Content-Range", ""), length)
            registry.seen.append(seen)
            try:
                registry.answer(_Call(self, seen, query))
            except (OSError, ValueError):
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    return Server(("127.0.0.1", 0), Handler)
