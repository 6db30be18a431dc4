"""Every dialect is learned: the image arrives without a flag, little is sent in vain, and the next run knows."""

from pathlib import Path

import pytest

from layerkit.errors import BlobTooLargeError, BlobTooSlowError, RefusedError
from layerkit.image.image import Image
from layerkit.image.reference import Reference
from layerkit.profiles import GENERIC
from layerkit.progress import Silent
from layerkit.pusher.push import RegistryDestination, Stats
from layerkit.state import NOTHING_REMEMBERED, State
from tests.pusher.dialects import DIALECTS, Dialect, KiB, MiB, Registry
from tests.pusher.images import Waits, client_of, image_of, layers_of

SIZES = [40_000_000, 1_000_000]
"""Bytes of the layers: an image that is pushed whole, and a layer that goes in chunks."""

COSTLY = {"bodies of 12 MB, 413 after them": 1.45}
"""Times the image's bytes, where more than 1.3 can't be helped: an edge reads what it refuses."""


class Told(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def push(
    registry: Registry, image: Image, state: State = NOTHING_REMEMBERED, told: Told | None = None, chunk_size: int | None = None
) -> Stats:
    told = told or Told()
    client = client_of(registry.address, plain_http=True, waits=Waits())
    reference = Reference(registry.address, "app/worker", "1")
    destination = RegistryDestination(
        client, reference, profile=GENERIC, state=state, progress=told, chunk_size=chunk_size, may_split=True
    )
    try:
        assert destination.finish(image) == image.root.digest
    finally:
        destination.close()
    for layer in layers_of(image):
        assert registry.blobs[layer.digest] == b"".join(bytes(chunk) for chunk in layer.chunks())
    return destination.stats


def whole(image: Image) -> int:
    return sum(layer.size for layer in layers_of(image))


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect(name: str, tmp_path: Path) -> None:
    image = image_of(SIZES, seed=1)
    state = State(tmp_path / "state")
    with Registry(DIALECTS[name]).serving() as registry:
        first = push(registry, image, state)
        assert first.bytes_sent <= COSTLY.get(name, 1.3) * whole(image)
        assert len(registry.seen) <= 30 + 2 * whole(image) // (512 * KiB)
    with Registry(DIALECTS[name]).serving() as other:
        state.teach(other.address, (state.lesson(registry.address) or _nothing).fields)  # another port, the same host
        second = push(other, image, state)
        assert second.bytes_sent <= 1.01 * whole(image) + 300
        refused = [seen for seen in other.seen if seen.status >= 400 or not seen.status]
        assert [seen for seen in refused if seen.method not in ("HEAD", "GET")] == []


class _Nothing:
    fields: dict[str, object] = {}  # noqa: RUF012 # never changed


_nothing = _Nothing()


def test_what_was_learned_is_told(tmp_path: Path) -> None:
    state, told = State(tmp_path / "state"), Told()
    with Registry(Dialect(max_body=12_000_000)).serving() as registry:
        push(registry, image_of([40_000_000], seed=1), state, told)
        assert not any("learned on" in note for note in told.notes)
        push(registry, image_of([40_000_000], seed=2), state, told)
        assert any("bodies have at most" in note and "--forget" in note for note in told.notes)
        state.forget(registry.address)
        told.notes.clear()
        push(registry, image_of([40_000_000], seed=3), state, told)
        assert not any("learned on" in note for note in told.notes)


def test_what_one_upload_learns_holds_for_all() -> None:
    """A limit costs its few requests once, not once for each layer."""
    image = image_of([20_000_000] * 4, seed=4)
    with Registry(Dialect(max_body=MiB)).serving() as registry:
        client = client_of(registry.address, plain_http=True)
        destination = RegistryDestination(client, Reference(registry.address, "a/b", "1"), profile=GENERIC, jobs=1)
        destination.finish(image)
        destination.close()
        assert sum(seen.status == 413 for seen in registry.seen) <= 4


def test_a_registry_s_own_limit_of_layers() -> None:
    """413 for the commit: no way to send it helps, and the limit in its text is what smaller layers should have."""
    with Registry(Dialect(commit_413=5_000_000)).serving() as registry, pytest.raises(BlobTooLargeError) as caught:
        push(registry, image_of([9_000_000], seed=5))
    assert caught.value.limit == 5_000_000
    assert "--max-layer-size 5000000" in str(caught.value)


def test_no_chunks_and_small_bodies() -> None:
    """Then it is the layers that have to be smaller."""
    with Registry(Dialect(chunked=False, max_body=5_000_000)).serving() as registry, pytest.raises(BlobTooLargeError) as caught:
        push(registry, image_of([9_000_000], seed=6))
    assert 1_000_000 < caught.value.limit <= 5_000_000


def test_nothing_is_taken_at_all() -> None:
    with (
        Registry(Dialect(chunked=False, patched=False, put_body=False)).serving() as registry,
        pytest.raises(RefusedError, match=r"HTTP 40[05] "),
    ):
        push(registry, image_of([9_000_000], seed=7))
    assert len(registry.seen) < 30


def test_bodies_smaller_than_any() -> None:
    with (
        Registry(Dialect(max_body=100 * KiB)).serving() as registry,
        pytest.raises(RefusedError, match="raise the limit of request bodies"),
    ):
        push(registry, image_of([9_000_000], seed=8))
    assert len(registry.seen) < 30


def test_a_blob_that_is_never_committed_is_known_after_one_try() -> None:
    """Where smaller ones can take its place: it isn't sent again, and another of its size isn't tried."""
    image = image_of([20_000_000, 21_000_000], seed=9)
    with Registry(Dialect(max_blob=14_000_000)).serving() as registry:
        client = client_of(registry.address, plain_http=True)
        reference = Reference(registry.address, "a/b", "1")
        with RegistryDestination(client, reference, profile=GENERIC, may_split=True, jobs=1) as destination:
            with pytest.raises(BlobTooSlowError) as caught:
                destination.finish(image)
            assert caught.value.limit is not None
            assert 1_000_000 < caught.value.limit <= 14_000_000
        assert destination.stats.bytes_sent <= 21_001_000
        assert [seen.status for seen in registry.seen].count(524) == 1


def test_a_caller_who_comes_with_it_again_has_nothing_smaller() -> None:
    """Then it is tried as often as any."""
    image = image_of([20_000_000], seed=10)
    with Registry(Dialect(max_blob=14_000_000)).serving() as registry:
        client = client_of(registry.address, plain_http=True)
        reference = Reference(registry.address, "a/b", "1")
        with RegistryDestination(client, reference, profile=GENERIC, may_split=True) as destination:
            for timeouts in (1, 3):
                with pytest.raises(BlobTooSlowError):
                    destination.finish(image)
                assert [seen.status for seen in registry.seen].count(524) == timeouts
