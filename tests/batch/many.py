"""Many small images that share bases, in one OCI layout; and a LIST of them."""

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

from layerkit.image.digest import sha256
from layerkit.image.layout import REF_NAME
from layerkit.image.media_types import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST
from tests import tar_building as tar
from tests.sources.builders import Files, layout, put, write_folder

REPOSITORIES_OF = 3
"""Images of one repository, each under a tag of its own."""


def bases(seed: int, count: int, size: int) -> list[bytes]:
    """Tars of files that compress to about half, `size` bytes each."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        runs = [tar.directory("base")]
        for file in range(4):
            data = chance.randbytes(size // 8) + bytes(chance.choices(b"abcdefgh", k=size // 8))
            runs.append(tar.file(f"base/{number}-{file}", data))
        made.append(tar.layer(*runs))
    return made


def names(count: int) -> Iterator[str]:
    for number in range(count):
        yield f"team{number % 7}/app{number // REPOSITORIES_OF}:v{number % REPOSITORIES_OF}"


def many_images(folder: Path, count: int, base_tars: list[bytes], *, own: int = 2_000, seed: int = 1) -> dict[str, str]:
    """Makes a layout at `folder`; each image has two or three of the bases below `own` bytes of its own. Name -> digest of its
    manifest."""
    chance = random.Random(seed)
    files: Files = {}
    layers = [(put(files, gzip.compress(raw, 6, mtime=0), OCI_LAYER_GZIP), sha256(raw)) for raw in base_tars]
    entries, digests = [], {}
    for name in names(count):
        first = chance.randrange(len(layers))
        below = [layers[(first + at) % len(layers)] for at in range(min(len(layers), chance.choice((2, 3))))]
        raw = tar.layer(tar.file(f"app/{name.replace('/', '-')}", chance.randbytes(own)))
        below.append((put(files, gzip.compress(raw, 6, mtime=0), OCI_LAYER_GZIP), sha256(raw)))
        config = {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in below]},
        }
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": put(files, json.dumps(config).encode(), OCI_CONFIG),
            "layers": [descriptor for descriptor, _ in below],
        }
        entry = put(files, json.dumps(document).encode(), OCI_MANIFEST, annotations={REF_NAME: name})
        entries.append(entry)
        digests[name] = entry["digest"]
    write_folder(folder, layout(files, *entries))
    return digests


def distinct_bytes(folder: Path) -> int:
    """Of all layers and configs."""
    total = 0
    seen: set[str] = set()
    for entry in json.loads((folder / "index.json").read_bytes())["manifests"]:
        document = json.loads((folder / "blobs/sha256" / entry["digest"][7:]).read_bytes())
        for blob in (document["config"], *document["layers"]):
            if blob["digest"] not in seen:
                seen.add(blob["digest"])
                total += blob["size"]
    return total


def write_list(path: Path, folder: Path, address: str, count: int) -> Path:
    path.write_text("".join(f"oci:{folder}:{name} {address}/{name}\n" for name in names(count)))
    return path
