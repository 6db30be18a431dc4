"""Which proxy a request goes through: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, as Go's programs read them.

NO_PROXY holds host names, `.suffixes`, addresses, address ranges (`10.0.0.0/8`) and `*`, each optionally with a port. Python's
own reading has no ranges, so docker would go around a proxy that layerkit doesn't. Loopback is never proxied.
"""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from layerkit.errors import UsageError
from layerkit.image.foreign import natural, web_address

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Proxy:
    """A proxy's address without its user name and password; those are in `authorisation`, a header's value."""

    url: str
    authorisation: str = ""

    def __repr__(self) -> str:
        return f"Proxy({self.url!r})"


@dataclass(frozen=True)
class ProxySettings:
    http: Proxy | None = None
    https: Proxy | None = None
    no_proxy: tuple[str, ...] = ()

    def proxy_for(self, url: str) -> Proxy | None:
        """The proxy of a URL, None for the direct way."""
        parts = urlsplit(url)
        proxy = self.https if parts.scheme == "https" else self.http
        if proxy is None or not parts.hostname:
            return None
        port = parts.port or _PORTS.get(parts.scheme, 0)
        return None if self._exempt(parts.hostname.lower().rstrip("."), port) else proxy

    def _exempt(self, host: str, port: int) -> bool:
        address = _address(host)
        if is_loopback(host):
            return True
        return any(_matches(rule, host, port, address) for rule in self.no_proxy)


def is_loopback(host: str) -> bool:
    """`localhost`, its subdomains (RFC 6761, 6.3) and loopback addresses."""
    host = host.lower().rstrip(".")
    address = _address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def proxies_from(environment: Mapping[str, str]) -> ProxySettings:
    """Lower-case variables win, as with curl. HTTP_PROXY is ignored in a CGI program, where a request could set it."""

    def variable(name: str) -> str:
        return environment.get(name.lower()) or environment.get(name) or ""

    http = environment.get("http_proxy") or ("" if "REQUEST_METHOD" in environment else environment.get("HTTP_PROXY", ""))
    general = variable("ALL_PROXY")
    exempt = variable("NO_PROXY").replace(",", " ").split()
    return ProxySettings(
        _proxy(http or general, "HTTP_PROXY"), _proxy(variable("HTTPS_PROXY") or general, "HTTPS_PROXY"), tuple(exempt)
    )


def _proxy(value: str, variable: str) -> Proxy | None:
    if not value:
        return None
    parts = web_address(value if "://" in value else f"http://{value}")
    if parts is None or not parts.hostname:
        raise UsageError(f"{variable}: expected http://HOST:PORT or https://HOST:PORT, found another kind of address")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    authorisation = ""
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorisation = "Basic " + base64.b64encode(login.encode("utf-8", "surrogateescape")).decode()
    return Proxy(f"{parts.scheme}://{host}:{parts.port or _PORTS[parts.scheme]}", authorisation)


def _matches(rule: str, host: str, port: int, address: "ipaddress.IPv4Address | ipaddress.IPv6Address | None") -> bool:
    rule = rule.lower()
    if rule == "*":
        return True
    if "/" in rule:
        try:
            return address is not None and address in ipaddress.ip_network(rule, strict=False)
        except ValueError:
            return False
    name, wanted = _split_port(rule)
    if wanted is not None and wanted != port:
        return False
    if (exact := _address(name)) is not None:
        return address == exact
    if name.startswith("*."):
        name = name[1:]
    if name.startswith("."):
        return host.endswith(name)
    return host == name or host.endswith(f".{name}")


def _split_port(rule: str) -> tuple[str, int | None]:
    """`host:port`; an IPv6 address needs brackets to have one."""
    if rule.startswith("["):
        name, _, rest = rule[1:].partition("]")
        return name, natural(rest[1:])
    name, colon, port = rule.rpartition(":")
    if colon and ":" not in name and (number := natural(port)) is not None:
        return name, number
    return rule, None


def _address(host: str) -> "ipaddress.IPv4Address | ipaddress.IPv6Address | None":
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
