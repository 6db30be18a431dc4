"""A blob that another repository of the registry has, linked from there (distribution-spec, "Mounting a blob from another
repository"): one request, and no bytes."""

import contextlib
from dataclasses import replace

from layerkit.errors import LayerkitError, RefusedError
from layerkit.image.blob import Blob
from layerkit.image.digest import short
from layerkit.pusher.target import Target
from layerkit.registry.answers import Answer
from layerkit.registry.retry import RETRIED, retrying


def link(target: Target, blob: Blob, origin: str) -> bool:
    """False: the registry doesn't, for whatever reason; the blob has to be sent. Raises UnreachableError,
    InterruptedPushError."""
    scope = replace(target, mount_from=(origin,)).scope
    client = target.client

    def ask() -> Answer:
        answer = client.begin_upload(target.repository, scope, blob.digest, origin)
        if answer.status in RETRIED:
            raise client.passing(answer)
        return answer

    try:
        answer = retrying(client.patience, f"linking {short(blob.digest)} from {origin}", ask)
    except RefusedError:
        return False  # no right to read the other one, for instance
    if answer.status == 201:
        return answer.headers.get("docker-content-digest", blob.digest) == blob.digest
    location = client.location(answer) if answer.status == 202 else None
    if location is not None:
        with contextlib.suppress(LayerkitError):  # a courtesy: registries forget uploads by themselves
            client.attempt("DELETE", location, scope=target.scope)
    return False
