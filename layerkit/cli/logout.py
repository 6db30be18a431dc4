"""`layerkit logout [REGISTRY]`: forgets the credentials that docker's configuration keeps."""

import os
from pathlib import Path

import click

from layerkit.cli.login import DEFAULT_REGISTRY, registry_name
from layerkit.cli.options import verbosity
from layerkit.progress import Progress
from layerkit.registry.credential_store import CredentialStore
from layerkit.registry.credentials import FileCredentials, home_of


@click.command()
@click.argument("registry", default=DEFAULT_REGISTRY)
@click.option(
    "--authfile",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Forget those in FILE, as podman stores them.",
)
@verbosity
def command(registry: str, authfile: Path | None, progress: Progress) -> None:
    """Forget the credentials for REGISTRY (registry.replicated.com unless given)."""
    host = registry_name(registry)
    home = home_of(os.environ)
    gone = CredentialStore.of(os.environ, home, authfile).erase(host)
    progress.note(f"logged out of {host} ({', '.join(gone)})" if gone else f"not logged in to {host}")
    if authfile is None or authfile.exists():
        left = FileCredentials(os.environ, home, authfile).lookup(host)
        if left.credentials is not None:
            progress.warn(f"{left.origin} still has credentials for {host}; log out where they came from")
