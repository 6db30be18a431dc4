"""A push to the sandbox in each dialect, and what it took. `python -m tests.pusher.rehearsing` prints the table.

Everything is at default settings; the largest layer is above the chunks of 50 MiB that a push begins with when nothing is known.
Limits beyond the image (bodies of 100 MB and more) are scaled to it, everything else is as the dialect has it.
"""

import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from layerkit.errors import LayerkitError
from layerkit.image.image import Image
from layerkit.image.reference import Reference
from layerkit.profiles import GENERIC, KNOWN, Profile
from layerkit.pusher.push import RegistryDestination
from layerkit.sandbox import Limits, Request, Sandbox, dialects
from tests.pusher.images import Waits, client_of, image_of, layers_of

MiB = 1 << 20
SIZES = (60 * MiB, 6 * MiB, 2_000)
"""Bytes of the layers."""

MOST_REQUESTS = 1500
"""More for an image of 68 MiB is a loop that doesn't end: bodies of 512 KiB, the smallest there are, take 140."""

_SCALED = {
    "cloudflare": {"max_body": 10_000_000},
    "resetting": {"max_body": 10_000_000},
    "serverless-registry": {"max_chunk": 10 * MiB, "max_body": 12 * MiB},
    "size-invalid": {"max_chunk": 10_000_000},
}


@dataclass(frozen=True)
class Rehearsal:
    requests: int
    sent: int
    """Bytes of blobs' bodies."""
    size: int
    """Bytes of the image's blobs."""
    seconds: float
    refused: int
    """Requests that were answered with 4xx, or not at all; looking for what isn't there doesn't count."""
    error: str
    """Why it failed; empty: the image arrived."""
    skopeo: bool
    """Did it read the image back?"""

    @property
    def ratio(self) -> float:
        """Of what was sent to what there is."""
        return self.sent / self.size


def limits_of(name: str) -> Limits:
    """Those of a dialect, scaled to the image."""
    return replace(dialects()[name].limits, repositories=("app",), **_SCALED.get(name, {}))  # type: ignore[arg-type]


def profile_of(name: str) -> Profile | None:
    """The profile of the registry that a dialect is of, if there is one; its limits scaled alike."""
    profile = next((profile for profile in KNOWN if profile.name == name), None)
    if profile is None or name not in _SCALED:
        return profile
    scaled = limits_of(name).max_body
    return replace(profile, upload=replace(profile.upload, max_body=scaled, chunk_size=min(scaled or 0, 9 * MiB)))


def rehearse(limits: Limits, profile: Profile, folder: Path, image: Image | None = None) -> Rehearsal:
    """Pushes the image at default settings."""
    image = image or image_of(SIZES)
    seen: list[Request] = []
    waits = Waits(speed=50)
    with Sandbox(folder / "store", limits, on_request=seen.append) as sandbox:
        client = client_of(sandbox.address, plain_http=True, read=30, waits=waits)

        def count(request: Request) -> None:
            seen.append(request)
            if len(seen) > MOST_REQUESTS:
                client.interrupt()

        sandbox._on_request = count
        destination = RegistryDestination(client, Reference(sandbox.address, "app", "1"), profile=profile)
        began, error = time.monotonic(), ""
        try:
            with destination:
                destination.finish(image)
        except LayerkitError as caught:
            error = str(caught)
        seconds = time.monotonic() - began + sum(waits) * (1 - 1 / waits.speed)
        asked = list(seen)
        read_back = not error and _read_back(sandbox.address, folder / "copy")
    return Rehearsal(
        requests=len(asked),
        sent=destination.stats.bytes_sent,
        size=sum({layer.digest: layer.size for layer in layers_of(image)}.values()) + image.platforms()[0].manifest.config.size,
        seconds=seconds,
        refused=sum(1 for request in asked if request.method not in ("HEAD", "GET") and not 200 <= request.status < 300),
        error=error,
        skopeo=read_back,
    )


def _read_back(address: str, folder: Path) -> bool:
    """skopeo verifies each blob's digest."""
    copy = ["skopeo", "copy", "-q", "--insecure-policy", "--src-tls-verify=false", f"docker://{address}/app:1", f"dir:{folder}"]
    return subprocess.run(copy, capture_output=True, timeout=120, check=False).returncode == 0


def main() -> None:
    image = image_of(SIZES)
    print("| dialect | profile | requests | refused | bytes | seconds | arrived |\n|---|---|---|---|---|---|---|")
    for name in dialects():
        for profile in filter(None, (GENERIC, profile_of(name))):
            with tempfile.TemporaryDirectory() as folder:
                done = rehearse(limits_of(name), profile, Path(folder), image)
            arrived = "yes" if done.skopeo else done.error[:100] or "skopeo can't read it"
            figures = f"{done.requests} | {done.refused} | {done.ratio:.2f} x | {done.seconds:.1f}"
            print(f"| {name} | {profile.name} | {figures} | {arrived} |", flush=True)


if __name__ == "__main__":
    main()
