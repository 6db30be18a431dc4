"""Tokens: fetched once, kept, renewed in time, and never told to the wrong place."""

import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest

from layerkit.errors import NotARegistryError, RefusedError, UnauthorisedError
from layerkit.registry.answers import Answer
from layerkit.registry.authorisation import Authoriser, Scope
from layerkit.registry.credentials import Credentials, Kind, Lookup
from layerkit.registry.retry import Clock
from layerkit.registry.transport import Body

SECRET = "s3cret-6fa459ea"
REALM = "https://auth.example/token"
BEARER = (f'Bearer realm="{REALM}",service="reg"',)
BASIC = ('Basic realm="reg"',)
PUSH = Scope("a/b", "pull,push", ("c/d",))


@dataclass
class Service:
    """A token service that counts, and a clock."""

    life: float | None = 300
    statuses: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    now: float = 0.0
    body: bytes | None = None
    key: str = "token"
    secret: list[bool] = field(default_factory=list)
    """Which of the bodies were."""

    def send(self, method: str, url: str, headers: dict[str, str], body: Body | None) -> Answer:
        self.asked.append((method, url, headers, b"".join(bytes(piece) for piece in body.open()) if body else b""))
        self.secret += [body.secret] if body else []
        fields: dict[str, object] = {self.key: f"t{len(self.asked)}"}
        if self.life is not None:
            fields["expires_in"] = self.life
        return Answer(self.statuses.get(method, 200), {}, self.body or json.dumps(fields).encode(), url)

    def authoriser(self, credentials: Credentials | None, *, secure: bool = True) -> Authoriser:
        lookup = Lookup(credentials, "a file", ("~/.docker/config.json",))
        return Authoriser("reg.example", secure, lambda repository: lookup, self.send, Clock(monotonic=lambda: self.now))


USER = Credentials("robot", SECRET)


def test_nothing_before_a_challenge() -> None:
    assert Service().authoriser(USER).header(PUSH) is None


def test_basic() -> None:
    authoriser = Service().authoriser(USER)
    assert authoriser.challenged(BASIC, PUSH, None)
    assert authoriser.header(PUSH) == "Basic " + base64.b64encode(f"robot:{SECRET}".encode()).decode()
    assert not authoriser.challenged(BASIC, PUSH, authoriser.header(PUSH))


def test_basic_without_credentials() -> None:
    assert not Service().authoriser(None).challenged(BASIC, PUSH, None)


def test_bearer_beats_basic() -> None:
    authoriser = Service().authoriser(USER)
    authoriser.announce((*BASIC, *BEARER))
    assert authoriser.header(PUSH) == "Bearer t1"


def test_what_the_token_service_is_asked() -> None:
    service = Service()
    authoriser = service.authoriser(USER)
    authoriser.announce(BEARER)
    authoriser.header(PUSH)
    method, url, headers, _ = service.asked[0]
    assert method == "GET"
    assert parse_qs(urlsplit(url).query) == {
        "service": ["reg"],
        "scope": ["repository:a/b:pull,push", "repository:c/d:pull"],
        "account": ["robot"],
    }
    assert headers == {"Authorization": USER.basic()}
    assert SECRET not in url


def test_anonymous_tokens() -> None:
    service = Service()
    authoriser = service.authoriser(None)
    assert authoriser.challenged(BEARER, PUSH, None)
    assert service.asked[0][2] == {}


def test_a_token_is_kept_for_its_scope_and_renewed_early() -> None:
    service = Service(life=300)
    authoriser = service.authoriser(USER)
    authoriser.announce(BEARER)
    assert [authoriser.header(PUSH) for _ in range(3)] == ["Bearer t1"] * 3
    assert authoriser.header(Scope("a/b")) == "Bearer t2"
    service.now = 284
    assert authoriser.header(PUSH) == "Bearer t1"
    service.now = 286
    assert authoriser.header(PUSH) == "Bearer t3"


@pytest.mark.parametrize(("life", "good", "ended"), [(None, 44, 46), (8, 5, 7), (0, 44, 46)])
def test_short_lives(life: float | None, good: float, ended: float) -> None:
    """A minute is assumed when the service doesn't say."""
    service = Service(life=life)
    authoriser = service.authoriser(USER)
    authoriser.announce(BEARER)
    authoriser.header(PUSH)
    service.now = good
    assert authoriser.header(PUSH) == "Bearer t1"
    service.now = ended
    assert authoriser.header(PUSH) == "Bearer t2"


