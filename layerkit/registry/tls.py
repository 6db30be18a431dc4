"""Whom to trust: the system's certificate authorities, `--ca-file`, and the `certs.d` folders of docker and podman.

`certs.d/HOST[:PORT]/*.crt` are further authorities for that registry; `NAME.cert` with `NAME.key` is a client certificate
(docker's and podman's documentation of certs.d). Certificates are always verified.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from layerkit.errors import UsageError


@dataclass(frozen=True)
class Trust:
    ca_file: Path | None = None
    """PEM: authorities trusted besides the system's."""
    certs_d: tuple[Path, ...] = ()
    """Folders that hold a folder per registry; the first that has one for the registry is used."""

    def context(self, authority: str) -> ssl.SSLContext:
        """For connections to `HOST[:PORT]`. Raises UsageError when a file that should hold certificates doesn't."""
        context = ssl.create_default_context()
        if self.ca_file is not None:
            _load(context, self.ca_file, "--ca-file")
        folder = self._folder(authority)
        if folder is None:
            return context
        for file in sorted(folder.glob("*.crt")):
            _load(context, file, "certs.d")
        for certificate in sorted(folder.glob("*.cert")):
            key = certificate.with_suffix(".key")
            if not key.is_file():
                raise UsageError(f"{certificate}: the client certificate's key {key.name} is not beside it")
            try:
                context.load_cert_chain(certificate, key, password=_no_password(key))
            except (ssl.SSLError, OSError) as error:
                raise UsageError(f"{certificate}: not a client certificate with its key ({_why(error)})") from None
        return context

    def _folder(self, authority: str) -> Path | None:
        host, _, port = authority.rpartition(":")
        names = [authority] if port != "443" or not host else [authority, host]
        return next((path / name for path in self.certs_d for name in names if (path / name).is_dir()), None)


def trust_from(environment: Mapping[str, str], home: Path, ca_file: Path | None = None) -> Trust:
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    folders = (config / "containers", Path("/etc/containers"), Path("/etc/docker"))
    return Trust(ca_file, tuple(folder / "certs.d" for folder in folders))


def _load(context: ssl.SSLContext, file: Path, option: str) -> None:
    try:
        context.load_verify_locations(cafile=file)
    except (ssl.SSLError, OSError) as error:
        raise UsageError(f"{option} {file}: expected certificates in PEM form ({_why(error)})") from None


def _no_password(key: Path) -> Callable[[], str]:
    def refuse() -> str:
        raise UsageError(f"{key}: the key is encrypted; layerkit can't ask for its password")

    return refuse


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).strip()
