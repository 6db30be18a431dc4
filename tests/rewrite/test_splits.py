"""Layers that several images share are split once, one at a time; memory that was taken is given back."""

import gc
import threading
import time
from pathlib import Path

import pytest

from layerkit.filesystem import verify
from layerkit.image.blob import Bytes
from layerkit.image.digest import Digest, sha256
from layerkit.image.image import Image
from layerkit.image.media_types import Compression
from layerkit.layers.split import SplitOptions
from layerkit.profiles import GENERIC
from layerkit.rewrite import fix_image, options_for, splits
from layerkit.rewrite.layers import Nobody
from layerkit.rewrite.splits import Key, SharedSplits
from layerkit.spool import Room, Spool
from tests.images import LIMIT, add_image, large, opened, small


def key(number: int) -> Key:
    return Key(sha256(bytes([number])), SplitOptions(LIMIT, Compression.GZIP))


def test_one_makes_the_others_wait() -> None:
    shared = SharedSplits()
    made: list[int] = []
    running: list[int] = []
    new: list[bool] = []

    def split(number: int) -> None:
        def make(spool: Spool) -> list[object]:
            running.append(number)
            assert len(running) == 1, "one at a time"
            time.sleep(0.02)
            made.append(number)
            running.remove(number)
            return []

        new.append(shared.parts(key(number % 3), make)[1])  # type: ignore[arg-type]

    threads = [threading.Thread(target=split, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number % 3 for number in made) == [0, 1, 2]
    assert sum(new) == 3


def test_a_split_that_fails_is_made_again() -> None:
    shared = SharedSplits()

    def fails(spool: Spool) -> list[object]:
        raise ValueError

    with pytest.raises(ValueError):
        shared.parts(key(1), fails)  # type: ignore[arg-type]
    assert shared.parts(key(1), lambda spool: [])[1]


class Noting(Nobody):
    def __init__(self) -> None:
        self.offered: set[Digest] = set()

    def offer(self, blob: object, label: str) -> None:
        self.offered.add(blob.digest)  # type: ignore[attr-defined]


def test_two_images_of_one_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = large(8)
    images = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files: dict[str, bytes] = {}
        images.append(opened(tmp_path / name, files, add_image(files, [base, small(name)])))
    options = options_for(GENERIC, max_layer_size=LIMIT)
    shared, alone = SharedSplits(), [fix_image(image, options).image for image in images]
    for image, expected in zip(images, alone, strict=True):
        receiver = Noting()
        fixed: Image = fix_image(image, options, splits=shared, receiver=receiver).image
        assert fixed.root == expected.root
        layers = {layer.digest for layer in fixed.platforms()[0].manifest.layers}
        assert layers <= receiver.offered
        assert verify(image, fixed) == []


def test_what_is_old_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "KEPT_SPLITS", 2)
    shared = SharedSplits()
    for number in range(4):
        shared.parts(key(number), lambda spool: [])
    assert [shared.parts(key(number), lambda spool: [])[1] for number in (3, 2)] == [False, False]
    assert shared.parts(key(0), lambda spool: [])[1]


def test_memory_is_given_back_when_nothing_uses_it() -> None:
    room = Room()
    spool = Spool(room=room)
    kept = spool.keep(bytes(40 << 20))
    assert isinstance(kept, Bytes)
    assert not room.take(40 << 20)
    del kept, spool
    gc.collect()
    assert room.take(40 << 20)
