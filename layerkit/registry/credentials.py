"""Who the user is, at which registry: docker's and podman's files, and their helpers.

In: the environment as a mapping, the home folder. Out: `Credentials`, and where they came from. The order:

    1. what the command line gave (`Given`)
    2. `--authfile`, and then nothing else; without it:
       DOCKER_AUTH_CONFIG (the JSON itself), REGISTRY_AUTH_FILE,
       $XDG_RUNTIME_DIR/containers/auth.json, $XDG_CONFIG_HOME/containers/auth.json,
       $DOCKER_CONFIG/config.json or ~/.docker/config.json

Within a file credHelpers beat credsStore beat auths. Keys may be `host/namespace`: the longest that fits the repository wins
(containers-auth.json(5)); each may be spelt in many ways (`credential_keys.py`). A file that can't be read is passed over.
"""

import base64
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from layerkit.errors import HelperError, UsageError
from layerkit.image.foreign import ForeignError, read_json
from layerkit.registry.credential_helpers import Helper
from layerkit.registry.credential_keys import candidate_keys, canonical, helper_key, spellings

IDENTITY_TOKEN_USER = "<token>"  # noqa: S105 - the user name by which helpers mark an identity token, no secret


class Kind(Enum):
    PASSWORD = "password"  # noqa: S105 - a name, no secret
    IDENTITY_TOKEN = "identity token"  # noqa: S105 - as above
    """Exchanged for bearer tokens by POST (OAuth 2 refresh token)."""
    BEARER_TOKEN = "bearer token"  # noqa: S105 - as above
    """Sent as it is (`registrytoken`)."""


@dataclass(frozen=True)
class Credentials:
    username: str
    secret: str = field(repr=False)
    kind: Kind = Kind.PASSWORD

    @classmethod
    def of(cls, username: str, secret: str) -> "Credentials":
        """A user name of `<token>` says that the secret is an identity token."""
        return cls(username, secret, Kind.IDENTITY_TOKEN if username == IDENTITY_TOKEN_USER else Kind.PASSWORD)

    def basic(self) -> str:
        """The value of a Basic Authorization header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.secret}".encode("utf-8", "replace")).decode()


@dataclass(frozen=True)
class Lookup:
    """What was found, and where; or where was looked, for the error."""

    credentials: Credentials | None
    origin: str = ""
    """A file, a helper, `the command line`."""
    tried: tuple[str, ...] = ()
    """Where nothing was found, and which helpers failed."""


class CredentialSource(Protocol):
    def lookup(self, registry: str, repository: str = "") -> Lookup:
        """The credentials for a repository of a registry (`HOST[:PORT]`). Raises UsageError for an unreadable file."""


@dataclass(frozen=True)
class Given:
    """The same for every registry: what the command line gave."""

    credentials: Credentials | None
    origin: str = "the command line"

    def lookup(self, registry: str, repository: str = "") -> Lookup:
        return Lookup(self.credentials, self.origin)


ANONYMOUS = Given(None)


@dataclass(frozen=True)
class AuthFile:
    """A docker config.json or a containers auth.json, as JSON."""

    origin: str
    fields: Mapping[str, Any] = field(repr=False)

    def lookup(self, registry: str, repository: str, environment: Mapping[str, str]) -> Lookup:
        problems: list[str] = []
        for name, keys in self._helpers(registry, repository):
            helper = Helper(name, environment)
            try:
                found = next(filter(None, map(helper.get, keys)), None)
            except HelperError as error:
                problems.append(f"{self.origin}: {error}")
                continue
            if found is not None:
                return Lookup(Credentials.of(*found), f"{helper.program} ({self.origin})")
        entries = _mapping(self.fields.get("auths"))
        for wanted in candidate_keys(registry, repository):
            for key in spellings(entries, wanted, registry):
                credentials = _decode(entries[key], f"{self.origin}: auths[{key!r}]")
                if credentials is not None:
                    return Lookup(credentials, self.origin)
        return Lookup(None, "", (*problems, self.origin))

    def _helpers(self, registry: str, repository: str) -> Iterator[tuple[str, list[str]]]:
        """Helper names, and the keys to ask each for: what docker asks, then what stands in the file, where docker leaves an
        empty entry for what it stored under the spelling that the user typed."""
        helpers, auths = _mapping(self.fields.get("credHelpers")), _mapping(self.fields.get("auths"))
        for wanted in candidate_keys(registry, repository):
            for key in spellings(helpers, wanted, registry):
                name = helpers[key]
                if isinstance(name, str) and name:
                    first = wanted if "/" in wanted else helper_key(registry)
                    yield name, _once(first, key, *spellings(auths, wanted, registry))
                    return
        store = self.fields.get("credsStore")
        if isinstance(store, str) and store:
            yield store, _once(helper_key(registry), *spellings(auths, canonical(registry), registry))


@dataclass(frozen=True)
class FileCredentials:
    """The files of the order above. They are read anew at each lookup: a login in another terminal counts at once."""

    environment: Mapping[str, str] = field(repr=False)
    home: Path
    authfile: Path | None = None
    note: Callable[[str], None] = field(default=lambda text: None, repr=False)
    """Told once of each file that is passed over."""
    _passed: set[Path] = field(default_factory=set, repr=False)

    def lookup(self, registry: str, repository: str = "") -> Lookup:
        tried: tuple[str, ...] = ()
        for file in self._files():
            found = file.lookup(registry, repository, self.environment)
            if found.credentials is not None:
                return found
            tried += found.tried
        return Lookup(None, "", (*tried, *(f"{path}, which can't be read" for path in sorted(self._passed))))

    def _files(self) -> Iterator[AuthFile]:
        if self.authfile is not None:
            if not self.authfile.is_file():
                raise UsageError(f"--authfile {self.authfile}: no such file")
            yield read_auth_file(self.authfile)
            return
        if inline := self.environment.get("DOCKER_AUTH_CONFIG"):
            yield parse_auth_file(inline.encode("utf-8", "surrogateescape"), "DOCKER_AUTH_CONFIG")
        for path in self._paths():
            data = self._read(path)
            if data is not None:
                yield parse_auth_file(data, str(path))

    def _read(self, path: Path) -> bytes | None:
        """None for a file that isn't there, or can't be read: those of another user are none of ours (/run/containers)."""
        try:
            return path.read_bytes() if stat.S_ISREG(path.stat().st_mode) else None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if path not in self._passed:
                self._passed.add(path)
                self.note(f"{path}: can't be read ({error.strerror}), passed over")
            return None

    def _paths(self) -> Iterator[Path]:
        if given := self.environment.get("REGISTRY_AUTH_FILE"):
            yield Path(given)
        # podman's default where there is no XDG_RUNTIME_DIR (containers-auth.json(5)): cron, CI, plain root shells
        runtime = self.environment.get("XDG_RUNTIME_DIR") or f"/run/containers/{os.getuid()}"
        yield Path(runtime, "containers", "auth.json") if "XDG_RUNTIME_DIR" in self.environment else Path(runtime, "auth.json")
        yield Path(self.environment.get("XDG_CONFIG_HOME") or self.home / ".config", "containers", "auth.json")
        yield docker_config(self.environment, self.home)


def home_of(environment: Mapping[str, str]) -> Path:
    """The user's home folder: HOME, or what the system says; `/` for a user it doesn't know (a container with a random user)."""
    try:
        return Path(environment.get("HOME") or Path.home())
    except RuntimeError:
        return Path("/")


def docker_config(environment: Mapping[str, str], home: Path) -> Path:
    return Path(environment.get("DOCKER_CONFIG") or home / ".docker", "config.json")


def read_auth_file(path: Path) -> AuthFile:
    """Raises UsageError when it can't be read or isn't JSON; the message never quotes its contents."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: can't be read ({error.strerror})") from None
    return parse_auth_file(data, str(path))


