"""A registry, spoken to.

In: its name, credentials, connection options. Out: the endpoints of the distribution protocol as verbs (distribution-spec,
"Endpoints"): manifests and blobs read, manifests written, uploads begun, continued, committed. Those that return an `Answer`
are one try, authorised, a 401 answered with a renewed token; the others try again what may pass, until there is no sense in it.

Requests are logged (`-v`), without what is behind a `?`: it may be a signature.
"""

import functools
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

from layerkit.errors import (
    DamagedError,
    HttpRefusalError,
    KeptFailingError,
    LayerkitError,
    NotARegistryError,
    NotFoundError,
    RefusedError,
    UnauthorisedError,
    UsageError,
)
from layerkit.image.blob import Content
from layerkit.image.digest import Digest, encoded, hasher_for, is_digest, sha256
from layerkit.image.foreign import MAX_DOCUMENT, web_address
from layerkit.image.media_types import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from layerkit.image.reference import DOCKER_HUB
from layerkit.progress import SILENT, Progress
from layerkit.registry.answers import Answer
from layerkit.registry.authorisation import Authoriser, Scope
from layerkit.registry.contact import ConnectionOptions, first_contact, not_a_registry
from layerkit.registry.credentials import Credentials, CredentialSource, FileCredentials, Given, home_of
from layerkit.registry.proxies import proxies_from
from layerkit.registry.remote import RemoteContent
from layerkit.registry.retry import RETRIED, PassingError, Patience, parse_retry_after, retrying
from layerkit.registry.tls import trust_from
from layerkit.registry.transport import Body, Stream, Transport, origin, without_query

log = logging.getLogger(__name__)

MANIFEST_TYPES = (OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST)
_ACCEPT = ", ".join(MANIFEST_TYPES)
_USER_AGENT = "layerkit/0.1 (+https://pypi.org/project/layerkit)"
_HUB_HOST = "registry-1.docker.io"
_LOOKS = 3
"""Times a blob is asked for before it counts as unknown."""

_LARGEST_TOKEN = 1 << 20
"""Bytes of a token service's answer that are read."""


Answered = TypeVar("Answered", Answer, Stream)


