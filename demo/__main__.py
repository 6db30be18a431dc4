"""The demo, step by step: everything stays in build/demo and on this machine's loopback."""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from demo.build_image import LEFT_OUT, Folder, build_image
from demo.plain_push import plain_push
from layerkit import open_image
from layerkit.image.image import Image
from layerkit.report.sizes import format_size

FOLDER = Path("build/demo")
IMAGE = FOLDER / "image.tar"
MAX_BLOB = "20MB"
"""What the sandbox takes: 2 GB, where the real target times out, scaled to a hundredth."""
MAX_LAYER = "16MB"


def main() -> None:
    begun = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)

    step("1. An image of real files: Python's library, and what is installed in .venv")
    folders = [
        Folder(Path(sysconfig.get_path("stdlib")), "usr/lib/python3", LEFT_OUT),
        Folder(Path(sysconfig.get_path("platlib")), "opt/worker/lib"),
    ]
    started = time.monotonic()
    layers = build_image(IMAGE, folders, "worker:1.0")
    seconds = time.monotonic() - started
    files = format_size(sum(layer.raw_size for layer in layers))
    print(f"{files} of files in an archive of {format_size(IMAGE.stat().st_size)}, built in {seconds:.1f} s\n")
    layerkit("inspect", str(IMAGE), "--max-layer-size", MAX_BLOB)

    step("2. A registry with the target's limits: no attestations, no layer above 20 MB")
    with sandbox("sandbox", "--max-blob", MAX_BLOB, "--dir", str(FOLDER / "registry")) as registry:
        reference = f"{registry}/my-app/worker:1.0"

        step("3. Pushed as it is, each layer in one request, it is refused")
        image = open_image(IMAGE)
        for line in plain_push(image, registry, "as-it-is/worker"):
            print(line)

        step("4. Fixed and pushed")
        started = time.monotonic()
        pushed = layerkit("fix-and-push", str(IMAGE), reference, "--max-layer-size", MAX_LAYER)
        seconds = time.monotonic() - started

        step("5. Is it the same filesystem? The file against what is in the registry")
        layerkit("verify", str(IMAGE), f"docker://{reference}")

        step("6. Before and after")
        show(image, open_image(f"docker://{reference}"))
        name, _, digest = pushed.partition("@")
        print(f"\nin the registry: {name}\n@{digest}")
        print(f"fix-and-push took {seconds:.1f} s, the whole demo {time.monotonic() - begun:.0f} s. Its files are in {FOLDER}.")


def step(title: str) -> None:
    print(f"\n{title}\n", flush=True)


def layerkit(*arguments: str) -> str:
    """Runs and shows a command; what it printed. Ends the demo if it fails."""
    print(folded(arguments), flush=True)
    done = subprocess.run([*command(), *arguments], stdout=subprocess.PIPE, text=True, env=environment())
    print(done.stdout, end="", flush=True)
    if done.returncode:
        sys.exit(f"layerkit ended with exit code {done.returncode}")
    return done.stdout.strip()


@contextmanager
def sandbox(*arguments: str) -> Iterator[str]:
    """Runs in the background until the block ends; its address."""
    print(folded(arguments), "&", flush=True)
    with subprocess.Popen([*command(), *arguments, "--quiet"], stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            print(address)
            yield address
        finally:
            process.terminate()


def folded(arguments: Sequence[str]) -> str:
    """The command as it can be copied, in lines that fit 80 columns."""
    lines = ["$ layerkit"]
    for argument in map(shlex.quote, arguments):
        if len(lines[-1]) + len(argument) > 76:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {argument}"
    return "\n".join(lines)


def command() -> list[str]:
    return [sys.executable, "-m", "layerkit.cli"]


def environment() -> dict[str, str]:
    """Without settings that would make the demo another one."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LAYERKIT_")}


def show(before: Image, after: Image) -> None:
    """The two images side by side."""
    rows: list[tuple[str, ...]] = [("", "before", "after")]
    sizes = [[layer.size for platform in image.platforms() for layer in platform.manifest.layers] for image in (before, after)]
    rows.append(("layers", *(str(len(each)) for each in sizes)))
    rows.append(("largest layer", *(format_size(max(each)) for each in sizes)))
    rows.append(("all layers", *(format_size(sum(each)) for each in sizes)))
    rows.append(("attestations", *(str(len(image.referrers())) for image in (before, after))))
    for name, *values in rows:
        print(f"{name:14}" + "".join(f"{value:>10}" for value in values))


main()