def parse_auth_file(data: bytes, origin: str) -> AuthFile:
    try:
        fields = read_json(data) if data.strip() else {}
    except ForeignError as error:  # its own words quote the file
        line = f", line {error.line}" if error.line else ""
        raise UsageError(f"{origin}{line}: expected JSON as docker login or podman login write it") from None
    if not isinstance(fields, dict):
        raise UsageError(f"{origin}: expected a JSON object as docker login or podman login write it")
    return AuthFile(origin, fields)


def _once(*keys: str) -> list[str]:
    """In their order, none twice."""
    return list(dict.fromkeys(keys))


def _decode(entry: object, where: str) -> Credentials | None:
    """An entry of `auths`; an empty one (docker leaves them for its helpers) counts as none."""
    if not isinstance(entry, dict):
        return None
    if token := _text(entry.get("registrytoken")):
        if not token.isascii() or not token.isprintable():  # RFC 6750, 2.1: it goes into a header as it is
            raise UsageError(f"{where}: expected a registrytoken of printable ASCII characters; log in again")
        return Credentials("", token, Kind.BEARER_TOKEN)
    if token := _text(entry.get("identitytoken")):
        return Credentials(IDENTITY_TOKEN_USER, token, Kind.IDENTITY_TOKEN)
    if packed := _text(entry.get("auth")):
        try:
            username, colon, password = base64.b64decode(packed, validate=False).decode().partition(":")
        except ValueError:
            colon = ""
        if not colon:
            raise UsageError(f"{where}: expected the base64 form of USER:PASSWORD; log in again")
        return Credentials.of(username, password.rstrip("\x00"))  # old dockers pad with zero bytes
    username, password = _text(entry.get("username")), _text(entry.get("password"))
    return Credentials.of(username, password) if username and password else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
