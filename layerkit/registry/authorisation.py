"""Basic and bearer authorisation: tokens fetched, kept, renewed before they end.

In: a registry's challenges, the user's credentials. Out: the Authorization header for a scope. Sources: docs.docker.com
"Token authentication specification" and "OAuth2"; distribution checks a token when a request begins, so a token that lives
until then is good for the whole body.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from layerkit.errors import NotARegistryError, RefusedError, UnauthorisedError
from layerkit.image.foreign import ForeignError, read_json, web_address
from layerkit.registry.answers import Answer
from layerkit.registry.challenge import Challenge, parse_challenges
from layerkit.registry.credentials import Credentials, Kind, Lookup
from layerkit.registry.retry import Clock
from layerkit.registry.transport import Body

_DEFAULT_LIFE = 60.0
"""Seconds a token lives when its service doesn't say (token authentication specification, `expires_in`)."""

_CLIENT_ID = "layerkit"

Send = Callable[[str, str, dict[str, str], Body | None], Answer]
"""Method, URL, headers, body: an unauthorised request, tried again by whoever gives this."""


@dataclass(frozen=True)
class Scope:
    """What a request needs: actions on a repository, and reading from others (for mounting)."""

    repository: str = ""
    actions: str = "pull"
    also: tuple[str, ...] = ()

    def texts(self) -> list[str]:
        if not self.repository:
            return []
        return [f"repository:{self.repository}:{self.actions}", *(f"repository:{other}:pull" for other in self.also)]


@dataclass(frozen=True)
class _Token:
    header: str
    renew_at: float
    """On the monotonic clock."""


