"""How each contender is called, and what its result has to be."""

import hashlib
import json
import shlex
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.archives import NAME
from benchmarks.contest import Contender, Outcome, Stage
from benchmarks.measuring import FailedError, Run
from benchmarks.registry import pushed

LAYERKIT = (sys.executable, "-m", "layerkit.cli")

FLOOR = "igzip -d, to nowhere"
FIX_NOWHERE = "layerkit fix --no-verify, to nowhere"
FIX_UNPROVEN = "layerkit fix --no-verify"
FIX = "layerkit fix"
RECOMPRESS = "gunzip | gzip -6"
RECOMPRESS_PIGZ = "gunzip | pigz -6"
PUSH = "layerkit fix-and-push"
SKOPEO = "skopeo copy"
CRANE = "crane push"

_REPOSITORY, _TAG = NAME.split(":")


def floor(layer: Path) -> Contender:
    """Inflating the layer once: less can't be done."""
    command = f"igzip -d -c {shlex.quote(str(layer))} > /dev/null"
    return Contender(FLOOR, lambda stage: ["sh", "-c", command], lambda stage, run: Outcome("", 0, 0), "igzip")


def recompress(layer: Path, compressor: str, name: str, *, once: bool = False, scale: float = 1.0) -> Contender:
    """What any tool that splits by unpacking has to do at least; it is not split yet."""

    def judge(stage: Stage, run: Run) -> Outcome:
        return Outcome("", 1, int(run.output) if scale == 1.0 else 0)

    command = f"set -o pipefail; gzip -d -c {shlex.quote(str(layer))} | {compressor} | wc -c"
    return Contender(name, lambda stage: ["bash", "-c", command], judge, compressor.split()[0], once=once, scale=scale)


def fix(
    image: Path, limit: int, name: str, *options: str, nowhere: bool = False, jobs: int | None = None, cores: int | None = None
) -> Contender:
    """`options` are layerkit's own."""

    def command(stage: Stage) -> Sequence[str]:
        output = "/dev/null" if nowhere else str(stage.folder / "fixed.tar")
        more = () if jobs is None else ("--jobs", str(jobs))
        return (*LAYERKIT, "fix", "-q", str(image), output, "--max-layer-size", str(limit), *options, *more)

    def judge(stage: Stage, run: Run) -> Outcome:
        if nowhere:
            return Outcome(run.output, 0, 0)
        outcome = written(stage.folder / "fixed.tar")
        if outcome.digest != run.output:
            raise FailedError(f"the output holds {outcome.digest}, layerkit printed {run.output}")
        return outcome

    return Contender(name, command, judge, cores=cores)


def fix_and_push(image: Path, limit: int, name: str, *options: str) -> Contender:
    def command(stage: Stage) -> Sequence[str]:
        reference = f"{stage.registry}/{NAME}"
        return (*LAYERKIT, "fix-and-push", "-q", str(image), reference, "--max-layer-size", str(limit), *options)

    def judge(stage: Stage, run: Run) -> Outcome:
        outcome = pushed(stage.registry, _REPOSITORY, _TAG)
        if not run.output.endswith(f"@{outcome.digest}"):
            raise FailedError(f"the tag holds {outcome.digest}, layerkit printed {run.output}")
        return outcome

    return Contender(name, command, judge)


def skopeo_copy(source: str) -> Contender:
    """The image as it is: of an index the platform of this machine."""

    def command(stage: Stage) -> Sequence[str]:
        own = ("--insecure-policy", "--tmpdir", str(stage.scratch))
        return ("skopeo", *own, "copy", "--quiet", "--dest-tls-verify=false", source, f"docker://{stage.registry}/{NAME}")

    return Contender(SKOPEO, command, _pushed, "skopeo")


def crane_push(archive: Path) -> Contender:
    """Of a docker archive, the only archive that it reads."""

    def command(stage: Stage) -> Sequence[str]:
        return ("crane", "push", "--insecure", str(archive), f"{stage.registry}/{NAME}")

    return Contender(CRANE, command, _pushed, "crane")


def _pushed(stage: Stage, run: Run) -> Outcome:
    return pushed(stage.registry, _REPOSITORY, _TAG)


def written(archive: Path) -> Outcome:
    """What an OCI archive holds, every blob's digest checked. Raises FailedError."""
    documents: dict[str, bytes] = {}
    sizes: dict[str, int] = {}
    with tarfile.open(archive) as members:
        for member in members:
            file = members.extractfile(member)
            if file is None:
                continue
            hasher = hashlib.sha256()
            kept = b""
            while data := file.read(4 << 20):
                hasher.update(data)
                if member.size < 1 << 20:
                    kept += data
            documents[member.name] = kept
            if member.name.startswith("blobs/sha256/"):
                digest = member.name.removeprefix("blobs/sha256/")
                if hasher.hexdigest() != digest:
                    raise FailedError(f"{member.name}: found sha256:{hasher.hexdigest()}")
                sizes[f"sha256:{digest}"] = member.size
    root = json.loads(documents["index.json"])["manifests"][0]["digest"]
    manifest = json.loads(documents[f"blobs/sha256/{root.removeprefix('sha256:')}"])
    for blob in (manifest["config"], *manifest["layers"]):
        if sizes.get(blob["digest"]) != blob["size"]:
            raise FailedError(f"{blob['digest']}: expected {blob['size']:,} bytes, found {sizes.get(blob['digest'], 0):,}")
    return Outcome(root, len(manifest["layers"]), sum(layer["size"] for layer in manifest["layers"]))