class RegistryClient:
    """Thread-safe. Nothing is sent before the first call; the first call finds out how the registry wants to be spoken to."""

    def __init__(
        self, reference_registry: str, *, credentials: CredentialSource, options: ConnectionOptions | None = None
    ) -> None:
        """`reference_registry`: `HOST[:PORT]` as it stands in references; Docker Hub's is docker.io."""
        self.registry = reference_registry
        self.options = options or ConnectionOptions()
        self.transport = Transport(self.options.proxies, self.options.trust, self.options.timeouts, _USER_AGENT)
        self._credentials = credentials
        self._host = _HUB_HOST if reference_registry == DOCKER_HUB else reference_registry
        self._authoriser: Authoriser | None = None
        self._base = ""
        self._contact = threading.Lock()

    # Reading

    def get_manifest(self, repository: str, tag_or_digest: str) -> tuple[bytes, str]:
        """A manifest's or index's bytes and media type. Raises NotFoundError, other RefusedErrors, UnreachableError, and
        DamagedError when the bytes don't match a digest they were asked by."""
        where = self.name_of(repository, tag_or_digest)
        answer = self._asked(
            f"reading {where}",
            functools.partial(
                self.attempt,
                "GET",
                f"/v2/{repository}/manifests/{tag_or_digest}",
                scope=Scope(repository),
                headers={"Accept": _ACCEPT},
            ),
            repository,
        )
        if is_digest(tag_or_digest):
            hasher = hasher_for(Digest(tag_or_digest))
            hasher.update(answer.body)
            if hasher.hexdigest() != encoded(Digest(tag_or_digest)):
                raise DamagedError.mismatch(where, expected="content of that digest", found=f"{len(answer.body):,} other bytes")
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
        return answer.body, media_type

    def tag_digest(self, repository: str, tag: str, scope: Scope) -> Digest | None:
        """What the tag holds; None: nothing, or nothing that one may see. Raises UnreachableError."""
        path = f"/v2/{repository}/manifests/{tag}"
        ask = functools.partial(self.attempt, "HEAD", path, scope=scope, headers={"Accept": _ACCEPT})
        try:
            answer = retrying(self.patience, f"asking for {self.name_of(repository, tag)}", lambda: self._passed(ask()))
            if answer.status == 404:
                return None
            said = answer.headers.get("docker-content-digest", "")
            if answer.status == 200 and is_digest(said):
                return Digest(said)
            return sha256(
                self.get_manifest(repository, tag)[0]
            )  # registries needn't say it (distribution-spec, "Pulling manifests")
        except RefusedError:
            return None

    def has_blob(self, repository: str, digest: Digest, size: int | None = None, scope: Scope | None = None) -> bool | None:
        """Is it there? None when the answer says neither yes nor no (no right to ask, another size, failing a few times): sending
        a blob that is there costs time only."""
        patience = replace(self.patience, policy=replace(self.options.retry, attempts=_LOOKS), tell=log.info)
        path = f"/v2/{repository}/blobs/{digest}"
        try:
            answer = retrying(
                patience,
                f"looking for {digest}",
                lambda: self._passed(self.attempt("HEAD", path, scope=scope or Scope(repository))),
            )
        except (RefusedError, KeptFailingError):
            return None
        if answer.status == 404:
            return False
        other = size is not None and "content-length" in answer.headers and answer.number("content-length") != size
        if answer.status != 200 or answer.is_html or other:
            return None
        return True

    def blob_content(self, repository: str, digest: Digest, size: int) -> Content:
        """A blob's bytes, read by range when they are asked for; unverified, as every Content."""
        return RemoteContent(self, repository, digest, size)

    def check_login(self) -> bool:
        """Are the credentials good? Raises UnauthorisedError when they aren't; False: the registry lets everybody in so far, so
        that they can't be checked."""
        self.contact()
        if not self.authoriser.announced:
            return False
        ask = functools.partial(self.attempt, "GET", "/v2/", scope=Scope())
        answer = self._asked(f"logging in to {self.registry}", ask)
        return not answer.is_html and self.authoriser.lookup("").credentials is not None

    # Sending. `scope` is what the request needs to be allowed.

    def put_manifest(self, repository: str, tag_or_digest: str, media_type: str, raw: bytes, scope: Scope) -> Answer:
        """The registry's answer, once it is neither "later" nor a web page: what a 4xx means, the caller knows best. Raises
        NotARegistryError, UnreachableError."""

        def put() -> Answer:
            path = f"/v2/{repository}/manifests/{tag_or_digest}"
            return self._passed(self.attempt("PUT", path, scope=scope, headers={"Content-Type": media_type}, body=Body.of(raw)))

        doing = f"writing the manifest {self.name_of(repository, tag_or_digest)}"
        answer = retrying(self.patience, doing, put)
        if answer.is_html and answer.status < 400:
            raise self.refusal(answer, doing, repository)
        return answer

    def may_upload(self, repository: str, scope: Scope) -> None:
        """Asks for an upload and gives it back. Raises UnauthorisedError, RefusedError, UnreachableError."""
        begin = functools.partial(self.begin_upload, repository, scope)
        answer = self._asked(f"asking to push to {self.registry}/{repository}", begin, repository, expected=202)
        location = self.location(answer)
        if location is not None:
            try:
                self.attempt("DELETE", location, scope=scope)
            except LayerkitError as error:  # a courtesy: registries forget uploads by themselves
                log.info("the upload wasn't taken back: %s", error)

    def begin_upload(self, repository: str, scope: Scope, mount: Digest | None = None, origin: str = "") -> Answer:
        """202 with the Location of an upload; 201 when the blob `mount` is linked from the repository `origin` instead."""
        query = f"?mount={mount}&from={origin}" if mount is not None else ""
        return self.attempt("POST", f"/v2/{repository}/blobs/uploads/{query}", scope=scope)

    def send_chunk(self, location: str, body: Body, scope: Scope, start: int | None = None) -> Answer:
        """More of an upload; `start` is its offset, said in a Content-Range. None: all of it, without one."""
        headers = {"Content-Type": "application/octet-stream"}
        if start is not None:
            headers["Content-Range"] = f"{start}-{start + body.size - 1}"
        return self.attempt("PATCH", location, scope=scope, headers=headers, body=body)

    def commit_upload(self, location: str, digest: Digest, scope: Scope, body: Body | None = None) -> Answer:
        """The upload becomes the blob; `body` is all of it, if nothing was sent before."""
        headers = {"Content-Type": "application/octet-stream"} if body is not None else None
        return self.attempt("PUT", with_digest(location, digest), scope=scope, headers=headers, body=body)

    def ask_upload(self, location: str, scope: Scope) -> Answer:
        """Where does an upload stand?"""
        return self.attempt("GET", location, scope=scope)

    def location(self, answer: Answer) -> str | None:
        """The URL of an answer's Location header."""
        found = answer.headers.get("location")
        return self.url(found, answer.url) if found else None

    # Requests

    def _asked(self, doing: str, call: Callable[[], Answer], repository: str = "", expected: int = 200) -> Answer:
        """The expected answer, after as many tries as it takes. Raises the errors of `refusal` and `attempt`, UnreachableError
        when there is no sense in another try."""
        answer = retrying(self.patience, doing, lambda: self._passed(call()))
        if answer.status != expected or answer.is_html:
            raise self.refusal(answer, doing, repository)
        return answer

    def _passed(self, answer: Answer) -> Answer:
        """An answer that another try wouldn't change. Raises PassingError."""
        if answer.status in RETRIED:
            raise self.passing(answer)
        return answer

    def passing(self, answer: Answer) -> PassingError:
        return PassingError(self.reason(answer), self.retry_after(answer))

    def attempt(
        self,
        method: str,
        path: str,
        *,
        scope: Scope,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Answer:
        """One try of a request to a path or URL. The token is renewed before it ends, and once more when the registry asks for
        it; another host than the registry's is told no token. Raises UnauthorisedError for a 401 that remains,
        BrokenConnectionError and the transport's other errors."""
        self.contact()
        url = self.url(path)
        if self._base.startswith("https:") and url.startswith("http:"):
            raise RefusedError(f"{self.registry}: it wants {without_query(url)} without TLS; nothing is sent there")
        ours = origin(url) == origin(self._base)
        for last in (False, False, True):
            authorisation = self.authoriser.header(scope) if ours else None
            answer = self._send(method, url, _with(headers, authorisation), body)
            if answer.status != 401 or not ours or origin(answer.url) != origin(url):
                return answer
            if last or not self.authoriser.challenged(answer.challenges, scope, authorisation):
                break
        raise UnauthorisedError(self.authoriser.refusal_text(401, scope.repository), 401, answer.codes())

    def stream(self, path: str, *, scope: Scope, headers: Mapping[str, str]) -> Stream:
        """GET, with the body left to be read. As `attempt` otherwise."""
        self.contact()
        url = self.url(path)
        for last in (False, False, True):
            authorisation = self.authoriser.header(scope)
            stream = self._logged("GET", url, lambda: self.transport.stream(url, _with(headers, authorisation)))  # noqa: B023 - called at once
            if stream.answer.status != 401 or origin(stream.answer.url) != origin(url):
                return stream
            if last or not self.authoriser.challenged(stream.answer.challenges, scope, authorisation):
                break
        raise UnauthorisedError(self.authoriser.refusal_text(401, scope.repository), 401)

    @property
    def patience(self) -> Patience:
        return Patience(self.options.retry, self.options.clock, self.transport.interrupted, self.options.progress.note)

    def retry_after(self, answer: Answer) -> float | None:
        """Seconds the registry asks to wait, None if it doesn't (0 doesn't mean that it wants to be hurried)."""
        return parse_retry_after(answer.headers.get("retry-after"), self.options.clock.now()) or None

    def url(self, path: str, base: str | None = None) -> str:
        """A path of the registry, or a Location relative to `base`, as a URL. https is kept where a Location says http."""
        try:
            url = urljoin(base or self._base, path)
        except ValueError:
            url = ""
        if web_address(url) is None:
            raise RefusedError(f"{self.registry}: it names an address that can't be: {without_query(path)[:100]!r}")
        if (
            self._base.startswith("https:")
            and url.startswith("http:")
            and urlsplit(url).hostname == urlsplit(self._base).hostname
        ):
            parts = urlsplit(url)
            netloc = urlsplit(self._base).netloc if parts.port in (None, 80) else parts.netloc
            url = f"https://{netloc}" + url[len(f"http://{parts.netloc}") :]
        return url

    def refusal(self, answer: Answer, doing: str, repository: str = "") -> RefusedError | NotARegistryError:
        """The error for an answer that isn't tried again."""
        if answer.is_html and answer.status < 400:
            return not_a_registry(self.registry, answer, self.authoriser.secrets())
        text = f"{doing}: {self.reason(answer)}"
        if answer.status == 404:
            return NotFoundError(text, 404, answer.codes())
        if answer.status == 403:
            found = self.authoriser.lookup(repository)
            if found.credentials is None:
                text += f"; not logged in, run: layerkit login {self.registry}"
            else:
                text += f"; the credentials from {found.origin} don't allow it"
        return HttpRefusalError(text, answer.status, answer.codes())

    def reason(self, answer: Answer) -> str:
        return answer.reason(self._authoriser.secrets() if self._authoriser is not None else ())

    def name_of(self, repository: str, tag_or_digest: str) -> str:
        return f"{self.registry}/{repository}{'@' if is_digest(tag_or_digest) else ':'}{tag_or_digest}"

    # The way there

    @property
    def authoriser(self) -> Authoriser:
        if self._authoriser is None:
            self.contact()
        assert self._authoriser is not None
        return self._authoriser

    def contact(self) -> None:
        """The first request: is there a registry, does it speak https or http, how does it authorise? Raises NotARegistryError,
        CertificateError, UnknownHostError, UnreachableError."""
        if self._authoriser is not None:
            return
        with self._contact:
            if self._authoriser is None:
                self._ping()

    def interrupt(self) -> None:
        """Ends all requests of this client, now and later."""
        self.transport.interrupt()

    def close(self) -> None:
        self.transport.close()

    def _ping(self) -> None:
        base, answer = first_contact(
            self.registry, self._host, self._send, plain_http=self.options.plain_http, patience=self.patience
        )
        authoriser = Authoriser(
            self.registry,
            base.startswith("https:"),
            lambda repository: self._credentials.lookup(self.registry, repository),
            self._send_to_token_service,
            self.options.clock,
            self.options.login,
        )
        authoriser.announce(answer.challenges)
        if answer.status == 401 and not authoriser.announced:
            raise not_a_registry(self.registry, answer)
        self._base = base
        self._authoriser = authoriser

    def _send_to_token_service(self, method: str, url: str, headers: dict[str, str], body: Body | None) -> Answer:
        def ask() -> Answer:
            return self._passed(self._send(method, url, headers, body, _LARGEST_TOKEN))

        return retrying(self.patience, f"asking {urlsplit(url).netloc} for a token", ask)

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        limit: int = MAX_DOCUMENT,
    ) -> Answer:
        """One request, without authorisation of its own."""
        return self._logged(method, url, lambda: self.transport.send(method, url, headers, body, limit), body)

    def _logged(self, method: str, url: str, send: Callable[[], Answered], body: Body | None = None) -> Answered:
        """What `send` returns, told to whoever wants to see each request."""
        if not log.isEnabledFor(logging.INFO):
            return send()
        request = f"{method} {without_query(url)}" + (f" ({body.size:,} bytes)" if body is not None else "")
        began = self.options.clock.monotonic()
        try:
            answered = send()
        except LayerkitError as error:
            log.info("%s: %s", request, error)
            raise
        status = answered.status if isinstance(answered, Answer) else answered.answer.status
        log.info("%s -> %d in %.2f s", request, status, self.options.clock.monotonic() - began)
        return answered


