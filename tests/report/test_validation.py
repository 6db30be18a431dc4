"""Everything that an image says of itself, recomputed: each wrong claim is found, whatever the layer is compressed with."""

from pathlib import Path
from typing import Any

import pytest

from layerkit.image.digest import sha256
from layerkit.image.image import Image
from layerkit.image.media_types import Compression, Family, layer_type
from layerkit.report.validation import validate
from tests import tar_building
from tests.images import Layer, add_image, large, opened
from tests.sources.builders import Files, put

COMPRESSIONS = [Compression.NONE, Compression.GZIP, Compression.ZSTD]
WRONG = "sha256:" + 64 * "3"


def image_of(tmp_path: Path, layer: Layer, **more: Any) -> Image:
    files: Files = {}
    return opened(tmp_path, files, add_image(files, [layer], **more))


def layer_in(compression: Compression) -> Layer:
    return Layer(large(3, 1000).raw, compression)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_sound_image(tmp_path: Path, compression: Compression) -> None:
    assert validate(image_of(tmp_path, layer_in(compression))) == []


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_wrong_diff_id(tmp_path: Path, compression: Compression) -> None:
    (found,) = validate(image_of(tmp_path, layer_in(compression), diff_ids=[WRONG]))
    assert f"expected diff_id {WRONG}, found {sha256(large(3, 1000).raw)}" in found


@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.ZSTD])
@pytest.mark.parametrize("cut", [20, 1])
def test_a_layer_that_ends_early(tmp_path: Path, compression: Compression, cut: int) -> None:
    """Its digest is right: it was damaged before it was named."""
    files: Files = {}
    layer = layer_in(compression)
    early = put(files, layer.blob[:-cut], layer_type(Family.OCI, compression))
    (found,) = validate(opened(tmp_path, files, add_image(files, [layer], manifest={"layers": [early]})))
    assert "a layer that can't be decoded" in found


def test_a_media_type_that_lies(tmp_path: Path) -> None:
    lying = Layer(large().raw, Compression.ZSTD, media_type=layer_type(Family.OCI, Compression.GZIP))
    (found,) = validate(image_of(tmp_path, lying))
    assert "expected the compression its media type" in found


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (tar_building.layer(tar_building.file("a", b"x"), tar_building.file("a/b", b"y")), "expected a directory above it"),
        (tar_building.layer(tar_building.file("a", b"x"), end=b""), "expected an end-of-archive block"),
        (b"x" * 2048, "offset 0: "),
    ],
)
def test_a_tar_that_no_applier_takes(tmp_path: Path, raw: bytes, says: str) -> None:
    (found,) = validate(image_of(tmp_path, Layer(raw, Compression.GZIP)))
    assert "layer 0 (sha256:" in found
    assert says in found
