"""Which way a request takes."""

import pytest

from layerkit.errors import UsageError
from layerkit.registry.proxies import is_loopback, proxies_from

PROXY = {"HTTPS_PROXY": "http://proxy.example:3128", "HTTP_PROXY": "http://plain.example"}


def way(url: str, **environment: str) -> str | None:
    proxy = proxies_from({**PROXY, **environment}).proxy_for(url)
    return proxy.url if proxy else None


@pytest.mark.parametrize(
    ("url", "no_proxy", "direct"),
    [
        ("https://registry.example/v2/", "", False),
        ("https://registry.example/v2/", "*", True),
        ("https://registry.example/v2/", "example", True),
        ("https://registry.example/v2/", "other.example, registry.example", True),
        ("https://registry.example/v2/", "other.example registry.example", True),
        ("https://registry.example/v2/", ".example", True),
        ("https://registry.example/v2/", "*.example", True),
        ("https://registry.example/v2/", ".registry.example", False),
        ("https://registry.example/v2/", "REGISTRY.example", True),
        ("https://registry.example/v2/", "gistry.example", False),
        ("https://registry.example/v2/", "registry.example:443", True),
        ("https://registry.example/v2/", "registry.example:5000", False),
        ("https://registry.example:5000/v2/", "registry.example:5000", True),
        ("https://10.1.2.3/v2/", "10.0.0.0/8", True),
        ("https://11.1.2.3/v2/", "10.0.0.0/8", False),
        ("https://10.1.2.3:5000/v2/", "10.1.2.3", True),
        ("https://10.1.2.3:5000/v2/", "10.1.2.3:443", False),
        ("https://[fd00::1]/v2/", "fd00::/8", True),
        ("https://[fd00::1]:5000/v2/", "[fd00::1]:5000", True),
        ("https://[fd00::1]/v2/", "fd00::1", True),
        ("https://registry.example/v2/", "nonsense/99", False),
        ("https://localhost:5000/v2/", "", True),
        ("https://127.0.0.1:5000/v2/", "", True),
        ("https://[::1]:5000/v2/", "", True),
    ],
)
def test_no_proxy(url: str, no_proxy: str, direct: bool) -> None:
    assert way(url, NO_PROXY=no_proxy) == (None if direct else "http://proxy.example:3128")


def test_which_variable() -> None:
    assert way("http://registry.example/v2/") == "http://plain.example:80"
    assert way("https://registry.example/v2/", https_proxy="http://lower.example:1") == "http://lower.example:1"
    assert way("https://registry.example/v2/", https_proxy="http://lower.example:1", no_proxy=".example") is None
    assert way("http://registry.example/v2/", REQUEST_METHOD="GET") is None
    assert proxies_from({}).proxy_for("https://registry.example/") is None
    general = proxies_from({"ALL_PROXY": "proxy.example:8080"}).proxy_for("https://registry.example/")
    assert general is not None
    assert general.url == "http://proxy.example:8080"


def test_a_proxy_s_password_is_kept_apart() -> None:
    settings = proxies_from({"HTTPS_PROXY": "http://user:p%40ss-secret@proxy.example:3128"})
    assert settings.https is not None
    assert settings.https.url == "http://proxy.example:3128"
    assert settings.https.authorisation == "Basic dXNlcjpwQHNzLXNlY3JldA=="
    assert "dXNlcjp" not in repr(settings)
    assert "secret" not in repr(settings)


@pytest.mark.parametrize("value", ["socks5://user:secret@proxy:1080", "http://", "http://host:notaport"])
def test_addresses_that_are_none(value: str) -> None:
    with pytest.raises(UsageError, match="HTTPS_PROXY: expected") as caught:
        proxies_from({"HTTPS_PROXY": value})
    assert "secret" not in str(caught.value)


def test_loopback() -> None:
    for host in ("localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.8.8.8", "::1", "localhost."):
        assert is_loopback(host)
    for host in ("localhost.example", "128.0.0.1", "registry", "::2"):
        assert not is_loopback(host)
