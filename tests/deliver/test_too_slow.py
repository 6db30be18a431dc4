"""A layer that the registry keeps timing out on is split further; what is there already stays as it is.

The destination is a double: the real fault takes minutes of polling, and `tests/pusher` has it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

import layerkit
from layerkit.deliver import deliver
from layerkit.errors import BlobTooLargeError, BlobTooSlowError, ProofError, UnsplittableError
from layerkit.filesystem.proof import Proof
from layerkit.image.blob import Blob, Writing
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.profiles import GENERIC
from layerkit.progress import Silent
from layerkit.rewrite import options_for
from layerkit.sources import open_image
from tests.images import attested_archive, large, small


class Slow:
    """Takes blobs up to `most` bytes, in `finish`; larger ones time out. `advice`: it says which size would get through."""

    def __init__(self, most: int, advice: int | None = None, error: type[Exception] = BlobTooSlowError) -> None:
        self.most = most
        self.advice = advice
        self.error = error
        self.rounds = 0
        self.taken: list[Digest] = []
        self.finished: Image | None = None
        self.is_left = False

    def begin(self, label: str) -> Writing | None:
        return None

    def offer(self, blob: Blob, label: str) -> None:
        pass

    def finish(self, image: Image) -> Digest:
        self.rounds += 1
        for found in image.platforms():
            for layer in found.manifest.layers:
                if layer.digest in self.taken:
                    continue
                if layer.size > self.most:
                    error = self.error("HTTP 524", layer.digest, self.advice)
                    error.arrived = frozenset(self.taken)  # type: ignore[attr-defined] # both kinds have it
                    raise error
                self.taken.append(layer.digest)
        self.finished = image
        return image.root.digest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.is_left = True


class Told(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def image(tmp_path: Path) -> Callable[..., Image]:
    def made(files: int) -> Image:
        return open_image(str(attested_archive(tmp_path / "image.tar", [small(), large(files, 60_000), small("top")])))

    return made


def test_it_is_split_until_it_goes_through(image: Callable[..., Image]) -> None:
    source, destination, told = image(16), Slow(150_000), Told()
    done = deliver(source, options_for(GENERIC, max_layer_size=600_000), destination, progress=told)
    assert destination.finished is not None
    assert done.slow
    assert max(done.slow.values()) > destination.most
    assert all(size <= destination.most for found in destination.finished.platforms() for size in _sizes(found.manifest.layers))
    assert layerkit.verify(source, destination.finished) == []
    assert any("--max-layer-size" in warning for warning in told.warnings)
    assert not destination.is_left, "that is for whoever entered it"


@pytest.mark.parametrize("error", [BlobTooSlowError, BlobTooLargeError])
def test_where_the_size_is_known_it_is_one_step(image: Callable[..., Image], error: type[Exception]) -> None:
    """And all that is still to be sent takes it, before it is tried."""
    source, destination = image(16), Slow(150_000, advice=130_000, error=error)
    deliver(source, options_for(GENERIC, max_layer_size=600_000), destination, progress=Silent())
    assert destination.rounds == 2
    assert destination.finished is not None
    sizes = [size for found in destination.finished.platforms() for size in _sizes(found.manifest.layers)]
    assert max(sizes) <= 130_000
    assert layerkit.verify(source, destination.finished) == []


def test_parts_of_parts_have_no_layer_of_directory_times_of_their_own(image: Callable[..., Image]) -> None:
    """The layer that has them all is there already, above them."""
    source, destination = image(16), Slow(150_000, advice=130_000)
    at_once = layerkit.fix(source, max_layer_size=130_000)
    done = deliver(source, options_for(GENERIC, max_layer_size=600_000), destination, progress=Silent())
    small = [size for size in _sizes(at_once.platforms()[0].manifest.layers) if size < 1000]
    assert destination.finished is not None
    assert [size for size in _sizes(destination.finished.platforms()[0].manifest.layers) if size < 1000] == small
    assert all(len(change.parts) > 1 for change in done.fixed.changes)


def test_a_layer_that_cannot_be_smaller_is_tried_as_it_is(tmp_path: Path) -> None:
    """Others are split all the same; the second time the destination takes it, or nothing helps."""
    layers = [large(16, 60_000), large(1, 400_000, seed=9, folder="one")]
    source, told = open_image(str(attested_archive(tmp_path / "image.tar", layers))), Told()
    one = source.platforms()[0].manifest.layers[1]

    class Patient(Slow):
        def finish(self, image: Image) -> Digest:
            if self.rounds:
                self.taken.append(one.digest)  # it needed more time
            return super().finish(image)

    destination = Patient(150_000, advice=130_000)
    deliver(source, options_for(GENERIC, max_layer_size=600_000), destination, progress=told)
    assert destination.finished is not None
    sizes = [layer.size for layer in destination.finished.platforms()[0].manifest.layers if layer.digest != one.digest]
    assert max(sizes) <= 130_000
    assert any("one/file-0" in warning and "as it is" in warning for warning in told.warnings)
    assert layerkit.verify(source, destination.finished) == []


def test_what_went_through_is_not_sent_again(image: Callable[..., Image]) -> None:
    destination = Slow(150_000)
    deliver(image(16), options_for(GENERIC, max_layer_size=600_000), destination, progress=Silent())
    assert len(destination.taken) == len(set(destination.taken))
    assert destination.finished is not None
    layers = destination.finished.platforms()[0].manifest.layers
    assert set(destination.taken) == {layer.digest for layer in layers}, "nothing that was taken was split afterwards"


def test_when_one_file_is_too_slow_it_is_named_and_no_tag_is_left(image: Callable[..., Image]) -> None:
    destination = Slow(10_000)
    with pytest.raises((UnsplittableError, BlobTooSlowError)) as error:
        deliver(image(4), options_for(GENERIC, max_layer_size=100_000), destination, progress=Silent())
    assert destination.finished is None
    assert isinstance(error.value, BlobTooSlowError) or "data/" in str(error.value)


def test_a_failed_proof_leaves_nothing(image: Callable[..., Image], monkeypatch: pytest.MonkeyPatch) -> None:
    def lying(*_: object) -> None:
        raise ProofError("not the same")

    monkeypatch.setattr(Proof, "close", lying)
    destination = Slow(1 << 30)
    with pytest.raises(ProofError):
        deliver(image(16), options_for(GENERIC, max_layer_size=600_000), destination, progress=Silent())
    assert destination.finished is None


def _sizes(layers: object) -> list[int]:
    assert isinstance(layers, tuple)
    return [layer.size for layer in layers]
