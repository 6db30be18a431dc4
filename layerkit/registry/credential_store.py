"""Login and logout: where docker keeps credentials, or the file that `--authfile` names.

A helper that the file names for the registry (credHelpers) or for all (credsStore) keeps them; otherwise the file itself does,
readable by its owner only. Everything else in the file stays as it is, and it is replaced at once, never half written.
"""

import base64
import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layerkit.errors import OutputError
from layerkit.registry.credential_helpers import Helper
from layerkit.registry.credential_keys import canonical, helper_key, spellings
from layerkit.registry.credentials import Credentials, Kind, docker_config, read_auth_file


@dataclass(frozen=True)
class CredentialStore:
    path: Path
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str], home: Path, authfile: Path | None = None) -> "CredentialStore":
        return cls(authfile or docker_config(environment, home), environment)

    def store(self, registry: str, credentials: Credentials) -> str:
        """Where they are now. Raises HelperError, UsageError for a file that isn't JSON, OutputError."""
        fields = self._read()
        helper = self._helper(fields, registry)
        if helper is not None:
            helper.store(helper_key(registry), credentials.username, credentials.secret)
            return helper.program
        if credentials.kind is Kind.IDENTITY_TOKEN:
            entry = {"identitytoken": credentials.secret}
        else:
            pair = f"{credentials.username}:{credentials.secret}"
            entry = {"auth": base64.b64encode(pair.encode("utf-8", "surrogateescape")).decode()}
        auths = self._without(fields, registry)
        auths[helper_key(registry)] = entry
        self._write({**fields, "auths": auths})
        return str(self.path)

    def erase(self, registry: str) -> list[str]:
        """Where there were any; they are gone."""
        fields = self._read()
        gone = []
        helper = self._helper(fields, registry)
        auths = self._without(fields, registry)
        keys = dict.fromkeys([helper_key(registry), *(key for key in _entries(fields, "auths") if key not in auths)])
        erased = [key for key in keys if helper.erase(key)] if helper is not None else []
        if helper is not None and erased:
            gone.append(helper.program)
        if auths != fields.get("auths", {}):
            self._write({**fields, "auths": auths})
            gone.append(str(self.path))
        return gone

    def _read(self) -> dict[str, Any]:
        return dict(read_auth_file(self.path).fields) if self.path.exists() else {}

    def _helper(self, fields: Mapping[str, Any], registry: str) -> Helper | None:
        helpers = _entries(fields, "credHelpers")
        names = [*(helpers[key] for key in spellings(helpers, canonical(registry), registry)), fields.get("credsStore")]
        name = next((name for name in names if isinstance(name, str) and name), None)
        return Helper(name, self.environment) if name else None

    def _without(self, fields: Mapping[str, Any], registry: str) -> dict[str, Any]:
        """The entries of `auths` but for the registry's own, however its key is spelt."""
        own = canonical(registry)
        return {key: value for key, value in _entries(fields, "auths").items() if canonical(key) != own}

    def _write(self, fields: Mapping[str, Any]) -> None:
        path = Path(os.path.realpath(self.path))  # a link to the file stays one
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                    json.dump(fields, file, indent="\t", ensure_ascii=False)
                Path(temporary).replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(temporary).unlink()
                raise
        except OSError as error:
            raise OutputError(f"{path}: the login can't be stored ({error.strerror})") from None


def _entries(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = fields.get(name)
    return found if isinstance(found, dict) else {}
