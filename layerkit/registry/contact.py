"""The first request to a registry: is there one, does it speak https or http, how does it authorise?

https is spoken everywhere, http only when the user says so, or on loopback where https isn't spoken at all. A certificate that
isn't trusted is never a reason to do without TLS. What answers 200 with an HTML page is a captive portal or a web site.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from layerkit.errors import BrokenConnectionError, CertificateError, NotARegistryError
from layerkit.progress import SILENT, Progress
from layerkit.registry.answers import Answer
from layerkit.registry.proxies import ProxySettings, is_loopback
from layerkit.registry.retry import RETRIED, Clock, PassingError, Patience, RetryPolicy, parse_retry_after, retrying
from layerkit.registry.tls import Trust
from layerkit.registry.transport import Timeouts, without_query

_TRIES = 3
"""Before a registry that never answered counts as unreachable: more would only delay the news of a mistyped name."""

Send = Callable[[str, str], Answer]
"""Method and URL: one request."""


@dataclass(frozen=True)
class ConnectionOptions:
    """How a registry is reached."""

    proxies: ProxySettings = field(default_factory=ProxySettings)
    trust: Trust = field(default_factory=Trust)
    plain_http: bool = False
    """Speak http instead of https. On loopback http is tried by itself where https isn't spoken."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=Clock)
    progress: Progress = SILENT
    login: str = ""
    """Which user name and which token the registry takes, for whoever isn't let in."""


def first_contact(registry: str, host: str, send: Send, *, plain_http: bool, patience: Patience) -> tuple[str, Answer]:
    """The base URL, and what `/v2/` answers: 200, or 401 or 403 with challenges. Raises NotARegistryError, CertificateError,
    UnknownHostError, UnreachableError."""

    def ask() -> tuple[str, Answer]:
        base, answer = _first_answer(host, send, plain_http)
        if answer.status in RETRIED:
            raise PassingError(answer.reason(), parse_retry_after(answer.headers.get("retry-after"), patience.clock.now()))
        return base, answer

    policy = replace(patience.policy, attempts=_TRIES)
    base, answer = retrying(replace(patience, policy=policy), f"connecting to {registry}", ask)
    if answer.status not in (200, 401, 403) or (answer.status == 200 and answer.is_html):
        raise not_a_registry(registry, answer)
    return base, answer


def not_a_registry(registry: str, answer: Answer, secrets: Iterable[str] = ()) -> NotARegistryError:
    """The error for an answer that no registry gives. `secrets` are not quoted."""
    return NotARegistryError(
        f"{registry}: not a registry: {without_query(answer.url)} answered {answer.reason(secrets)}; expected the registry "
        "protocol (is there a login page or a proxy in between?)"
    )


def _first_answer(host: str, send: Send, plain_http: bool) -> tuple[str, Answer]:
    plain, secure = f"http://{host}/", f"https://{host}/"
    if plain_http:
        return plain, send("GET", plain + "v2/")
    loopback = is_loopback(urlsplit(secure).hostname or "")
    try:
        return secure, send("GET", secure + "v2/")
    except CertificateError as error:
        if not loopback or error.untrusted:
            raise
    except BrokenConnectionError as error:
        if not loopback or error.timed_out or not error.connected:
            raise
    return plain, send("GET", plain + "v2/")
