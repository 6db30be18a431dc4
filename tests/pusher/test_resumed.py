"""A push that is killed in the middle of a large blob, again and again: the next one goes on where the registry stands."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from layerkit.image.reference import Reference
from layerkit.profiles import GENERIC
from layerkit.pusher.push import RegistryDestination
from layerkit.registry.authorisation import Scope
from layerkit.registry.transport import Body
from layerkit.sandbox import Limits, Sandbox
from layerkit.state import State
from tests.pusher.dialects import Dialect, Registry
from tests.pusher.images import Waits, client_of, image_of, layers_of

SIZE = 48_000_000
RATE = 24_000_000
"""Bytes a second, so that there is a middle to be killed in."""
KILLS = 10

PUSH = """
import sys
from pathlib import Path
from layerkit.image.reference import Reference
from layerkit.profiles import GENERIC
from layerkit.pusher.push import RegistryDestination
from layerkit.state import State
from tests.pusher.images import client_of, image_of
from tests.pusher.test_resumed import SIZE

client = client_of(sys.argv[1], plain_http=True, read=30)
reference, state = Reference(sys.argv[1], "app/killed", "1"), State(Path(sys.argv[2]))
RegistryDestination(client, reference, profile=GENERIC, state=state).finish(image_of([SIZE], seed=11))
"""


def received(sandbox: Sandbox) -> int:
    return sum(request.received for request in sandbox.requests if "/blobs/uploads/" in request.path)


def test_killed_ten_times(tmp_path: Path) -> None:
    """A registry that knows where it stands gets each byte about once."""
    chance = random.Random(3)
    with Sandbox(tmp_path / "registry", Limits(rate=RATE)) as sandbox:
        arguments = [sys.executable, "-c", PUSH, sandbox.address, str(tmp_path / "state")]
        for number in range(KILLS):
            process = subprocess.Popen(arguments, cwd=Path(__file__).parents[2])
            try:
                enough = chance.randint(number * SIZE // (KILLS + 1), (number + 1) * SIZE // (KILLS + 1))
                deadline = time.monotonic() + 20
                while received(sandbox) < enough and process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.005)
                assert process.poll() is None, "the push ended before it was killed: the test kills too late"
            finally:
                process.kill()
                process.wait()
        subprocess.run(arguments, cwd=Path(__file__).parents[2], check=True, timeout=60)
        assert SIZE <= received(sandbox) <= 1.05 * SIZE
        layer = layers_of(image_of([SIZE], seed=11))[0]
        assert client_of(sandbox.address, plain_http=True).has_blob("app/killed", layer.digest, SIZE)
    assert list((tmp_path / "state" / "uploads").iterdir()) == [], "what is done is forgotten"


# What an earlier run left, made by hand

IMAGE = image_of([9_000_000], seed=12)
LAYER = layers_of(IMAGE)[0]
DATA = b"".join(bytes(chunk) for chunk in LAYER.chunks())
PART = 5_000_000
"""Bytes that have arrived."""


def left_behind(registry: Registry, state: State, location: str | None = None) -> None:
    """An upload of the layer that was begun and got PART bytes; `location`: what is remembered instead of its own."""
    client = client_of(registry.address, plain_http=True)
    scope = Scope("app/worker", "pull,push")
    begun = client.location(client.begin_upload("app/worker", scope))
    assert begun is not None
    client.send_chunk(begun, Body.of(DATA[:PART]), scope, 0)
    with state.upload(registry.address, "app/worker", LAYER.digest) as record:
        record.keep(location or begun, PART)
    registry.seen.clear()


def push(registry: Registry, state: State) -> int:
    """The bytes that were sent."""
    client = client_of(registry.address, plain_http=True, waits=Waits())
    reference = Reference(registry.address, "app/worker", "1")
    with RegistryDestination(client, reference, profile=GENERIC, state=state) as destination:
        assert destination.finish(IMAGE) == IMAGE.root.digest
        assert registry.blobs[LAYER.digest] == DATA
        return destination.stats.bytes_sent


def test_it_goes_on_where_it_was_left(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    with Registry(Dialect()).serving() as registry:
        left_behind(registry, state)
        assert push(registry, state) < 9_000_000 - PART + 1000
        patches = [seen.range for seen in registry.seen if seen.method == "PATCH"]
        assert patches == [f"{PART}-8999999"]
        assert push(registry, state) == 0


@pytest.mark.parametrize(
    "dialect",
    [Dialect(get_status=405), Dialect(get_status=404), Dialect(chunked=False), Dialect(ranges="stuck", get_status=405)],
    ids=["405", "404", "no chunks", "ecr"],
)
def test_a_registry_that_does_not_go_on_gets_it_anew(tmp_path: Path, dialect: Dialect) -> None:
    state = State(tmp_path / "state")
    with Registry(Dialect()).serving() as registry:
        left_behind(registry, state)
        registry.dialect = dialect
        assert push(registry, state) >= 9_000_000


@pytest.mark.parametrize(
    "location",
    [
        "http://{}/v2/app/worker/blobs/uploads/gone?_state=s",
        "http://127.0.0.1:1/x",
        "http://no.such.host.invalid/x",
        "http://[bad",
        "x",
    ],
)
def test_an_upload_that_nobody_knows_any_more(tmp_path: Path, location: str) -> None:
    state = State(tmp_path / "state")
    with Registry(Dialect()).serving() as registry:
        left_behind(registry, state, location.format(registry.address))
        assert push(registry, state) >= 9_000_000


def test_other_bytes_than_it_should_have(tmp_path: Path) -> None:
    """What arrived was altered on its way: the digest says so, and it is sent anew."""
    state = State(tmp_path / "state")
    with Registry(Dialect()).serving() as registry:
        left_behind(registry, state)
        for upload in registry.uploads.values():
            upload.data[1000] ^= 1
        assert push(registry, state) >= 9_000_000


def test_an_interrupted_push_leaves_its_upload(tmp_path: Path) -> None:
    """Ctrl-C, as a kill does; what was refused or is done leaves none."""
    state = State(tmp_path / "state")
    with Sandbox(tmp_path / "registry", Limits(rate=3_000_000)) as sandbox:
        client = client_of(sandbox.address, plain_http=True)
        reference = Reference(sandbox.address, "app/worker", "1")
        with RegistryDestination(client, reference, profile=GENERIC, state=state) as destination:
            destination.offer(LAYER, "layer")
            deadline = time.monotonic() + 10
            while destination.stats.bytes_sent < 3_000_000 and time.monotonic() < deadline:
                time.sleep(0.01)
        assert len(list((tmp_path / "state" / "uploads").iterdir())) == 1
        with RegistryDestination(
            client_of(sandbox.address, plain_http=True), reference, profile=GENERIC, state=state
        ) as destination:
            destination.finish(IMAGE)
        assert received(sandbox) <= 1.01 * 9_000_000
        assert list((tmp_path / "state" / "uploads").iterdir()) == []
