"""What several images have in common."""

import random

from layerkit.compare.sharing import shared_contents, sharing
from layerkit.image.digest import sha256
from layerkit.image.manifest import Descriptor
from tests.costs.reading import Tars
from tests.tar_building import file, layer

NOISE = random.Random(5).randbytes(100_000)


def described(name: str, size: int) -> Descriptor:
    return Descriptor.of("application/vnd.oci.image.layer.v1.tar", sha256(name.encode()), size)


def test_layers() -> None:
    base, tools, one, two = described("base", 500), described("tools", 90), described("one", 7), described("two", 8)
    found = sharing([("a", [base, tools, one, one]), ("b", [base, tools]), ("c", [base, two])])
    assert found.size == 605
    assert [(image.name, image.size, image.shared, image.alone) for image in found.images] == [
        ("a", 597, 590, 7),
        ("b", 590, 590, 0),
        ("c", 508, 500, 8),
    ]
    assert [(layer.digest, layer.images) for layer in found.layers] == [(base.digest, (0, 1, 2)), (tools.digest, (0, 1))]
    assert found.contents is None


def test_contents_in_layers_of_their_own() -> None:
    tars = Tars()
    base = layer(file("base", NOISE[:50_000]))
    images = [
        [tars.platform(base, layer(file("a", NOISE), file("x", NOISE[::-1])))],
        [tars.platform(base, layer(file("b", NOISE)))],
        [tars.platform(layer(file("c", NOISE[1:])))],
    ]
    first, second, third = shared_contents(images)
    assert 95_000 < first < 105_000
    assert 95_000 < second < 105_000
    assert third == 0
