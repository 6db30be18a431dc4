"""A push that is killed, again and again, and repeated: it ends with the right image, and little is sent twice."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from layerkit.errors import NotFoundError
from layerkit.image.digest import sha256
from tests.pusher.edge import Edge
from tests.pusher.images import client_of, image_of, layers_of
from tests.registry.docker_registry import docker_registry, needs_docker_registry

pytestmark = [pytest.mark.real, needs_docker_registry]

LAYERS = [40_000 + 1000 * number for number in range(150)]
"""Bytes. What is lost with each kill are the blobs on their way, a few at a time; finished ones are found by the next push."""

KILLS = 10

PUSH = """
import sys
from layerkit.image.reference import Reference
from layerkit.profiles import GENERIC
from layerkit.pusher.push import RegistryDestination
from tests.pusher.images import client_of, image_of
from tests.pusher.test_killed import LAYERS

client = client_of(sys.argv[1], plain_http=True, read=10)
RegistryDestination(client, Reference(sys.argv[1], "killed", "1"), profile=GENERIC).finish(image_of(LAYERS))
"""


def test_killed_ten_times(tmp_path: Path) -> None:
    chance = random.Random(5)
    image = image_of(LAYERS)
    with docker_registry(tmp_path) as registry, Edge(registry.address).serving() as edge:
        arguments = [sys.executable, "-c", PUSH, edge.address]
        killed = 0
        while killed < KILLS:
            limit = len(edge.log) + chance.randint(1, 80)  # of more than 450 requests
            process = subprocess.Popen(arguments, cwd=Path(__file__).parents[2])
            try:
                deadline = time.monotonic() + 30
                while len(edge.log) < limit and process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.001)
                assert process.poll() is None, "the push ended before it was killed: the test kills too late"
            finally:
                process.kill()
                process.wait()
            killed += 1
            with pytest.raises(NotFoundError):
                client_of(registry.address, plain_http=True).get_manifest("killed", "1")
        subprocess.run(arguments, cwd=Path(__file__).parents[2], check=True, timeout=60)
        raw, _ = client_of(registry.address, plain_http=True).get_manifest("killed", "1")
        assert sha256(raw) == image.root.digest
        assert edge.body_bytes <= 1.3 * sum(layer.size for layer in layers_of(image))
