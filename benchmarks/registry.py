"""The real docker-registry on loopback: a new one, with empty storage, for each run."""

import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks.contest import Outcome
from benchmarks.measuring import FailedError

_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


@contextlib.contextmanager
def docker_registry(folder: Path) -> Iterator[str]:
    """HOST:PORT while the context lasts; blobs are stored below `folder`. Raises FailedError when it doesn't start."""
    settings = {
        "version": 0.1,
        "log": {"level": "info", "formatter": "text", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
        "http": {"addr": "127.0.0.1:0"},
    }
    config = folder / "config.yml"
    config.write_text(json.dumps(settings))  # YAML takes JSON
    with (folder / "log").open("wb") as log:
        try:
            process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
        except OSError as error:
            raise FailedError(f"docker-registry: {error.strerror} (Debian: apt install docker-registry)") from None
    try:
        yield f"127.0.0.1:{_port(folder / 'log', process)}"
    finally:
        process.terminate()
        process.wait(30)


def _port(log: Path, process: "subprocess.Popen[bytes]") -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        match = re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text())
        if match:
            return int(match[1])
        time.sleep(0.02)
    raise FailedError(f"docker-registry didn't start: {log.read_text()[-300:]}")


def pushed(registry: str, repository: str, tag: str) -> Outcome:
    """What a tag holds: every blob is there with its size, and skopeo, where it is installed, reads the image too. Raises
    FailedError."""
    base = f"http://{registry}/v2/{repository}"
    request = urllib.request.Request(f"{base}/manifests/{tag}", headers={"Accept": _ACCEPT})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            raw = answer.read()
        manifest = json.loads(raw)
        for blob in (manifest["config"], *manifest["layers"]):
            head = urllib.request.Request(f"{base}/blobs/{blob['digest']}", method="HEAD")
            with urllib.request.urlopen(head, timeout=60) as answer:
                if int(answer.headers["Content-Length"]) != blob["size"]:
                    raise FailedError(f"{blob['digest']} has not {blob['size']:,} bytes at the registry")
    except (OSError, KeyError, ValueError) as error:
        raise FailedError(f"{base}/manifests/{tag}: {error}") from None
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    _inspect(f"{registry}/{repository}:{tag}", digest)
    return Outcome(digest, len(manifest["layers"]), sum(layer["size"] for layer in manifest["layers"]))


def _inspect(reference: str, digest: str) -> None:
    if shutil.which("skopeo") is None:
        return
    command = ["skopeo", "inspect", "--tls-verify=false", f"docker://{reference}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or json.loads(done.stdout)["Digest"] != digest:
        raise FailedError(f"skopeo inspect {reference}: expected {digest}, found {(done.stderr or done.stdout)[-300:]}")
