"""action.yml, the GitLab component and the pre-commit hook: valid by schema, and their scripts do it with the real layerkit."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from ruamel.yaml import YAML

from layerkit.sandbox import Limits, Sandbox
from layerkit.sources import open_image
from tests.images import attested_archive, large, small
from tests.pusher.images import client_of
from tests.sources.builders import docker_archive, write_tar

ROOT = Path(__file__).resolve().parents[1]
HOSTILE = "x'$(touch hacked)`touch hacked`\"; touch hacked; .tar"


def documents(name: str) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all((ROOT / name).read_text()))


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "registry", Limits()) as served:
        yield served


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with `image.tar`, of which something is found, and `fine.tar`; `layerkit` is on the PATH that `ran` gives."""
    folder = tmp_path / "work"
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin/layerkit"
    program.write_text(f"#!{sys.executable}\nfrom layerkit.cli.main import main\nmain()\n")
    program.chmod(0o755)
    attested_archive(folder / "image.tar", [small(), large(8, 50_000)])
    write_tar(folder / "fine.tar", docker_archive(small().blob))
    return folder


def ran(work: Path, arguments: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{work}/bin:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(work), **variables}
    return subprocess.run(arguments, cwd=work, env=environment, capture_output=True, text=True, check=False)


# GitHub


def inputs(**given: str) -> dict[str, str]:
    (action,) = documents("action.yml")
    (step,) = action["runs"]["steps"]
    names = [name for name in step["env"] if name.startswith("INPUT_")]
    assert {name.removeprefix("INPUT_").lower().replace("_", "-") for name in names} == set(action["inputs"])
    return {**dict.fromkeys(names, ""), **{f"INPUT_{name.upper()}": value for name, value in given.items()}}


def action(work: Path, **given: str) -> subprocess.CompletedProcess[str]:
    files = {"GITHUB_OUTPUT": str(work / "output"), "GITHUB_STEP_SUMMARY": str(work / "summary")}
    return ran(work, ["bash", str(ROOT / "deploy/github-action.sh")], **files, **inputs(**given))


def test_github_would_take_it() -> None:
    arguments = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions", str(ROOT / "action.yml")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_input_is_written_into_a_script() -> None:
    (described,) = documents("action.yml")
    for step in described["runs"]["steps"]:
        assert "${{" not in step["run"]
        subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True)
    _, jobs = documents("templates/layerkit/template.yml")
    assert all("$[[" not in line for job in jobs.values() for line in job["script"])


def test_the_action_checks(work: Path) -> None:
    done = action(work, mode="check", image="image.tar", profile="replicated", sarif="found.sarif")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("::error title=LK002 image.tar::")
    assert "LK002" in (work / "summary").read_text()
    assert "2.1.0" in (work / "found.sarif").read_text()
    assert action(work, mode="check", image="fine.tar", profile="replicated").returncode == 0
    assert "fine.tar: nothing found" in (work / "summary").read_text()
    assert action(work, mode="check", image="absent.tar").returncode == 3
    assert action(work, mode="other", image="fine.tar").returncode == 2


@pytest.mark.parametrize("with_password", [False, True])
def test_the_action_pushes(with_password: bool, work: Path, sandbox: Sandbox) -> None:
    reference = f"{sandbox.address}/app/worker:1"
    login = {"username": "ci", "password": "secret"} if with_password else {}
    done = action(work, mode="fix-and-push", image="image.tar", reference=reference, max_layer_size="150kB", **login)
    assert done.returncode == 0, done.stderr
    there = open_image(f"docker://{reference}", connect=lambda registry: client_of(registry, plain_http=True))
    assert (work / "output").read_text() == f"reference={reference}@{there.root.digest}\ndigest={there.root.digest}\n"
    assert there.root.digest in (work / "summary").read_text()


@pytest.mark.parametrize("name", [HOSTILE, "--help", "<b>&.tar"])
def test_the_action_runs_nothing_that_an_input_says(name: str, work: Path) -> None:
    (work / name).write_bytes((work / "fine.tar").read_bytes())
    given = {"image": name, "profile": "replicated"}
    assert action(work, mode="check", **given).returncode == 0
    assert not (work / "hacked").exists()
    assert "<b>" not in (work / "summary").read_text()
    assert action(work, mode=HOSTILE, image="fine.tar").returncode == 2
    assert action(work, mode="check", image="fine.tar", profile=HOSTILE).returncode == 2
    assert not (work / "hacked").exists()


# GitLab


def component(work: Path, **given: str) -> subprocess.CompletedProcess[str]:
    spec, jobs = documents("templates/layerkit/template.yml")
    (job,) = jobs.values()
    variables = {}
    for name, variable in job["variables"].items():
        (key,) = re.findall(r"^\$\[\[ inputs\.([\w-]+) \]\]$", variable["value"])
        assert variable["expand"] is False
        variables[name] = given.get(key.replace("-", "_"), spec["spec"]["inputs"][key].get("default", ""))
    extra = {name: value for name, value in given.items() if name.startswith("REGISTRY")}
    return ran(work, ["sh", "-c", "\n".join(job["script"])], **variables, **extra)


def test_gitlab_would_take_it(tmp_path: Path) -> None:
    spec, jobs = documents("templates/layerkit/template.yml")
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "templates/layerkit/template.yml").read_text()))
    assert used == set(spec["spec"]["inputs"])
    with (tmp_path / "job.yml").open("w") as file:
        YAML(typ="safe", pure=True).dump(jobs, file)
    arguments = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(tmp_path / "job.yml")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_component_checks(work: Path) -> None:
    done = component(work, image="image.tar", profile="replicated")
    assert done.returncode == 1, done.stderr
    assert ElementTree.parse(work / "layerkit.xml").getroot().get("failures") != "0"
    assert component(work, image="fine.tar", profile="replicated").returncode == 0
    component(work, image=HOSTILE)
    assert not (work / "hacked").exists()


@pytest.mark.parametrize("login", [{}, {"REGISTRY_USER": "ci", "REGISTRY_TOKEN": "secret"}])
def test_the_component_pushes(login: dict[str, str], work: Path, sandbox: Sandbox) -> None:
    reference = f"{sandbox.address}/app/worker:1"
    done = component(work, mode="fix-and-push", image="image.tar", reference=reference, max_layer_size="150kB", **login)
    assert done.returncode == 0, done.stderr
    first, second = (work / "layerkit.env").read_text().splitlines()
    assert first.startswith(f"LAYERKIT_REFERENCE={reference}@sha256:")
    assert first.endswith(second.removeprefix("LAYERKIT_DIGEST="))


# pre-commit


def test_the_hook(work: Path) -> None:
    ((hook,),) = documents(".pre-commit-hooks.yaml")
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert [bool(re.search(hook["files"], name)) for name in ("a.tar", "a/b.tar.gz", "tar.py")] == [True, True, False]
    entry = shlex.split(hook["entry"])
    assert ran(work, [*entry, "fine.tar"], LAYERKIT_PROFILE="replicated").returncode == 0
    both = ran(work, [*entry, "image.tar", "fine.tar"], LAYERKIT_PROFILE="replicated")
    assert both.returncode == 1
    assert "LK002" in both.stdout
