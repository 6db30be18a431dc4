"""No secret in an error, a traceback, a log, a repr or a line of progress: all that is said is searched for each of them."""

import base64
import io
import json
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerkit.errors import LayerkitError
from layerkit.image.reference import Reference
from layerkit.profiles import GENERIC
from layerkit.progress import Silent
from layerkit.pusher.push import RegistryDestination
from layerkit.registry import connect
from tests.pusher.images import image_of
from tests.registry.scripted import Request, Serve, scripted

USER, PASSWORD, TOKEN, REFRESH = "robot", "pa55-c0ffee-81", "bearer-7d793037", "refresh-1b4e28ba"
PROXY_PASSWORD = "proxy-5f0c2d3e"
SIGNATURE = "state-9f86d081"


def forms(secret: str) -> set[str]:
    """The secret as it is, and packed for a header at each of base64's three positions."""
    packed = {base64.b64encode(b"x" * shift + secret.encode()).decode()[shift + 2 : -4] for shift in range(3)}
    return {secret, base64.b64encode(f"{USER}:{secret}".encode()).decode(), *packed}


SECRETS = {form for secret in (PASSWORD, TOKEN, REFRESH, PROXY_PASSWORD, SIGNATURE) for form in forms(secret)}


class Notes(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that any library logs, at its most talkative."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def echoes(status: int) -> Serve:
    """A registry that quotes everything back which it was sent."""

    def serve(request: Request) -> None:
        request.body()
        sent = request.headers.get("authorization", "")
        if request.path.startswith("/token"):
            request.reply(200, json.dumps({"token": TOKEN, "expires_in": 300}).encode())
        elif not sent:
            realm = f"http://{request.server.address}/token"
            request.reply(401, WWW_Authenticate=f'Bearer realm="{realm}",service="s"')
        elif request.method == "POST":
            request.reply(202, Location=f"/upload?_state={SIGNATURE}")
        elif request.method == "PUT":
            detail = f"you sent {sent}, that is {base64.b64decode(sent.partition(' ')[2] + '==')!r}"
            error = {"code": "DENIED", "message": f"no: {sent}", "detail": detail}
            request.reply(status, json.dumps({"errors": [error]}).encode())
        else:
            request.reply(404)

    return serve


@pytest.mark.parametrize("status", [400, 401, 403, 500, 307])
@pytest.mark.parametrize("kind", ["password", "identity token", "basic"])
def test_nothing_says_a_secret(tmp_path: Path, logged: io.StringIO, status: int, kind: str) -> None:
    entry = {"identitytoken": REFRESH} if kind == "identity token" else {"username": USER, "password": PASSWORD}
    serve = echoes(status)

    def basic(request: Request) -> None:
        if "authorization" in request.headers:
            serve(request)
        else:
            request.reply(401, WWW_Authenticate='Basic realm="x"')

    with scripted(basic if kind == "basic" else serve) as server:
        environment = {
            "HOME": str(tmp_path),
            "DOCKER_AUTH_CONFIG": json.dumps({"auths": {server.address: entry}}),
            "HTTPS_PROXY": f"http://user:{PROXY_PASSWORD}@proxy.example:1",
        }
        notes = Notes()
        client = connect(server.address, environment=environment, plain_http=True, progress=notes)
        object.__setattr__(client.options, "retry", type(client.options.retry)(attempts=2, base=0.01))
        destination = RegistryDestination(client, Reference(server.address, "a/b", "1"), profile=GENERIC, progress=notes)
        said = [repr(client), repr(client.options), repr(destination), repr(vars(client)), str(vars(destination))]
        try:
            destination.finish(image_of([1000]))
        except LayerkitError as error:
            said += [str(error), repr(error), traceback.format_exc(), "".join(traceback.format_exception(error))]
        else:
            pytest.fail("the push went through")
        destination.close()
        said += [*notes.lines, logged.getvalue(), repr(client.authoriser), repr(client.authoriser.lookup("a/b"))]
        assert any(request.headers.get("authorization") for request in server.log)
    found = {secret for secret in SECRETS - {SIGNATURE} for text in said if secret in text}
    assert not found
    messages = [text for text in said if text != logged.getvalue()]
    assert not [text for text in messages if SIGNATURE in text]


def test_the_search_finds_what_it_should() -> None:
    header = base64.b64encode(f"someone-else:{PASSWORD}".encode()).decode()
    assert any(secret in header for secret in SECRETS)
