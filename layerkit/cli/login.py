"""`layerkit login [REGISTRY]`: checks credentials with the registry, then stores them where docker does."""

import os
import sys
from dataclasses import replace

import click

from layerkit.cli.options import Connection, connection_options, verbosity
from layerkit.cli.registries import read_password
from layerkit.errors import UnauthorisedError, UsageError
from layerkit.image.reference import host_of, parse_reference
from layerkit.profiles import REPLICATED, Profile, load_profiles
from layerkit.progress import Progress
from layerkit.registry import connect
from layerkit.registry.credential_store import CredentialStore
from layerkit.registry.credentials import Credentials, FileCredentials, home_of

DEFAULT_REGISTRY = REPLICATED.hosts[0]


def kinds(profile: Profile, host: str) -> str:
    """Which user name and which token `host` takes, a line for each way."""
    ways = "".join(f"\n  - {way}" for way in profile.login.split("; "))
    return f"{host} takes{ways}"


@click.command(epilog="\b\n" + kinds(REPLICATED, DEFAULT_REGISTRY) + "\n\n`layerkit profiles NAME` says it of other registries.")
@click.argument("registry", default=DEFAULT_REGISTRY)
@connection_options
@verbosity
def command(registry: str, connection: Connection, progress: Progress) -> None:
    """Log in to REGISTRY (registry.replicated.com unless given).

    The credentials are checked with the registry, then stored where docker keeps them, in its credential helper if there is one.
    The password or token is asked for, or read from standard input with --password-stdin; it is never an argument.
    """
    host = registry_name(registry)
    profile = load_profiles(os.environ).for_host(host_of(host))
    if profile.name != "generic" and sys.stdin.isatty():
        for line in kinds(profile, host).splitlines():
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
        hint = f"; it takes {profile.login}" if profile.name != "generic" else ""
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
