"""`layerkit login [REGISTRY]`: checks credentials with the registry, then stores them where docker does."""

import os
import sys
from dataclasses import replace

import click

from layerkit.cli.options import Connection, connection_options, verbosity
from layerkit.cli.registries import read_password
from layerkit.errors import UnauthorisedError, UsageError
from layerkit.image.reference import parse_reference
from layerkit.profiles import REPLICATED
from layerkit.progress import Progress
from layerkit.registry import connect
from layerkit.registry.credential_store import CredentialStore
from layerkit.registry.credentials import Credentials, FileCredentials, home_of

DEFAULT_REGISTRY = REPLICATED.hosts[0]

KINDS = f"""\
{DEFAULT_REGISTRY} takes one of these:
  - your e-mail address, and a user token (recommended)
  - any user name, and the token of a service account (for CI) or of a team
  - your e-mail address, and your password"""


@click.command(epilog="\b\n" + KINDS)
@click.argument("registry", default=DEFAULT_REGISTRY)
@connection_options
@verbosity
def command(registry: str, connection: Connection, progress: Progress) -> None:
    """Log in to REGISTRY (registry.replicated.com unless given).

    The credentials are checked with the registry, then stored where docker keeps them, in its credential helper if there is one.
    The password or token is asked for, or read from standard input with --password-stdin; it is never an argument.
    """
    host = registry_name(registry)
    if host == DEFAULT_REGISTRY and sys.stdin.isatty():
        for line in KINDS.splitlines():
            progress.note(line)
    connection = replace(connection, username=connection.username or _ask_for_name())
    username = connection.username or ""
    credentials = Credentials.of(username, read_password(connection))
    client = connect(
        host,
        environment=os.environ,
        username=username,
        password=credentials.secret,
        ca_file=connection.ca_file,
        plain_http=connection.plain_http,
        progress=progress,
    )
    try:
        checked = client.check_login()
    except UnauthorisedError as error:
        hint = f". {' '.join(KINDS.split())}" if host == DEFAULT_REGISTRY else ""
        text = f"{host}: it refused user {username!r} (HTTP {error.status}); nothing was stored{hint}"
        raise UnauthorisedError(text, error.status) from None
    home = home_of(os.environ)
    where = CredentialStore.of(os.environ, home, connection.authfile).store(host, credentials)
    progress.note(f"logged in to {host} as {username}; stored in {where}")
    if not checked:
        progress.warn(f"{host} lets everybody in so far, so that the credentials couldn't be checked")
    found = FileCredentials(os.environ, home, connection.authfile).lookup(host)
    if found.credentials != credentials:
        progress.warn(f"{found.origin or 'another file'} has other credentials for {host}, and is looked at first; log out there")


def _ask_for_name() -> str:
    if not sys.stdin.isatty():
        raise UsageError("--username is missing; with it, pass the password or token with --password-stdin")
    return str(click.prompt("User name", err=True))


def registry_name(text: str) -> str:
    """`HOST[:PORT]`, also of a URL. Raises UsageError."""
    host = text.removeprefix("https://").removeprefix("http://").rstrip("/")
    try:
        if parse_reference(f"{host}/x").registry == host and "/" not in host:
            return host
    except UsageError:
        pass
    raise UsageError(f"{text!r} is not a registry; expected HOST[:PORT], for example {DEFAULT_REGISTRY}")
