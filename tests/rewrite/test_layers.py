"""What becomes of layers: compression, media types, annotations, what is refused, what is reused."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from layerkit.compression.decode import decoded
from layerkit.compression.kind import sniff
from layerkit.errors import CannotFixError, UnsplittableError
from layerkit.filesystem import verify
from layerkit.image.blob import Blob, Writing, blob_of
from layerkit.image.manifest import Descriptor
from layerkit.image.media_types import (
    DOCKER_FOREIGN_LAYER_GZIP,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    Compression,
    Family,
)
from layerkit.image.seekable import STARGZ_SIZE, STARGZ_TOC
from layerkit.profiles import GENERIC, REPLICATED
from layerkit.rewrite import fix_image, options_for
from layerkit.rewrite.decisions import Action
from layerkit.rewrite.options import Known
from layerkit.rewrite.plan import plan_layers
from tests import tar_building as tar
from tests.images import LIMIT, Layer, add_image, large, opened, raw_layers, small
from tests.rewrite.rewriting import fixed
from tests.sources.builders import Files


@pytest.mark.parametrize("compression", [Compression.NONE, Compression.GZIP, Compression.ZSTD])
@pytest.mark.parametrize("wanted", [None, Compression.NONE, Compression.GZIP, Compression.ZSTD])
def test_every_compression_to_every_other(tmp_path: Path, compression: Compression, wanted: Compression | None) -> None:
    files: Files = {}
    layers = [Layer(small().raw, compression), large(compression=compression)]
    image = opened(tmp_path, files, add_image(files, layers))
    result = fixed(image, compression=wanted).image
    expected = wanted or (Compression.GZIP if compression is Compression.NONE else compression)
    types = {Compression.NONE: OCI_LAYER, Compression.GZIP: OCI_LAYER_GZIP, Compression.ZSTD: OCI_LAYER_ZSTD}
    for layer in result.platforms()[0].manifest.layers:
        assert layer.size <= LIMIT
        assert layer.media_type == types[expected]
        assert sniff(bytes(next(result.blob(layer).chunks()))[:6]) is expected
    assert len(raw_layers(result)) >= 4
    assert not verify(image, result)


def test_recoding_alone_keeps_the_diff_id(tmp_path: Path) -> None:
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [Layer(small().raw, Compression.ZSTD)]))
    result = fixed(image, profile=REPLICATED)
    (change,) = result.changes
    assert (len(change.parts), change.parts[0].diff_id) == (1, change.diff_id)
    assert result.image.platforms()[0].config.raw == image.platforms()[0].config.raw


def test_a_level_alone_changes_nothing_within_the_limit(tmp_path: Path) -> None:
    text = Layer(
        tar.layer(*(tar.file(f"f{number}", b"%d words and more words " % number * 20_000) for number in range(8))), level=1
    )
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [text]))
    result = fixed(image, limit=70_000, compression=Compression.GZIP, level=9).image
    assert result.root == image.root


@pytest.mark.parametrize("declared", [OCI_LAYER, OCI_LAYER_ZSTD])
def test_media_types_follow_the_bytes(tmp_path: Path, declared: str) -> None:
    """They lie in the wild; the bytes don't."""
    files: Files = {}
    lying = Layer(small().raw, Compression.GZIP, media_type=declared)
    result = fixed(opened(tmp_path, files, add_image(files, [lying])))
    (layer,) = result.image.platforms()[0].manifest.layers
    assert (layer.media_type, layer.digest) == (OCI_LAYER_GZIP, blob_of(lying.blob).digest)


def test_stargz_indexes_are_dropped(tmp_path: Path) -> None:
    """Annotations and members that describe bytes which are no longer there (stargz-snapshotter, estargz.md)."""
    source = large().raw[:-1024]
    index = tar.file("stargz.index.json", b'{"version":1,"entries":[]}')
    annotations = {STARGZ_TOC: "sha256:" + 64 * "a", STARGZ_SIZE: "1234", "mine": "stays"}
    layer = Layer(tar.layer(tar.file(".no.prefetch.landmark", b"\x0f"), source, index), annotations=annotations)
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [layer]))
    result = fixed(image).image
    raw = b"".join(raw_layers(result))
    assert b"stargz.index.json" not in raw
    assert b".no.prefetch.landmark" not in raw
    assert all(layer.annotations == {"mine": "stays"} for layer in result.platforms()[0].manifest.layers)


def test_stargz_within_the_limit_stays_one(tmp_path: Path) -> None:
    annotations = {STARGZ_TOC: "sha256:" + 64 * "a"}
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [Layer(small().raw, annotations=annotations)]))
    assert fixed(image).image.root == image.root


def test_gzip_of_many_members(tmp_path: Path) -> None:
    """A decoder that stops after the first would lose files without a word."""
    raw = large().raw
    pieces = [raw[start : start + 30_000] for start in range(0, len(raw), 30_000)]
    files: Files = {}
    stored = b"".join(gzip.compress(piece, mtime=0) for piece in pieces)
    image = opened(tmp_path, files, add_image(files, [Layer(raw, stored=stored)]))
    result = fixed(image).image
    assert len(result.platforms()[0].manifest.layers) >= 3
    assert not verify(image, result)


