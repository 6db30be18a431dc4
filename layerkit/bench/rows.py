"""Settings in, measured rows out."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from layerkit.bench.nowhere import Nowhere
from layerkit.bench.once import Once
from layerkit.deliver import Delivered, deliver
from layerkit.errors import CannotFixError, OutputError, ProofError
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.image.media_types import Compression
from layerkit.profiles import GENERIC
from layerkit.progress import SILENT, Progress
from layerkit.rewrite import FixOptions, options_for
from layerkit.rewrite.options import MIN_LIMIT

USUAL_LIMITS = (1_000_000_000, 500_000_000, 250_000_000)
"""Bytes: what is usual, a body limit of many registries, and what uploads in seconds."""


class Setting(NamedTuple):
    """One way to fix the image."""

    limit: int
    """Bytes of a compressed layer."""
    compression: Compression | None = None
    """None: as the layers are."""
    level: int | None = None


@dataclass
class Row:
    """What came of a setting."""

    setting: Setting
    seconds: list[float] = field(default_factory=list)
    """Wall clock of each run."""
    digest: Digest | None = None
    """Of the new image; the same in every run."""
    layers: int = 0
    """Of the whole image, each once."""
    parts: int = 0
    """Layers that are new."""
    largest: int = 0
    """Bytes of the largest layer."""
    total: int = 0
    """Bytes of all layers, each once."""
    problem: str = ""
    """Why the image can't be fixed this way; then there are no figures."""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def default_limits(image: Image) -> tuple[int, ...]:
    """Limits worth comparing: the usual ones that the largest layer exceeds; for a small image fractions of that layer."""
    largest = max(_layer_sizes(image).values(), default=0)
    usual = tuple(limit for limit in USUAL_LIMITS if limit < largest)
    return usual or tuple(dict.fromkeys(max(largest // share, MIN_LIMIT) for share in (2, 4, 8)))


def layers_size(image: Image) -> int:
    """Bytes of the image's layers, each once."""
    return sum(_layer_sizes(image).values())


def warm(image: Image, progress: Progress = SILENT) -> None:
    """Reads the image once, so that the first run doesn't wait for the disk when the others don't. Raises ImageError."""
    with Nowhere(progress) as nowhere:
        nowhere.finish(image)


def measure(
    image: Image,
    settings: Sequence[Setting],
    *,
    runs: int = 3,
    verify: bool = True,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> list[Row]:
    """Each setting `runs` times in alternation (A B C A B C ...), so that whatever else the machine does meets all of them.
    `verify`: with the proof, as `fix` does it. A setting that the image can't be fixed with is tried once.

    Raises UsageError for limits that are too small, ImageError for a damaged image, OutputError for a full temporary folder,
    ProofError."""
    progress = Once(progress)
    rows = [Row(setting) for setting in settings]
    options = [
        options_for(GENERIC, max_layer_size=limit, compression=compression, level=level, proven=verify, jobs=jobs)
        for limit, compression, level in settings
    ]
    for _ in range(runs):
        for row, chosen in zip(rows, options, strict=True):
            if not row.problem:
                _run(image, row, chosen, progress)
    return rows


def _run(image: Image, row: Row, options: FixOptions, progress: Progress) -> None:
    began = time.perf_counter()
    try:
        with Nowhere(progress) as nowhere:
            done = deliver(image, options, nowhere, progress=progress)
    except (OutputError, ProofError):
        raise  # these say nothing about the setting
    except CannotFixError as error:
        row.problem = str(error)
        return
    row.seconds.append(time.perf_counter() - began)
    _describe(row, done)


def _describe(row: Row, done: Delivered) -> None:
    sizes = _layer_sizes(done.fixed.image)
    row.digest = done.digest
    row.layers = len(sizes)
    row.parts = sum(len(change.parts) for change in done.fixed.changes)
    row.largest = max(sizes.values(), default=0)
    row.total = sum(sizes.values())


def _layer_sizes(image: Image) -> dict[Digest, int]:
    return {layer.digest: layer.size for found in image.platforms() for layer in found.manifest.layers if image.has(layer)}