def test_a_refused_token_is_replaced_once() -> None:
    service = Service()
    authoriser = service.authoriser(USER)
    assert authoriser.challenged(BEARER, PUSH, None)
    assert authoriser.challenged(BEARER, PUSH, "Bearer t1")
    assert authoriser.header(PUSH) == "Bearer t2"
    assert authoriser.challenged(BEARER, PUSH, "Bearer t1")  # another request had sent the old one
    assert authoriser.header(PUSH) == "Bearer t2"


def test_many_threads_ask_for_one_token() -> None:
    service = Service()
    gate = threading.Barrier(8)
    send = service.send

    def slowly(method: str, url: str, headers: dict[str, str], body: Body | None) -> Answer:
        time.sleep(0.05)
        return send(method, url, headers, body)

    service.send = slowly  # type: ignore[method-assign] # the same, but slower
    authoriser = service.authoriser(USER)
    authoriser.announce(BEARER)

    def ask() -> str | None:
        gate.wait()
        return authoriser.header(PUSH)

    with ThreadPoolExecutor(8) as pool:
        assert {future.result() for future in [pool.submit(ask) for _ in range(8)]} == {"Bearer t1"}
    assert len(service.asked) == 1


def test_identity_tokens_are_posted() -> None:
    service = Service(key="access_token")
    authoriser = service.authoriser(Credentials.of("<token>", SECRET))
    authoriser.announce(BEARER)
    assert authoriser.header(PUSH) == "Bearer t1"
    method, url, _, body = service.asked[0]
    assert (method, url) == ("POST", REALM)
    assert parse_qs(body.decode()) == {
        "grant_type": ["refresh_token"],
        "service": ["reg"],
        "scope": ["repository:a/b:pull,push repository:c/d:pull"],
        "client_id": ["layerkit"],
        "refresh_token": [SECRET],
    }
    assert service.secret == [True], "it isn't sent on to where the service redirects"


@pytest.mark.parametrize("status", [400, 401, 404, 405])
def test_services_without_post(status: int) -> None:
    service = Service(statuses={"POST": status})
    authoriser = service.authoriser(Credentials.of("<token>", SECRET))
    authoriser.announce(BEARER)
    assert authoriser.header(PUSH) == "Bearer t2"
    assert service.asked[1][0] == "GET"
    assert "account" not in service.asked[1][1]


def test_a_registry_token_is_sent_as_it_is() -> None:
    service = Service()
    authoriser = service.authoriser(Credentials("", SECRET, Kind.BEARER_TOKEN))
    authoriser.announce(BEARER)
    assert authoriser.header(PUSH) == f"Bearer {SECRET}"
    assert not service.asked


@pytest.mark.parametrize("realm", ["http://auth.example/token", "ftp://auth.example/", "/token", "https://"])
def test_realms_that_are_told_nothing(realm: str) -> None:
    service = Service()
    authoriser = service.authoriser(USER)
    authoriser.announce((f'Bearer realm="{realm}"',))
    with pytest.raises((RefusedError, NotARegistryError), match="token service"):
        authoriser.header(PUSH)
    assert not service.asked


def test_a_plain_registry_may_have_a_plain_realm() -> None:
    service = Service()
    authoriser = service.authoriser(USER, secure=False)
    authoriser.announce(('Bearer realm="http://127.0.0.1:1/token"',))
    assert authoriser.header(PUSH) == "Bearer t1"


def test_a_realm_with_a_query() -> None:
    service = Service()
    authoriser = service.authoriser(None)
    authoriser.announce(('Bearer realm="https://auth.example/token?x=1",service="s"',))
    authoriser.header(Scope("a"))
    assert service.asked[0][1] == "https://auth.example/token?x=1&service=s&scope=repository%3Aa%3Apull"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"token": 5}', b'{"token": "a\\r\\nX-Evil: 1"}', b'{"token": ""}'])
def test_answers_without_a_token(body: bytes) -> None:
    authoriser = Service(body=body).authoriser(USER)
    authoriser.announce(BEARER)
    with pytest.raises(NotARegistryError, match="token"):
        authoriser.header(PUSH)


def test_who_is_refused_is_told_what_to_do() -> None:
    authoriser = Service(statuses={"GET": 401}).authoriser(USER)
    authoriser.announce(BEARER)
    with pytest.raises(UnauthorisedError, match=r"refused user 'robot' from a file \(HTTP 401\).*layerkit login") as caught:
        authoriser.header(PUSH)
    assert SECRET not in str(caught.value)
    nobody = Service(statuses={"GET": 403}).authoriser(None)
    nobody.announce(BEARER)
    with pytest.raises(UnauthorisedError, match=r"not logged in \(looked in: ~/.docker/config.json\)"):
        nobody.header(PUSH)