def connect(
    registry: str,
    *,
    environment: Mapping[str, str],
    username: str | None = None,
    password: str | None = None,
    authfile: Path | None = None,
    ca_file: Path | None = None,
    plain_http: bool = False,
    progress: Progress = SILENT,
    login: str = "",
) -> RegistryClient:
    """A client with everything the environment says: credentials, proxies, trusted certificates. Sends nothing yet. `login` is
    told to whoever isn't let in: which user name and which token the registry takes."""
    home = home_of(environment)
    credentials: CredentialSource
    if username is not None and password is None:
        raise UsageError(f"user {username!r}: a user name needs a password or token")
    if username is not None and password is not None:
        credentials = Given(Credentials.of(username, password))
    else:
        credentials = FileCredentials(environment, home, authfile, progress.note)
    trust = trust_from(environment, home, ca_file)
    options = ConnectionOptions(proxies_from(environment), trust, plain_http, progress=progress, login=login)
    return RegistryClient(registry, credentials=credentials, options=options)


def with_digest(location: str, digest: Digest) -> str:
    """The commit's URL. The query is never taken apart: it may be signed (`_state`)."""
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"


def _with(headers: Mapping[str, str] | None, authorisation: str | None) -> dict[str, str]:
    return {**(headers or {}), **({"Authorization": authorisation} if authorisation else {})}
