"""Under which names a registry's credentials are kept: every spelling of one host is the same key.

docker writes what the user typed at `docker login`, and for Docker Hub an address of its first protocol; podman writes
`host/namespace`. What they read: docker/cli, cli/config/credentials (ConvertToHostname); containers/image, pkg/docker/config
(normalizeAuthFileKey, authKeysForRef). Beyond them, upper case and a default port don't matter, as they don't for HTTP.
"""

import re
from collections.abc import Iterable, Iterator

from layerkit.image.foreign import web_address

HUB_KEY = "https://index.docker.io/v1/"
"""What docker calls Docker Hub in its files and to its helpers."""

_HUB = "docker.io"
_HUB_NAMES = frozenset({_HUB, "index.docker.io", "registry-1.docker.io"})
_API = re.compile(r"v[12]")
"""The path of the registry protocol's own addresses."""

_OWN_TOKEN = re.compile(r"/v1/(?:access|refresh)-token")
"""What docker's login by browser keeps beside the credentials, and is none (docker/cli, oauth_store.go)."""


def canonical(key: str) -> str:
    """`host[:port][/namespace]`, the same for every spelling: a URL stands for its host, whose case and default port don't
    matter, and Docker Hub has one name."""
    address = web_address(key)
    if address is not None:
        host, default = address.netloc.rpartition("@")[2], {"https": ":443", "http": ":80"}[address.scheme]
        path = address.path if _OWN_TOKEN.fullmatch(address.path) else ""
    else:
        host, _, path = key.partition("/")
        default = ":443"
    host = host.lower().removesuffix(default)
    host = _HUB if host in _HUB_NAMES else host
    path = "" if _API.fullmatch(path.strip("/")) else path.strip("/")
    return f"{host}/{path}" if path else host


def candidate_keys(registry: str, repository: str) -> Iterator[str]:
    """Canonical keys, the longest first: `host/a/b/c`, `host/a/b`, `host/a`, `host`."""
    parts = [canonical(registry), *(repository.split("/") if repository else ())]
    for length in range(len(parts), 0, -1):
        yield "/".join(parts[:length])


def spellings(keys: Iterable[str], wanted: str, registry: str) -> list[str]:
    """Those of `keys` that mean the canonical `wanted`: the registry as the user spelt it first, the others in their order."""
    found = [key for key in keys if canonical(key) == wanted]
    return sorted(found, key=lambda key: key.partition("/")[0] != registry and key != helper_key(registry))


def helper_key(registry: str) -> str:
    """What docker asks a helper for."""
    return HUB_KEY if canonical(registry) == _HUB else registry
