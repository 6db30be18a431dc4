"""A layer that the registry keeps timing out on is split further; what is there already stays as it is.

The destination is a double: the real fault takes minutes of polling, and `tests/pusher` has it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

import layerkit
from layerkit.deliver import deliver
from layerkit.errors import BlobTooSlowError, ProofError, UnsplittableError
from layerkit.filesystem.proof import Proof
from layerkit.image.blob import Blob, Writing
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.profiles import GENERIC
from layerkit.progress import Silent
from layerkit.rewrite import options_for
from layerkit.sources import open_image
from layerkit.spool import Spool
from tests.images import attested_archive, large, small


class Slow:
    """Takes blobs up to `most` bytes, in `finish`; larger ones time out."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken: list[Digest] = []
        self.finished: Image | None = None
        self.is_left = False

    def begin(self, label: str) -> Writing | None:
        return None

    def offer(self, blob: Blob, label: str) -> None:
        pass

    def finish(self, image: Image) -> Digest:
        for found in image.platforms():
            for layer in found.manifest.layers:
                if layer.digest in self.taken:
                    continue
                if layer.size > self.most:
                    raise BlobTooSlowError("HTTP 524", layer.digest)
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
    done = deliver(source, options_for(GENERIC, max_layer_size=600_000), destination, spool=Spool(), progress=told)
    assert destination.finished is not None
    assert done.slow
    assert all(size > destination.most for size in done.slow.values())
    assert all(size <= destination.most for found in destination.finished.platforms() for size in _sizes(found.manifest.layers))
    assert layerkit.verify(source, destination.finished) == []
    assert any("--max-layer-size" in warning for warning in told.warnings)
    assert not destination.is_left, "that is for whoever entered it"


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
