"""The one-liners of docs/batch.md make lists, in a shell with stand-ins for the tools that need a cluster or a network."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from layerkit.batch.list import parse_list

DOCS = (Path(__file__).resolve().parents[2] / "docs/batch.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", DOCS, re.DOTALL)
    for line in block.splitlines()
    if not line.startswith("layerkit ")
]
MANIFEST = """
spec:
  initContainers:
  - image: "quay.io/team/init:1"
  containers:
    - name: web
      image: nginx:1.27  # pinned
      imagePullPolicy: Always
"""
STAND_INS = """
docker() { printf 'redis:7\\nnginx:1.27\\nredis:7\\n'; }
helm() { cat chart.yaml; }
kubectl() { printf 'nginx:1.27\\nquay.io/team/init:1\\nnginx:1.27\\n'; }
yq() { cat sync.json; }
"""
SYNC = """{"registry.example.com": {"images": {"busybox": [], "redis": ["1.0", "2.0"],
    "tool": ["sha256:0000000000000000000000000000000000000000000000000000000000000000"]}}, "quay.io": {"tls-verify": false}}"""
CLUSTER = ["docker://nginx:1.27", "docker://quay.io/team/init:1"]
EXPECTED = {
    "docker": ["docker://nginx:1.27", "docker://redis:7"],
    "helm": CLUSTER,
    "cat": CLUSTER,
    "kubectl": CLUSTER,
    "yq": [
        "docker://registry.example.com/redis:1.0",
        "docker://registry.example.com/redis:2.0",
        f"docker://registry.example.com/tool@sha256:{'0' * 64}",
    ],
}


def test_each_tool_has_its_line() -> None:
    assert [line.split()[0] for line in COMMANDS] == list(EXPECTED)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[0])
def test_a_line_makes_a_list(tmp_path: Path, command: str) -> None:
    if "jq " in command and shutil.which("jq") is None:
        pytest.skip("jq is not installed (Debian: apt install jq)")
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/web.yaml").write_text(MANIFEST)
    (tmp_path / "chart.yaml").write_text(MANIFEST)
    (tmp_path / "sync.json").write_text(SYNC)
    done = subprocess.run(["bash", "-c", STAND_INS + command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [line.image for line in parse_list(done.stdout.splitlines(), "list")] == EXPECTED[command.split()[0]]
