"""One piece of advice: what was found, what it costs, and what to write in the Dockerfile instead."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Advice:
    rule: str
    """A stable name: `apt-lists`."""
    title: str
    """What was found, in a few words."""
    gain: int
    """Compressed bytes that are no longer pushed when it is followed; 0 where that can't be computed."""
    layer: int | None
    """From 1; None: it is about several."""
    step: str
    """The Dockerfile's line that brought it, as far as the history tells."""
    help: str
    """What to do, in the Dockerfile's own terms."""
    paths: tuple[str, ...]
    """Some of what it is about, the most expensive first."""