@pytest.mark.parametrize(("compress", "name"), [(bz2.compress, "bzip2"), (lzma.compress, "xz")])
def test_compressions_no_registry_takes(tmp_path: Path, compress: Callable[[bytes], bytes], name: str) -> None:
    files: Files = {}
    raw = small().raw
    image = opened(tmp_path, files, add_image(files, [Layer(raw, stored=compress(raw))]))
    with pytest.raises(CannotFixError, match=f"compressed with {name}, which no registry takes"):
        fixed(image)


def test_one_file_over_the_limit(tmp_path: Path) -> None:
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [large(files=2, size=150_000)]))
    with pytest.raises(
        UnsplittableError, match=r"layer [0-9a-f]{12}: data/file-0 is 1\d\d,\d{3} bytes compressed \(150,000 bytes as a file\)"
    ):
        fixed(image)


def test_one_file_over_the_limit_allowed(tmp_path: Path) -> None:
    raw = tar.layer(
        tar.file("big", large(1, 150_000).raw),
        *(tar.file(f"f{number}", large(1, 40_000, seed=number).raw) for number in range(4)),
    )
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [Layer(raw)]))
    result = fix_image(image, options_for(GENERIC, max_layer_size=LIMIT, allow_oversized=True)).image
    sizes = [layer.size for layer in result.platforms()[0].manifest.layers]
    assert sum(size > LIMIT for size in sizes) == 1
    assert len(sizes) >= 3
    assert not verify(image, result)


def test_foreign_layers_pass_through(tmp_path: Path) -> None:
    """Their bytes aren't in the image, and aren't pushed."""
    files: Files = {}
    foreign = Layer(large().raw, media_type=DOCKER_FOREIGN_LAYER_GZIP)
    descriptor = add_image(files, [foreign, small()], family=Family.DOCKER)
    del files[f"blobs/sha256/{blob_of(foreign.blob).digest.partition(':')[2]}"]
    image = opened(tmp_path, files, descriptor)
    assert fix_image(image, options_for(GENERIC, max_layer_size=LIMIT)).image.root == image.root


def test_encrypted_layer_over_the_limit(tmp_path: Path) -> None:
    files: Files = {}
    encrypted = large(media_type=OCI_LAYER_GZIP + "+encrypted")
    image = opened(tmp_path, files, add_image(files, [encrypted]))
    with pytest.raises(CannotFixError, match=r"of the type .*\+encrypted, which can't be split; raise --max-layer-size"):
        fix_image(image, options_for(GENERIC, max_layer_size=LIMIT))
    assert fix_image(image, options_for(GENERIC, max_layer_size=LIMIT, allow_oversized=True)).image.root == image.root


@pytest.mark.parametrize("proven", [True, False])
def test_what_the_target_has_takes_a_parts_place(tmp_path: Path, proven: bool) -> None:
    """By diff_id: its compressed bytes may be others. Only when it is certain that it is that."""
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [large()]))
    part = fixed(image).changes[0].parts[0]
    packed = io.BytesIO()
    raw = b"".join(bytes(data) for data in decoded(part.blob.content, "part"))
    with gzip.GzipFile("x", "wb", 9, packed, mtime=1) as stream:
        stream.write(raw)
    other = blob_of(packed.getvalue())
    assert other.digest != part.blob.digest
    asked: list[bool] = []

    def is_proven() -> bool:
        asked.append(True)
        return proven

    known = Known(Descriptor.of(OCI_LAYER_GZIP, other.digest, other.size), other, is_proven)
    options = replace(options_for(GENERIC, max_layer_size=LIMIT), known={part.diff_id: known})
    receiver = Taken()
    result = fix_image(image, options, receiver=receiver).image
    offered = receiver.blobs
    first = result.platforms()[0].manifest.layers[0]
    assert first.digest == (other.digest if proven else part.blob.digest)
    assert (other in offered) == proven
    assert (part.blob.digest in {blob.digest for blob in offered}) != proven
    assert asked
    assert not verify(image, result)


class Taken:
    """A receiver that notes what it is offered."""

    def __init__(self) -> None:
        self.blobs: list[Blob] = []
        self.labels: list[str] = []

    def begin(self, label: str) -> Writing | None:
        return None

    def offer(self, blob: Blob, label: str) -> None:
        self.blobs.append(blob)
        self.labels.append(label)


def test_every_layer_is_offered_once_it_is_known(tmp_path: Path) -> None:
    files: Files = {}
    image = opened(tmp_path, files, add_image(files, [small(), large()]))
    receiver = Taken()
    result = fix_image(image, options_for(GENERIC, max_layer_size=LIMIT), receiver=receiver).image
    layers = result.platforms()[0].manifest.layers
    assert [blob.digest for blob in receiver.blobs] == [layer.digest for layer in layers]
    assert receiver.labels[1].endswith("part 1")


def test_the_plan_is_told_without_reading(tmp_path: Path) -> None:
    files: Files = {}
    layers = [small(), large(), Layer(small("b").raw, Compression.NONE), Layer(small("c").raw, Compression.ZSTD)]
    image = opened(tmp_path, files, add_image(files, layers))
    plans = plan_layers(image, options_for(REPLICATED, max_layer_size=LIMIT))
    assert [plan.decision.action for plan in plans] == [Action.KEEP, Action.SPLIT, Action.RECODE, Action.RECODE]
    assert {plan.decision.compression for plan in plans} == {Compression.GZIP}
