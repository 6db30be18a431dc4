"""The input changes in place while it is split: what is written is right, or nothing is and the image is what is blamed."""

import hashlib
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from layerkit.deliver import deliver
from layerkit.destinations import open_destination
from layerkit.errors import ImageError
from layerkit.image.blob import InputFile
from layerkit.profiles import GENERIC
from layerkit.rewrite import options_for
from layerkit.sources import open_image
from layerkit.streams import gzip as gzip_stream
from tests.images import attested_archive, large, small

TRIES = 100


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers, one of them to be split into several parts of a few stops each."""
    return attested_archive(tmp_path_factory.mktemp("altered") / "image.tar", [small(), large(30, 300_000)])


def is_sound(path: Path) -> bool:
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name.startswith("blobs/sha256/"):
                data = archive.extractfile(member)
                assert data is not None
                if hashlib.sha256(data.read()).hexdigest() != member.name.rpartition("/")[2]:
                    return False
    return True


def altering(path: Path, chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    """At one of the reads, before or after its bytes are taken, some bytes of the file change, or its end goes."""
    size = path.stat().st_size
    moment = chance.randrange(150)
    reads = 0
    read_at: Callable[[InputFile, int, int], bytes] = InputFile.read_at

    def alter() -> None:
        with path.open("r+b") as file:
            for _ in range(chance.choice((1, 1, 8))):
                at = chance.randrange(size)
                file.seek(at)
                byte = file.read(1)
                file.seek(at)
                file.write(bytes([(byte or b"?")[0] ^ 1 << chance.randrange(8)]))
            if chance.random() < 0.1:
                file.truncate(chance.randrange(size))

    def altered(self: InputFile, offset: int, count: int) -> bytes:
        nonlocal reads
        reads += 1
        if reads == moment:
            alter()
        return read_at(self, offset, count)

    monkeypatch.setattr(InputFile, "read_at", altered)


def test_never_a_damaged_output(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzip_stream, "STOPS", 300_000)
    made = {"right": 0, "refused": 0}
    for seed in range(TRIES):
        image, output = tmp_path / "image.tar", tmp_path / "out.tar"
        shutil.copy(archive, image)
        output.unlink(missing_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            altering(image, random.Random(seed), patch)
            try:
                source = open_image(str(image))
                with open_destination(str(output)) as destination:
                    deliver(source, options_for(GENERIC, max_layer_size=4_500_000), destination)
            except ImageError:
                made["refused"] += 1
                assert not output.exists()
                continue
        made["right"] += 1
        assert is_sound(output), seed
    assert made["refused"] > made["right"] / 10, made
