"""Clients for the registries that a command speaks to, made of its connection options and the environment."""

import os
import sys
from collections.abc import Callable, Sequence

import click

from layerkit.cli.options import Connection
from layerkit.errors import UsageError
from layerkit.image.blob import Blob
from layerkit.image.digest import Digest
from layerkit.image.reference import Reference, parse_reference
from layerkit.progress import Progress
from layerkit.pusher.existing import known_layers
from layerkit.registry.client import RegistryClient, connect
from layerkit.rewrite.options import Known

Connect = Callable[[str], RegistryClient]
"""Makes a client of a registry, by its HOST[:PORT]."""


def connector(connection: Connection, progress: Progress) -> Connect:
    """What makes a client of a registry. The password is read from standard input once, when the first is made."""
    password: list[str] = []

    def client_of(registry: str) -> RegistryClient:
        if connection.username and not password:
            password.append(read_password(connection))
        return connect(
            registry,
            environment=os.environ,
            username=connection.username,
            password=password[0] if password else None,
            authfile=connection.authfile,
            ca_file=connection.ca_file,
            plain_http=connection.plain_http,
            progress=progress,
        )

    return client_of


def read_password(connection: Connection) -> str:
    """From standard input, or from the terminal without showing it. Raises UsageError when there is neither."""
    if connection.password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise UsageError("--password-stdin: standard input is empty; expected the password or token on its first line")
        return password
    if not sys.stdin.isatty():
        raise UsageError(f"--username {connection.username}: pass the password with --password-stdin")
    return str(click.prompt("Password", hide_input=True, err=True))


def target_of(text: str) -> Reference:
    """REFERENCE; `docker://`, which IMAGE has there, may stand before it. Raises UsageError."""
    return parse_reference(text.removeprefix("docker://"))


def reuse(client: RegistryClient, target: Reference, others: Sequence[str]) -> tuple[dict[Digest, Known], tuple[str, ...]]:
    """What needn't be sent: layers of the tag that is being replaced and of `others`, by diff_id; and the repositories that blobs
    may be mounted from. Raises UsageError for an image in another registry."""
    known: dict[Digest, Known] = {}
    repositories: list[str] = []
    for reference in (target, *map(target_of, others)):
        if reference.registry != target.registry:
            raise UsageError(f"--reuse-from {reference}: only images in {target.registry} can lend their layers")
        for diff_id, layer in known_layers(client, reference).items():
            content = client.blob_content(reference.repository, layer.digest, layer.size)
            known.setdefault(diff_id, Known(layer, Blob(layer.digest, content)))
        if reference.repository not in (target.repository, *repositories):
            repositories.append(reference.repository)
    return known, tuple(repositories)
