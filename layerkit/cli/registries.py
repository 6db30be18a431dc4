"""Clients for the registries that a command speaks to, made of its connection options and the environment."""

import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from layerkit.cli.options import Connection
from layerkit.errors import UsageError
from layerkit.image.reference import Reference, host_of, parse_reference
from layerkit.profiles import load_profiles
from layerkit.progress import Progress
from layerkit.state import State

if TYPE_CHECKING:
    from layerkit.registry.client import RegistryClient

Connect = Callable[[str], "RegistryClient"]
"""Makes a client of a registry, by its HOST[:PORT]."""


def connector(connection: Connection, progress: Progress) -> Connect:
    """What makes a client of a registry, in any thread. The password is read from standard input once, when the first is made."""
    password: list[str] = []
    lock = threading.Lock()

    def client_of(registry: str) -> "RegistryClient":
        from layerkit.registry.client import connect  # an image in a file needn't wait for what speaks HTTP

        with lock:
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
            login=login_of(registry),
        )

    return client_of


def remembered(progress: Progress) -> State:
    """What earlier runs left for this one."""
    return State.of(os.environ, progress.note)


def login_of(registry: str) -> str:
    """Which user name and which token it takes, as far as its profile knows."""
    profile = load_profiles(os.environ).for_host(host_of(registry))
    return profile.login if profile.name != "generic" else ""


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
