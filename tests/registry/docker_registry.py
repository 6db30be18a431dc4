"""The real docker-registry on loopback, in each way it lets users in: anonymous, htpasswd, token, TLS."""

import base64
import contextlib
import datetime
import ipaddress
import json
import re
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

USER, PASSWORD = "robot@example.com", "correct-horse-battery-9f2c"

needs_docker_registry = pytest.mark.skipif(
    shutil.which("docker-registry") is None, reason="docker-registry is not installed (Debian: apt install docker-registry)"
)
needs_htpasswd = pytest.mark.skipif(
    shutil.which("htpasswd") is None, reason="htpasswd is not installed (Debian: apt install apache2-utils)"
)


@dataclass(frozen=True)
class Served:
    """A running registry: `HOST:PORT`."""

    address: str
    ca_file: Path | None = None
    tokens: "TokenService | None" = None


@contextlib.contextmanager
def docker_registry(folder: Path, *, auth: dict[str, object] | None = None, tls: "KeyPair | None" = None) -> Iterator[Served]:
    """Serves until the context ends; the storage is below `folder`."""
    settings: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "info", "formatter": "text"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
        "http": {"addr": "127.0.0.1:0"},
        "validation": {"manifests": {"urls": {"allow": ["^https://"]}}},  # for foreign layers
    }
    if auth:
        settings["auth"] = auth
    if tls:
        settings["http"] = {"addr": "127.0.0.1:0", "tls": {"certificate": str(tls.certificate), "key": str(tls.key)}}
    config = folder / "config.yml"
    config.write_text(json.dumps(settings))  # YAML takes JSON
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    try:
        yield Served(f"127.0.0.1:{_port(folder / 'log', process)}", tls.certificate if tls else None)
    finally:
        process.terminate()
        process.wait(10)


def _port(log: Path, process: "subprocess.Popen[bytes]") -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        match = re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text())
        if match:
            return int(match[1])
        time.sleep(0.02)
    raise RuntimeError(f"docker-registry didn't start: {log.read_text()[-500:]}")


def htpasswd(folder: Path) -> dict[str, object]:
    """The `auth` section for USER and PASSWORD."""
    made = subprocess.run(["htpasswd", "-Bbn", USER, PASSWORD], capture_output=True, check=True)
    (folder / "htpasswd").write_bytes(made.stdout)
    return {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}


@dataclass(frozen=True)
class KeyPair:
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """For a server that shows this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def new_key_pair(folder: Path, name: str = "server", address: str = "127.0.0.1") -> KeyPair:
    """A self-signed certificate for an address, localhost and registry.example."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.DNSName("registry.example"), x509.IPAddress(ipaddress.ip_address(address))]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pair = KeyPair(folder / f"{name}.crt", folder / f"{name}.key")
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    return pair


@dataclass
class TokenService:
    """Signs tokens as docker-registry's `auth: token` wants them: RS256, the certificate in `x5c`."""

    pair: KeyPair
    life: int = 60
    """Seconds."""
    claimed_life: int | None = None
    """What it tells the client, if something else."""
    refresh_token: str = ""
    issued: list[list[str]] = field(default_factory=list)
    """The scopes of each token."""
    address: str = ""

    def token(self, scopes: list[str]) -> str:
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        pem = self.pair.certificate.read_text()
        chain = [pem.replace("-----BEGIN CERTIFICATE-----", "").replace("-----END CERTIFICATE-----", "").replace("\n", "")]
        now = int(time.time())
        claims = {"iss": "issuer", "sub": USER, "aud": "service", "exp": now + self.life, "nbf": now - 10, "iat": now}
        signed = ".".join(_packed(part) for part in ({"typ": "JWT", "alg": "RS256", "x5c": chain}, {**claims, "access": access}))
        key = serialization.load_pem_private_key(self.pair.key.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        self.issued.append(scopes)
        return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    def auth(self) -> dict[str, object]:
        """The registry's `auth` section."""
        return {
            "token": {
                "realm": f"http://{self.address}/token",
                "service": "service",
                "issuer": "issuer",
                "rootcertbundle": str(self.pair.certificate),
            }
        }


def _packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@contextlib.contextmanager
def token_service(
    pair: KeyPair, life: int = 60, claimed_life: int | None = None, refresh_token: str = ""
) -> Iterator[TokenService]:
    """Serves `/token` on loopback: GET with Basic, and POST when there is a refresh token."""
    service = TokenService(pair, life, claimed_life, refresh_token)
    expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.headers.get("Authorization") != expected:
                self._answer(401, {"details": "incorrect username or password"})
                return
            self._token(parse_qs(urlsplit(self.path).query).get("scope", []))

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            if not service.refresh_token or form.get("refresh_token") != [service.refresh_token]:
                self._answer(404, {})
                return
            self._token([scope for text in form.get("scope", []) for scope in text.split()])

        def _token(self, scopes: list[str]) -> None:
            life = service.life if service.claimed_life is None else service.claimed_life
            self._answer(200, {"token": service.token(scopes), "expires_in": life})

        def _answer(self, status: int, value: object) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
