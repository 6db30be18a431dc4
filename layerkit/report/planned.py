"""An image before and after it is fixed: the layers, what is in them, and what a push of it would send."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PlannedLayer:
    number: int
    """From 1, among the layers of the result."""
    digest: str
    size: int
    """Bytes of the blob."""
    source: int
    """The number of the layer that it is, or is a part of."""
    part: int
    """From 1; 0: the layer as it was."""
    parts: int
    there: bool | None
    """Has the registry got it? None: nobody was asked, or it didn't say."""
    holds: tuple[str, ...]
    """The few directories or files that most of it is, each with its size."""


@dataclass(frozen=True)
class Planned:
    """One platform."""

    platform: str
    before: tuple[int, ...]
    """Bytes of its layers as they are."""
    after: tuple[PlannedLayer, ...]
    limit: int
    taken_out: tuple[str, ...]
    """Attestations and what else doesn't go with it, a line each."""
    send: int
    """Bytes that a push sends: layers and config that aren't there, each once."""
    seconds: float | None
    """How long that takes at the rate that was asked about."""