class Authoriser:
    """The Authorization header of one registry's requests. Thread-safe; requests that need the same token wait for one."""

    def __init__(
        self, registry: str, secure: bool, lookup: Callable[[str], Lookup], send: Send, clock: Clock, login: str = ""
    ) -> None:
        """`secure`: the registry is reached by https, so its token service must be too. `login`: which user name and which token
        it takes, for people."""
        self._registry = registry
        self._secure = secure
        self._lookup = lookup
        self._send = send
        self._clock = clock
        self._login = f" ({login})" if login else ""
        self._challenge: Challenge | None = None
        self._tokens: dict[Scope, _Token] = {}
        self._lookups: dict[str, Lookup] = {}
        self._lock = threading.RLock()
        self._scope_locks: dict[Scope, threading.Lock] = {}

    def header(self, scope: Scope) -> str | None:
        """What to send now; None before the first challenge, and for anonymous access to a registry with basic authorisation."""
        challenge = self._challenge
        if challenge is None:
            return None
        credentials = self.lookup(scope.repository).credentials
        if credentials is not None and credentials.kind is Kind.BEARER_TOKEN:
            return f"Bearer {credentials.secret}"
        if challenge.scheme == "basic":
            return credentials.basic() if credentials else None
        with self._lock_of(scope):
            token = self._tokens.get(scope)
            if token is None or self._clock.monotonic() >= token.renew_at:
                token = self._tokens[scope] = self._fetch(challenge, scope, credentials)
            return token.header

    def announce(self, challenges: Sequence[str]) -> None:
        """The registry said how it authorises, before anything was asked of it."""
        with self._lock:
            self._challenge = self._choose(parse_challenges(challenges)) or self._challenge

    @property
    def announced(self) -> bool:
        """Is it known how to authorise?"""
        return self._challenge is not None

    def challenged(self, challenges: Sequence[str], scope: Scope, sent: str | None) -> bool:
        """A request with the header `sent` got a 401. True when there is a better header now, False when this was the best."""
        first = not self.announced
        self.announce(challenges)
        if not self.announced:
            return False
        if first or sent is None:
            return self.header(scope) is not None
        with self._lock_of(scope):
            token = self._tokens.get(scope)
            if token is not None and token.header == sent:
                del self._tokens[scope]
        return self.header(scope) != sent

    def lookup(self, repository: str) -> Lookup:
        """The user's credentials, asked for once per repository: helpers are slow."""
        with self._lock:
            if repository not in self._lookups:
                self._lookups[repository] = self._lookup(repository)
            return self._lookups[repository]

    def secrets(self) -> set[str]:
        """Whatever must not be printed, should a registry quote it back."""
        with self._lock:
            found = {token.header.partition(" ")[2] for token in self._tokens.values()}
            for lookup in self._lookups.values():
                if lookup.credentials is not None:
                    found |= {lookup.credentials.secret, lookup.credentials.basic().partition(" ")[2]}
        return found - {""}

    def _lock_of(self, scope: Scope) -> threading.Lock:
        with self._lock:
            return self._scope_locks.setdefault(scope, threading.Lock())

    def _choose(self, challenges: list[Challenge]) -> Challenge | None:
        bearer = next((one for one in challenges if one.scheme == "bearer" and one.parameters.get("realm")), None)
        return bearer or next((one for one in challenges if one.scheme == "basic"), None)

    def _fetch(self, challenge: Challenge, scope: Scope, credentials: Credentials | None) -> _Token:
        realm = challenge.parameters["realm"]
        self._check_realm(realm)
        service = challenge.parameters.get("service", "")
        began = self._clock.monotonic()
        answer = None
        if credentials is not None and credentials.kind is Kind.IDENTITY_TOKEN:
            answer = self._post(realm, service, scope, credentials)
            if answer.status in (400, 401, 404, 405):  # a service without OAuth 2: the specification's way back
                answer = None
        if answer is None:
            answer = self._get(realm, service, scope, credentials)
        if answer.status != 200:
            raise self._refused(answer, credentials, scope)
        return self._token(answer, began, realm)

    def _get(self, realm: str, service: str, scope: Scope, credentials: Credentials | None) -> Answer:
        query = [("service", service)] if service else []
        query += [("scope", text) for text in scope.texts()]
        headers = {}
        if credentials is not None:
            headers["Authorization"] = credentials.basic()
            if credentials.kind is Kind.PASSWORD:
                query.append(("account", credentials.username))
        url = realm + ("&" if "?" in realm else "?") + urlencode(query, errors="replace") if query else realm
        return self._send("GET", url, headers, None)

    def _post(self, realm: str, service: str, scope: Scope, credentials: Credentials) -> Answer:
        form = {
            "grant_type": "refresh_token",
            "service": service,
            "scope": " ".join(scope.texts()),
            "client_id": _CLIENT_ID,
            "refresh_token": credentials.secret,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._send("POST", realm, headers, Body.of(urlencode(form, errors="replace").encode(), secret=True))

    def _check_realm(self, realm: str) -> None:
        parts = web_address(realm)
        if parts is None:
            raise NotARegistryError(f"{self._registry}: its token service {realm[:100]!r} is no web address")
        if self._secure and parts.scheme != "https":
            raise RefusedError(
                f"{self._registry}: its token service is at http://{parts.netloc}, without TLS; credentials are not sent there"
            )

    def _token(self, answer: Answer, began: float, realm: str) -> _Token:
        where = f"{self._registry}: its token service {urlsplit(realm).netloc}"
        try:
            fields = read_json(answer.body)
            token = fields.get("token") or fields.get("access_token")
            life = fields.get("expires_in")
        except (ForeignError, AttributeError):
            raise NotARegistryError(f"{where}: expected a token as JSON, found something else") from None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise NotARegistryError(f"{where}: expected a token in its answer, found none")
        seconds = float(life) if isinstance(life, int | float) and life > 0 else _DEFAULT_LIFE
        # Renewed a little early, for the way to the registry; a short life is used for most of it.
        return _Token(f"Bearer {token}", began + seconds - min(15.0, seconds / 4))

    def _refused(self, answer: Answer, credentials: Credentials | None, scope: Scope) -> UnauthorisedError:
        return UnauthorisedError(self.refusal_text(answer.status, scope.repository), answer.status, answer.codes())

    def refusal_text(self, status: int, repository: str) -> str:
        """Why nobody is let in, and what to do."""
        found = self.lookup(repository)
        target = f"{self._registry}/{repository}" if repository else self._registry
        if found.credentials is None:
            looked = f" (looked in: {'; '.join(found.tried)})" if found.tried else ""
            return f"{target}: not logged in{looked}; run: layerkit login {self._registry}{self._login}"
        kind = found.credentials.kind
        user = f"user {found.credentials.username!r}" if kind is Kind.PASSWORD else f"the {kind.value}"
        return (
            f"{target}: the registry refused {user} from {found.origin} (HTTP {status}); check the user name and the token, "
            f"then run: layerkit login {self._registry}{self._login}"
        )
