"""A registry, spoken to.

In: its name, credentials, connection options. Out: manifests and blobs read (distribution-spec, "Pull"), and `attempt` and
`request` for whoever sends. `attempt` is one try, authorised, a 401 answered with a renewed token; `request` tries again what may
pass, until its budget is spent.
"""

import threading
from collections.abc import Container, Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from layerkit.errors import (
    BrokenConnectionError,
    DamagedError,
    HttpRefusalError,
    InterruptedPushError,
    NotARegistryError,
    NotFoundError,
    RefusedError,
    UnauthorisedError,
    UnreachableError,
    UsageError,
)
from layerkit.image.blob import Content
from layerkit.image.digest import Digest, encoded, hasher_for, is_digest
from layerkit.image.foreign import natural, web_address
from layerkit.image.media_types import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from layerkit.image.reference import DOCKER_HUB
from layerkit.progress import SILENT, Progress
from layerkit.registry.answers import Answer
from layerkit.registry.authorisation import Authoriser, Scope
from layerkit.registry.contact import ConnectionOptions, first_contact, not_a_registry
from layerkit.registry.credentials import Credentials, CredentialSource, FileCredentials, Given, home_of
from layerkit.registry.proxies import proxies_from
from layerkit.registry.remote import RemoteContent
from layerkit.registry.retry import RETRIED, Budget, RetryPolicy, parse_retry_after
from layerkit.registry.tls import trust_from
from layerkit.registry.transport import Body, Stream, Transport, origin, without_query

