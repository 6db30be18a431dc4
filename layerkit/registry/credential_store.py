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
from layerkit.registry.credentials import (
    Credentials,
    Kind,
    candidate_keys,
    docker_config,
    helper_key,
    normal_key,
    read_auth_file,
)


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
        if helper is not None and helper.erase(helper_key(registry)):
            gone.append(helper.program)
        auths = self._without(fields, registry)
        if auths != fields.get("auths", {}):
            self._write({**fields, "auths": auths})
            gone.append(str(self.path))
        return gone

    def _read(self) -> dict[str, Any]:
        return dict(read_auth_file(self.path).fields) if self.path.exists() else {}

    def _helper(self, fields: Mapping[str, Any], registry: str) -> Helper | None:
        helpers = fields.get("credHelpers")
        by_key = {normal_key(key): name for key, name in helpers.items()} if isinstance(helpers, dict) else {}
        names = [by_key.get(key) for key in candidate_keys(registry, "")] + [fields.get("credsStore")]
        name = next((name for name in names if isinstance(name, str) and name), None)
        return Helper(name, self.environment) if name else None

    def _without(self, fields: Mapping[str, Any], registry: str) -> dict[str, Any]:
        """The entries of `auths` but for the registry's own, however its key is spelt."""
        keys = set(candidate_keys(registry, ""))
        auths = fields.get("auths")
        return {key: value for key, value in (auths if isinstance(auths, dict) else {}).items() if normal_key(key) not in keys}

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
