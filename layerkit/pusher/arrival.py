"""Looking for a blob whose commit got no answer: behind its edge the registry often finishes."""

from layerkit.image.blob import Blob
from layerkit.pusher.target import Target

_POLLS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between two looks; the last is repeated."""

_PATIENCE = 15.0
"""Seconds for which a blob is looked for at least."""

_COMMIT_RATE = 5_000_000
"""Bytes a second at which a slow registry copies a blob into its place: how much longer large ones are looked for."""


def seconds_until_there(target: Target, blob: Blob, *, slow: bool) -> float | None:
    """How long it took until the blob was there; None: it didn't turn up in the time a registry takes for it. `slow`: the edge
    had waited for long, so that it is the registry that takes its time. Raises InterruptedPushError."""
    patience = min(target.commit_seconds, _PATIENCE + (blob.size / _COMMIT_RATE if slow else 0.0))
    waited, number = 0.0, 0
    while waited < patience:
        pause = min(_POLLS[min(number, len(_POLLS) - 1)], patience - waited)
        target.client.patience.sleep(pause)
        waited += pause
        number += 1
        if target.holds(blob):
            return waited
    return None
