"""A blob at the target takes a part's place only when it is certain what it holds."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from layerkit.image.blob import Blob, blob_of
from layerkit.image.digest import Digest, sha256
from layerkit.image.manifest import Descriptor
from layerkit.image.media_types import OCI_LAYER_GZIP
from layerkit.progress import Silent
from layerkit.pusher.reuse import Reuse
from layerkit.state import State
from tests.pusher.dialects import Dialect, Registry
from tests.pusher.images import client_of, noise

RAW = noise(300_000, 31)
BLOB = blob_of(gzip.compress(RAW, mtime=1))
DIFF_ID = sha256(RAW)
OTHER = sha256(b"something else")


class Told(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry(Dialect()).serving() as served:
        served.blobs[BLOB.digest] = data_of(BLOB)
        yield served


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state")


def data_of(blob: Blob) -> bytes:
    return b"".join(bytes(chunk) for chunk in blob.chunks())


def asking(registry: Registry, state: State, told: Told, rate: float | None = None) -> Callable[[Digest], bool]:
    """Is a claim that the blob has this diff_id proven?"""
    reuse = Reuse(client_of(registry.address, plain_http=True, attempts=2), state, lambda: rate, told)

    def ask(diff_id: Digest) -> bool:
        layer = Descriptor.of(OCI_LAYER_GZIP, BLOB.digest, BLOB.size)
        return reuse.known("a/b", {diff_id: layer})[diff_id].is_proven()

    return ask


def reads(registry: Registry) -> int:
    return sum(seen.method == "GET" and "/blobs/" in seen.path for seen in registry.seen)


def test_it_is_read_back_once_and_remembered(registry: Registry, state: State) -> None:
    told = Told()
    ask = asking(registry, state, told)
    assert ask(DIFF_ID)
    assert ask(DIFF_ID)
    assert reads(registry) == 1
    assert "it was read back" in told.notes[-1]
    assert asking(registry, state, told)(DIFF_ID)
    assert reads(registry) == 1
    assert "layerkit decoded it on 20" in told.notes[-1]


def test_a_claim_that_is_false(registry: Registry, state: State) -> None:
    """Also where the same blob is claimed truly before."""
    told = Told()
    ask = asking(registry, state, told)
    assert not ask(OTHER)
    assert OTHER in told.warnings[0]
    assert DIFF_ID in told.warnings[0]
    assert ask(DIFF_ID)
    assert not ask(OTHER)
    assert not asking(registry, state, told)(OTHER), "what is remembered says so too"
    assert reads(registry) == 1


STORED = {
    "shorter": data_of(BLOB)[:-8],
    "compressed otherwise": gzip.compress(RAW, mtime=2),
    "no gzip": b"not gzip at all",
    "nothing": b"",
}


@pytest.mark.parametrize("kind", STORED)
def test_other_bytes_than_its_digest_says(registry: Registry, state: State, kind: str) -> None:
    registry.blobs[BLOB.digest] = STORED[kind]
    told = Told()
    assert not asking(registry, state, told)(DIFF_ID)
    assert state.proof(BLOB.digest) is None
    assert "can't be read back" in told.notes[-1]


def test_a_blob_that_is_gone(registry: Registry, state: State) -> None:
    del registry.blobs[BLOB.digest]
    assert not asking(registry, state, Told())(DIFF_ID)


def test_sending_is_quicker(registry: Registry, state: State) -> None:
    """By the rate at which this push has been sending."""
    told, time = Told(), iter(range(0, 10_000, 4))
    client = client_of(registry.address, plain_http=True)
    client.options = replace(client.options, clock=replace(client.options.clock, monotonic=lambda: float(next(time))))
    reuse = Reuse(client, state, lambda: 100_000.0, told)
    layer = Descriptor.of(OCI_LAYER_GZIP, BLOB.digest, BLOB.size)
    assert not reuse.known("a/b", {DIFF_ID: layer})[DIFF_ID].is_proven()
    assert "sending its content is quicker" in told.notes[-1]
    assert state.proof(BLOB.digest) is None


def test_a_blob_that_gives_too_much(registry: Registry, state: State) -> None:
    """A tar of a thousand times its size is nobody's layer, and would be read for ever."""
    bomb = blob_of(zstandard.compress(bytes(64 << 20)))
    registry.blobs[bomb.digest] = data_of(bomb)
    told = Told()
    reuse = Reuse(client_of(registry.address, plain_http=True), state, progress=told)
    layer = Descriptor.of(OCI_LAYER_GZIP, bomb.digest, bomb.size)
    assert not reuse.known("a/b", {DIFF_ID: layer})[DIFF_ID].is_proven()
