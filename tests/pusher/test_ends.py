"""Every push ends: whatever a registry answers, with so many requests, so many bytes, and never in a rush.

The registry is random, the clock virtual; the same seed gives the same push. What ends is right: a push that succeeds has left
everything there, one that fails says why in an error of layerkit's own.
"""

import os
from collections import Counter, defaultdict

from hypothesis import example, given, settings
from hypothesis import strategies as st

from layerkit.errors import LayerkitError
from layerkit.image.blob import blob_of
from layerkit.image.image import Image
from layerkit.image.reference import Reference
from layerkit.profiles import GENERIC, UploadRules, Way
from layerkit.progress import SILENT
from layerkit.pusher.host import Host
from layerkit.pusher.push import RegistryDestination
from layerkit.pusher.rules import first_rules
from layerkit.pusher.target import Outcome, Target, Traffic
from layerkit.pusher.upload import upload
from layerkit.state import NOTHING_REMEMBERED
from tests.pusher.images import image_of, layers_of, noise
from tests.pusher.random_registry import HOST, RandomTransport, client_over

RUNS = int(os.environ.get("RANDOM_PUSHES", "1000"))
SIZE = 100_000
BLOB = blob_of(noise(SIZE, 77))
CHUNK, SMALLEST = 20_000, 4_000

MOST_REQUESTS = 400
"""For a blob of 25 smallest bodies. Of 100,000 registries the worst took 82, 6.2 times the bytes, and 4,000 seconds; in theory
each of the 25 may be tried 8 times, 12 times over."""

MOST_BYTES = 20 * SIZE
MOST_SECONDS = 20_000
"""Of the virtual clock: a slow request takes 160 s, a Retry-After up to 300."""

A_FEW = 5
"""Unchanged requests within a second."""


def sent(seed: int, chaos: float, way: Way, insists: bool) -> tuple[RandomTransport, Outcome | LayerkitError]:
    transport = RandomTransport(seed, chaos)
    client = client_over(transport)
    host = Host(HOST, first_rules(UploadRules(way, CHUNK)), NOTHING_REMEMBERED, SMALLEST)
    target = Target(client, "a/b", host, 180.0, (), SILENT, Traffic(), NOTHING_REMEMBERED)
    try:
        return transport, upload(target, BLOB, "layer", insists=insists)
    except LayerkitError as error:
        return transport, error


def in_a_rush(transport: RandomTransport) -> Counter[tuple[str, str, str]]:
    """The most requests of a kind within a second."""
    times = defaultdict(list)
    for asked in transport.log:
        times[asked.method, asked.path, asked.place].append(asked.at)
    most: Counter[tuple[str, str, str]] = Counter()
    for place, found in times.items():
        most[place] = max(sum(at <= other < at + 1.0 for other in found) for at in found)
    return most


@settings(max_examples=RUNS)
@given(st.integers(0, 1 << 40), st.sampled_from([0.1, 0.3, 0.6, 0.9, 1.0]), st.sampled_from(Way), st.booleans())
@example(0, 0.0, Way.CHUNKED, True)
def test_an_upload_ends(seed: int, chaos: float, way: Way, insists: bool) -> None:
    transport, outcome = sent(seed, chaos, way, insists)
    assert len(transport.log) <= MOST_REQUESTS
    assert sum(asked.sent for asked in transport.log) <= MOST_BYTES
    assert transport.time <= MOST_SECONDS
    assert max(in_a_rush(transport).values()) <= A_FEW
    if chaos == 0.0:
        assert outcome is Outcome.SENT
        assert BLOB.digest in transport.blobs


IMAGE = image_of([60_000, 3_000], seed=5)


@settings(max_examples=RUNS // 4)
@given(st.integers(0, 1 << 40), st.sampled_from([0.05, 0.2, 0.5, 1.0]))
@example(0, 0.0)
def test_a_push_ends(seed: int, chaos: float) -> None:
    transport = RandomTransport(seed, chaos)
    client = client_over(transport)
    destination = RegistryDestination(
        client, Reference(HOST, "a/b", "1"), profile=GENERIC, chunk_size=CHUNK, smallest_chunk=SMALLEST, jobs=2
    )
    pushed: Image | None = None
    with destination:
        try:
            destination.finish(IMAGE)
            pushed = IMAGE
        except LayerkitError:
            pass
    assert len(transport.log) <= 3 * MOST_REQUESTS
    if chaos == 0.0:
        assert pushed is not None
        assert all(layer.digest in transport.blobs for layer in layers_of(IMAGE))
