"""What is in deploy/: valid by the engines' own schemas, and its commands do what they say when an engine runs them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from layerkit.sandbox import Limits, Sandbox
from tests.batch.many import bases, many_images, write_list

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
SHARDS = 4
COUNT = 9


def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load((DEPLOY / name).read_text())
    return loaded


@pytest.mark.parametrize(
    ("name", "schema"), [("github-workflow.yaml", "vendor.github-workflows"), ("gitlab-ci.yaml", "vendor.gitlab-ci")]
)
def test_the_engine_would_take_it(name: str, schema: str) -> None:
    arguments = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(DEPLOY / name)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_kubernetes_would_take_it() -> None:
    version = kubernetes_validate.latest_version()
    job = document("kubernetes-job.yaml")
    kubernetes_validate.validate(job, version, strict=True)
    broken = {**job, "spec": {**job["spec"], "backofLimitPerIndex": 3}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, version, strict=True)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("registry"), Limits()) as served:
        yield served


@pytest.fixture
def work(tmp_path: Path, sandbox: Sandbox) -> dict[str, str]:
    """A folder with a list in it; name -> digest."""
    digests = many_images(tmp_path / "layout", COUNT, bases(1, 3, 20_000))
    write_list(tmp_path / "images.txt", tmp_path / "layout", sandbox.address, COUNT)
    return digests


def run(script: str, folder: Path, **variables: str) -> list[dict[str, Any]]:
    """What a shell does with the script, in the list's folder; the results."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = {"PATH": path, "HOME": str(home), **variables}
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "all shards of this work say" in done.stderr
    results = folder / f"results-{variables.get('SLURM_ARRAY_TASK_ID', '')}.jsonl"
    results = results if results.exists() else folder / "results.jsonl"
    return [json.loads(line) for line in (results.read_text() if results.exists() else done.stdout).splitlines()]


def all_shards(script: str, folder: Path, variables: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Each in a folder of its own, as on machines of their own."""
    folders = [folder / f"machine-{number}" for number in range(len(variables))]
    for own in folders:
        own.mkdir()
        (own / "images.txt").write_bytes((folder / "images.txt").read_bytes())
    with ThreadPoolExecutor(2) as threads:
        found = threads.map(lambda item: run(script, item[0], **item[1]), zip(folders, variables, strict=True))
        return [result for results in found for result in results]


def check_results(results: list[dict[str, Any]], digests: dict[str, str]) -> None:
    assert {result["reference"].partition("/")[2]: result["digest"] for result in results} == digests
    assert len(results) == len(digests), "every image in exactly one shard"


def test_in_a_kubernetes_job(tmp_path: Path, work: dict[str, str]) -> None:
    spec = document("kubernetes-job.yaml")["spec"]
    container = spec["template"]["spec"]["containers"][0]
    said = {entry["name"]: entry["value"] for entry in container["env"]}
    assert spec["completions"] == int(said["LAYERKIT_SHARDS"]) == SHARDS
    indexes = [{"JOB_COMPLETION_INDEX": str(index), "LAYERKIT_SHARDS": said["LAYERKIT_SHARDS"]} for index in range(SHARDS)]
    check_results(all_shards(" ".join([*container["command"], *container["args"]]), tmp_path, indexes), work)


def test_in_a_github_workflow(tmp_path: Path, work: dict[str, str]) -> None:
    job = document("github-workflow.yaml")["jobs"]["push"]
    (step,) = [step for step in job["steps"] if step.get("name") == "Push"]
    shards = job["strategy"]["matrix"]["shard"]

    def filled(text: str, shard: int) -> str:
        values = {"matrix.shard": shard, "strategy.job-total": len(shards)}
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda match: str(values[match[1]]), text)

    variables = [{name: filled(value, shard) for name, value in step["env"].items()} for shard in shards]
    assert "${{" not in step["run"], "what an expression holds must not become part of a script"
    check_results(all_shards(step["run"], tmp_path, variables), work)


def test_in_gitlab(tmp_path: Path, work: dict[str, str]) -> None:
    job = document("gitlab-ci.yaml")["push-images"]
    total = job["parallel"]
    variables = [{"CI_NODE_INDEX": str(index), "CI_NODE_TOTAL": str(total)} for index in range(1, total + 1)]
    check_results(all_shards("\n".join(job["script"]), tmp_path, variables), work)


def test_in_slurm(tmp_path: Path, work: dict[str, str]) -> None:
    script = (DEPLOY / "slurm.sh").read_text()
    array = re.search(r"^#SBATCH --array=1-(\d+)$", script, re.MULTILINE)
    assert array is not None
    total = int(array[1])
    assert f"shards={total}\n" in script
    bounds = {"SLURM_ARRAY_TASK_COUNT": str(total), "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": str(total)}
    variables = [{"SLURM_ARRAY_TASK_ID": str(index), **bounds} for index in range(1, total + 1)]
    check_results(all_shards(script, tmp_path, variables), work)


def test_the_image_is_made_of_what_is_there_and_not_run_by_root() -> None:
    lines = [line.split() for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    copied = [word for line in lines if line[0] == "COPY" and "--from=build" not in line for word in line[1:-1]]
    assert all((DEPLOY.parent / name).exists() for name in copied)
    ignored = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in copied} <= set(ignored)
    (user,) = [line[1] for line in lines if line[0] == "USER"]
    assert int(user) > 0
    assert user == str(document("kubernetes-job.yaml")["spec"]["template"]["spec"]["securityContext"]["runAsUser"])
