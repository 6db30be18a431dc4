"""Parts are on their way while the layer they come from is still being read, and read back for the proof meanwhile."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pytest

import layerkit
from layerkit.deliver import deliver
from layerkit.destinations import Destination, open_destination
from layerkit.image.blob import Blob, Buffer, Bytes, Writing
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.profiles import GENERIC
from layerkit.rewrite import options_for
from layerkit.sources import open_image
from tests import tar_building as tar
from tests.images import Layer, add_image, attested_archive, large, opened, small
from tests.sources.builders import Files

PATIENCE = 60.0
"""Seconds after which what is waited for won't come."""


@dataclass
class Gate:
    """A place in a layer that isn't passed until something has happened."""

    opened: threading.Event = field(default_factory=threading.Event)
    timed_out: bool = False

    def wait(self) -> None:
        if not self.opened.wait(PATIENCE):
            self.timed_out = True


@dataclass(frozen=True)
class Gated(Bytes):
    """Bytes whose last ones wait for the gate."""

    gate: Gate = field(default_factory=Gate)
    last: int = 4096

    def section(self, start: int, end: int) -> "Gated":
        return Gated(self.data[start:end], self.gate, max(end - (self.size - self.last), 0))

    def chunks(self, offset: int = 0) -> Iterator[Buffer]:
        for chunk in super().chunks(offset):
            offset += len(chunk)
            if offset > self.size - self.last:
                self.gate.wait()
            yield chunk


class Opens:
    """A destination that opens the gate with the second part it is offered."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.offered: list[Digest] = []

    def begin(self, label: str) -> Writing | None:
        return None

    def offer(self, blob: Blob, label: str) -> None:
        self.offered.append(blob.digest)
        if label.endswith("part 2"):
            self.gate.opened.set()

    def finish(self, image: Image) -> Digest:
        return image.root.digest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.opened.set()


def gated(image: Image, gate: Gate) -> Image:
    """The image, the end of its largest layer behind the gate."""
    blob = max(image.blobs.values(), key=lambda blob: blob.size)
    behind = Blob(blob.digest, Gated(b"".join(map(bytes, blob.chunks())), gate))
    return replace(image, blobs={**image.blobs, blob.digest: behind})


@pytest.mark.parametrize("verify", [True, False])
def test_parts_are_offered_before_the_layer_was_read(tmp_path: Path, verify: bool) -> None:
    gate = Gate()
    # Long enough that what is inflated ahead doesn't come to the gate while the first parts are made.
    source = open_image(str(attested_archive(tmp_path / "image.tar", [small(), large(24, 1_000_000)])))
    destination = Opens(gate)
    done = deliver(gated(source, gate), options_for(GENERIC, max_layer_size=4_500_000, proven=verify), destination)
    assert gate.opened.is_set()
    assert not gate.timed_out, "the second part was only offered when the whole layer had been read"
    layers = done.fixed.image.platforms()[0].manifest.layers
    assert destination.offered == [layer.digest for layer in layers]


def late_link(folder: Path) -> Image:
    """An image whose last member belongs to the first part."""
    files: Files = {}
    raw = large(8, 60_000).raw
    late = raw[: -2 * tar.BLOCK] + tar.layer(tar.hard_link("data/late", "data/file-0"))
    return opened(folder, files, add_image(files, [small(), Layer(late), large(3, 60_000, seed=4, folder="other")]))


@pytest.mark.parametrize("form", ["{}/out.tar", "oci:{}/out", "docker-archive:{}/out.tar", "-"])
def test_what_came_late_leaves_no_trace(tmp_path: Path, form: str) -> None:
    """The first part was offered without the late link; it isn't in the output."""
    source = late_link(tmp_path)
    offered: list[Digest] = []
    with (tmp_path / "out.tar").open("wb") as stdout, open_destination(form.format(tmp_path), stdout=stdout) as destination:
        done = deliver(source, options_for(GENERIC, max_layer_size=150_000), _Noting(destination, offered))
    result = open_image(str(tmp_path / ("out" if form.startswith("oci:") else "out.tar")))
    assert layerkit.verify(source, result) == []
    layers = [layer.digest for layer in done.fixed.image.platforms()[0].manifest.layers]
    assert set(layers) < set(offered), "something was offered that isn't part of the image"
    assert set(result.blobs) == _wanted(done.fixed.image)


def _wanted(image: Image) -> set[Digest]:
    found = {descriptor.digest for descriptor, _ in image.walk()}
    for platform in image.platforms():
        found |= {descriptor.digest for descriptor in (platform.manifest.config, *platform.manifest.layers)}
    return found


class _Noting:
    """A destination that notes what it is offered."""

    def __init__(self, destination: Destination, offered: list[Digest]) -> None:
        self.destination = destination
        self.offered = offered

    def begin(self, label: str) -> Writing | None:
        return self.destination.begin(label)

    def offer(self, blob: Blob, label: str) -> None:
        self.offered.append(blob.digest)
        self.destination.offer(blob, label)

    def finish(self, image: Image) -> Digest:
        return self.destination.finish(image)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass
