"""Programs that keep credentials: `docker-credential-NAME get|store|erase` (docker/docker-credential-helpers).

They speak JSON on standard input and output; secrets are never arguments. What a helper prints on failure isn't quoted beyond
its first line, and never when it might hold a secret (`get`, `store`).
"""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from layerkit.errors import HelperError
from layerkit.image.foreign import ForeignError, read_json

_TIMEOUT = 120
"""Seconds: a helper may ask the user to unlock a key ring."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OFFERED_BY = {
    "ecr-login": "amazon-ecr-credential-helper",
    "gcloud": "the Google Cloud CLI",
    "gcr": "docker-credential-gcr",
    "acr-env": "docker-credential-acr-env",
    "acr-login": "docker-credential-acr-login",
    "desktop": "Docker Desktop",
    "osxkeychain": "docker-credential-helpers",
    "pass": "docker-credential-helpers",
    "secretservice": "docker-credential-helpers",
}
"""Where the helpers come from that registries' operators and docker name."""

_NOT_FOUND = ("credentials not found", "no credentials", "not found in native keychain")


@dataclass(frozen=True)
class Helper:
    name: str
    environment: Mapping[str, str] = field(repr=False)

    @property
    def program(self) -> str:
        return f"docker-credential-{self.name}"

    def get(self, key: str) -> tuple[str, str] | None:
        """User name and secret for a registry; None when the helper has none."""
        code, output = self._run("get", key)
        if code:
            if any(words in output.lower() for words in _NOT_FOUND):
                return None
            raise HelperError(f"{self.program} get failed with exit code {code}")
        try:
            found = read_json(output.encode())
            username, secret = found["Username"], found["Secret"]
        except (ForeignError, KeyError, TypeError):
            raise HelperError(f"{self.program} get: expected JSON with Username and Secret, found something else") from None
        if not isinstance(username, str) or not isinstance(secret, str) or not secret:
            return None
        return username, secret

    def store(self, key: str, username: str, secret: str) -> None:
        code, _ = self._run("store", json.dumps({"ServerURL": key, "Username": username, "Secret": secret}))
        if code:
            raise HelperError(f"{self.program} store failed with exit code {code}; nothing was stored")

    def erase(self, key: str) -> bool:
        """False when there was nothing to erase."""
        code, output = self._run("erase", key)
        if code and not any(words in output.lower() for words in _NOT_FOUND):
            raise HelperError(f"{self.program} erase failed with exit code {code}")
        return not code

    def _run(self, action: str, text: str) -> tuple[int, str]:
        if not _NAME.fullmatch(self.name):
            raise HelperError(f"credential helper {self.name!r}: not the name of a program")
        program = shutil.which(self.program, path=self.environment.get("PATH"))
        if program is None:
            source = _OFFERED_BY.get(self.name)
            raise HelperError(f"{self.program} is not on the PATH" + (f" (it is part of {source})" if source else ""))
        try:
            done = subprocess.run(
                [program, action],
                input=text.encode(),
                capture_output=True,
                timeout=_TIMEOUT,
                env=dict(self.environment),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise HelperError(f"{self.program} {action} didn't answer within {_TIMEOUT} s") from None
        except OSError as error:
            raise HelperError(f"{self.program} can't be run ({error.strerror})") from None
        return done.returncode, (done.stdout + (done.stderr if done.returncode else b"")).decode("utf-8", "replace")