MANIFEST_TYPES = (OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST)
_ACCEPT = ", ".join(MANIFEST_TYPES)
_USER_AGENT = "layerkit/0.1 (+https://pypi.org/project/layerkit)"
_HUB_HOST = "registry-1.docker.io"
_LOOKS = 3
"""Times a blob is asked for before it counts as unknown."""


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
        where = f"{self.registry}/{repository}{'@' if is_digest(tag_or_digest) else ':'}{tag_or_digest}"
        answer = self.request(
            "GET",
            f"/v2/{repository}/manifests/{tag_or_digest}",
            scope=Scope(repository),
            headers={"Accept": _ACCEPT},
            expect=(200,),
            doing=f"reading {where}",
        )
        if is_digest(tag_or_digest):
            hasher = hasher_for(Digest(tag_or_digest))
            hasher.update(answer.body)
            if hasher.hexdigest() != encoded(Digest(tag_or_digest)):
                raise DamagedError.mismatch(where, expected="content of that digest", found=f"{len(answer.body):,} other bytes")
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
        return answer.body, media_type

    def has_blob(self, repository: str, digest: Digest, size: int | None = None, scope: Scope | None = None) -> bool | None:
        """Is it there? None when the answer says neither yes nor no (no right to ask, another size, failing a few times): sending
        a blob that is there costs time only."""
        budget = Budget(RetryPolicy(_LOOKS, self.options.retry.base, self.options.retry.cap), self.options.clock)
        while True:
            retry_after = None
            try:
                answer = self.attempt("HEAD", f"/v2/{repository}/blobs/{digest}", scope=scope or Scope(repository))
                if answer.status not in RETRIED:
                    break
                retry_after = self.retry_after(answer)
            except BrokenConnectionError:
                pass
            except RefusedError:
                return None
            wait = budget.next_wait(retry_after)
            if wait is None:
                return None
            self.sleep(wait)
        if answer.status == 404:
            return False
        length = answer.headers.get("content-length", "")
        if answer.status != 200 or answer.is_html or (size is not None and length and natural(length) != size):
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
        answer = self.request("GET", "/v2/", scope=Scope(), expect=(200,), doing=f"logging in to {self.registry}")
        return not answer.is_html and self.authoriser.lookup("").credentials is not None

    # Sending

    def request(
        self,
        method: str,
        path: str,
        *,
        scope: Scope,
        expect: Container[int],
        doing: str,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Answer:
        """An answer with one of the expected statuses, after as many tries as it takes. `doing` is what messages call the
        request. Raises the errors of `refusal` and `attempt`, UnreachableError when the budget is spent."""
        budget = Budget(self.options.retry, self.options.clock)
        while True:
            retry_after = None
            try:
                answer = self.attempt(method, path, scope=scope, headers=headers, body=body)
                if answer.status in expect and not (answer.is_html and method != "HEAD"):
                    return answer
                if answer.status not in RETRIED:
                    raise self.refusal(answer, doing, scope.repository)
                failure = self.reason(answer)
                retry_after = self.retry_after(answer)
            except BrokenConnectionError as error:
                failure = str(error)
            self.pause(budget, failure, doing, retry_after)

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
            answer = self.transport.send(method, url, _with(headers, authorisation), body)
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
            stream = self.transport.stream(url, _with(headers, authorisation))
            if stream.answer.status != 401 or origin(stream.answer.url) != origin(url):
                return stream
            if last or not self.authoriser.challenged(stream.answer.challenges, scope, authorisation):
                break
        raise UnauthorisedError(self.authoriser.refusal_text(401, scope.repository), 401)

    def pause(self, budget: Budget, failure: str, doing: str, retry_after: float | None = None) -> None:
        """Waits before the next try. Raises UnreachableError when there is none left."""
        wait = budget.next_wait(retry_after)
        if wait is None:
            asked = f"; it asks to wait {retry_after:,.0f} s" if retry_after else ""
            raise UnreachableError(f"{doing}: failed {budget.failures} times in a row, lastly with: {failure}{asked}")
        self.options.progress.note(f"{doing}: {failure}; trying again in {wait:.1f} s")
        self.sleep(wait)

    def sleep(self, seconds: float) -> None:
        """Raises InterruptedPushError when the client is interrupted meanwhile."""
        self.options.clock.wait(self.transport.interrupted, seconds)
        if self.transport.interrupted.is_set():
            raise InterruptedPushError("interrupted")

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
        return answer.reason(self.authoriser.secrets())

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
        base, answer = first_contact(self.registry, self._host, self.transport, self.options, self.pause)
        authoriser = Authoriser(
            self.registry,
            base.startswith("https:"),
            lambda repository: self._credentials.lookup(self.registry, repository),
            self._send_to_token_service,
            self.options.clock,
        )
        authoriser.announce(answer.challenges)
        if answer.status == 401 and not authoriser.announced:
            raise not_a_registry(self.registry, answer)
        self._base = base
        self._authoriser = authoriser

    def _send_to_token_service(self, method: str, url: str, headers: dict[str, str], body: Body | None) -> Answer:
        budget = Budget(self.options.retry, self.options.clock)
        doing = f"asking {urlsplit(url).netloc} for a token"
        while True:
            retry_after = None
            try:
                answer = self.transport.send(method, url, headers, body, limit=1 << 20)
                if answer.status not in RETRIED:
                    return answer
                failure, retry_after = self.reason(answer), self.retry_after(answer)
            except BrokenConnectionError as error:
                failure = str(error)
            self.pause(budget, failure, doing, retry_after)


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
) -> RegistryClient:
    """A client with everything the environment says: credentials, proxies, trusted certificates. Sends nothing yet."""
    home = home_of(environment)
    credentials: CredentialSource
    if username is not None and password is None:
        raise UsageError(f"user {username!r}: a user name needs a password or token")
    if username is not None and password is not None:
        credentials = Given(Credentials.of(username, password))
    else:
        credentials = FileCredentials(environment, home, authfile)
    options = ConnectionOptions(proxies_from(environment), trust_from(environment, home, ca_file), plain_http, progress=progress)
    return RegistryClient(registry, credentials=credentials, options=options)


def _with(headers: Mapping[str, str] | None, authorisation: str | None) -> dict[str, str]:
    return {**(headers or {}), **({"Authorization": authorisation} if authorisation else {})}
