"""A token login as registries have it: short-lived bearer tokens for a password (distribution, "Token Authentication").

In: the Authorization header and what is asked for. Out: yes, or the challenge to answer.
"""

import base64
import binascii
import secrets
import threading
import time
from collections.abc import Callable

SERVICE = "layerkit-sandbox"


class Tokens:
    """Issues tokens and judges them. Thread-safe."""

    def __init__(self, user: str, password: str, lifetime: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`lifetime` in seconds."""
        self._basic = f"{user}:{password}"
        self.lifetime = lifetime
        self._clock = clock
        self._issued: dict[str, tuple[float, frozenset[str]]] = {}
        self._lock = threading.Lock()

    def issue(self, authorization: str | None, scopes: list[str]) -> str | None:
        """A token for `scopes` (`repository:NAME:pull,push`); None when the credentials are wrong or missing."""
        kind, _, value = (authorization or "").partition(" ")
        try:
            given = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        if kind.lower() != "basic" or not secrets.compare_digest(given.encode(), self._basic.encode()):
            return None
        token = secrets.token_urlsafe(24)
        actions = frozenset(
            f"{scope.rpartition(':')[0]}:{action}" for scope in scopes for action in scope.rpartition(":")[2].split(",")
        )
        with self._lock:
            self._issued[token] = (self._clock() + self.lifetime, actions)
        return token

    def refusal(self, authorization: str | None, needed: str | None) -> str | None:
        """None when the token allows `needed` (`repository:NAME:ACTION`; None: any valid token does); otherwise which error the
        challenge has to carry: "" for none, `invalid_token` or `insufficient_scope` (RFC 6750, 3.1)."""
        if authorization is None:
            return ""
        kind, _, token = authorization.partition(" ")
        with self._lock:
            ends, actions = self._issued.get(token, (0.0, frozenset[str]()))
        if kind.lower() != "bearer" or ends <= self._clock():
            return "invalid_token"
        return None if needed is None or needed in actions else "insufficient_scope"


def challenge(realm: str, scope: str | None, error: str) -> str:
    """The WWW-Authenticate header."""
    text = f'Bearer realm="{realm}",service="{SERVICE}"'
    if scope:
        text += f',scope="{scope}"'
    return text + (f',error="{error}"' if error else "")
