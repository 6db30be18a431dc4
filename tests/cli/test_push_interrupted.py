"""Ctrl-C in the middle of an upload: it ends at once, says how to go on, and leaves no tag; going on sends what is missing."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from layerkit.image.digest import encoded
from layerkit.image.image import Image
from layerkit.image.manifest import to_json
from layerkit.sandbox import Limits, Sandbox
from tests.pusher.images import image_of


def write_layout(image: Image, folder: Path) -> Path:
    """An OCI layout."""
    for blob in image.blobs.values():
        path = folder / "blobs" / "sha256" / encoded(blob.digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(bytes(piece) for piece in blob.chunks()))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_bytes(to_json({"schemaVersion": 2, "manifests": [dict(image.root.fields)]}))
    return folder


def test_ctrl_c(tmp_path: Path) -> None:
    image = image_of([400_000, 10_000, 20_000])
    layout = write_layout(image, tmp_path / "layout")
    environment = {**os.environ, "HOME": str(tmp_path)}
    with Sandbox(tmp_path / "registry", Limits(rate=200_000)) as sandbox:
        name = f"{sandbox.address}/app/worker:1"
        arguments = [sys.executable, "-m", "layerkit.cli", "push", str(layout), name, "--chunk-size", "100KB"]
        process = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            deadline = time.monotonic() + 20
            while sum(request.status == 201 for request in sandbox.requests) < 3 and time.monotonic() < deadline:
                time.sleep(0.02)  # until the small blobs are there: the large one is on its way
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=10)
        finally:
            process.kill()
            process.wait()
        assert time.monotonic() - began < 2.5
        assert (process.returncode, out) == (130, "")
        assert "Run the same command again" in err
        assert "Traceback" not in err
        assert not [request for request in sandbox.requests if "/manifests/" in request.path]
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{name}@{image.root.digest}\n"
        assert re.search(r"sent 1 blobs?, 400.*; 3 were there already", done.stderr), done.stderr
