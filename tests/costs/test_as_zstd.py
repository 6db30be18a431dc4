"""What a gzip layer would take as zstd."""

import gzip
import random

import pytest
import zstandard

from layerkit.compression.codec import ZSTD_LEVEL
from layerkit.compression.metering import metered
from layerkit.costs import as_zstd
from layerkit.costs.as_zstd import AsZstd
from layerkit.image.media_types import Compression


def words(size: int, seed: int) -> bytes:
    rnd = random.Random(seed)
    known = [rnd.randbytes(rnd.randint(3, 12)) for _ in range(5000)]
    return b"".join(rnd.choices(known, k=size // 7))[:size]


def estimated(raw: bytes) -> int | None:
    blob = gzip.compress(raw, 6)
    seen = AsZstd()
    for batch in metered(iter([blob]), Compression.GZIP, "layer"):
        seen.see(batch)
    return seen.estimate(len(blob))


def test_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SAMPLE", 1 << 20), ("SAMPLED", 3 << 20), ("LEAST", 8 << 20)):
        monkeypatch.setattr(as_zstd, name, value)
    raw = words(12_000_000, 1) + random.Random(2).randbytes(4_000_000)
    actual = len(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(raw))
    assert estimated(raw) == pytest.approx(actual, rel=0.1)
    assert actual < 0.95 * len(gzip.compress(raw, 6))


def test_too_little_to_tell() -> None:
    assert estimated(words(2_000_000, 1)) is None
    assert estimated(b"") is None
