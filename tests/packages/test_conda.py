"""Conda's packages."""

import json

from tests.packages.roots import listed, named, owners_of

NUMPY = {
    "name": "numpy",
    "version": "1.26.4",
    "build": "py312h_0",
    "files": ["lib/python3.12/site-packages/numpy/__init__.py", "lib/python3.12/site-packages/numpy-1.26.4.dist-info/METADATA"],
    "paths_data": {"paths": [{"_path": "lib/python3.12/site-packages/numpy/__init__.py", "size_in_bytes": 1}]},
}


def test_each_environment_has_its_own() -> None:
    document = json.dumps(NUMPY).encode()
    files = {
        "opt/conda/conda-meta/numpy-1.26.4-py312h_0.json": document,
        "opt/conda/envs/work/conda-meta/numpy-1.26.4-py312h_0.json": document,
    }
    owners = owners_of(files)
    assert listed(owners) == ["conda numpy 1.26.4"] * 2
    for prefix in ("opt/conda", "opt/conda/envs/work"):
        number = owners.owner(f"{prefix}/lib/python3.12/site-packages/numpy/__init__.py".encode())
        assert number is not None
        assert owners.packages[number].path.startswith(prefix.encode() + b"/conda-meta/")
    assert named(owners, "lib/python3.12/site-packages/numpy/__init__.py") is None
    assert named(owners, "opt/conda/conda-meta/numpy-1.26.4-py312h_0.json") == "conda numpy 1.26.4"


def test_what_conda_installed_isnt_counted_as_pythons_too() -> None:
    info = "opt/conda/lib/python3.12/site-packages/numpy-1.26.4.dist-info"
    files = {
        "opt/conda/conda-meta/numpy-1.26.4-py312h_0.json": json.dumps(NUMPY).encode(),
        f"{info}/METADATA": b"Name: numpy\nVersion: 1.26.4\n",
        f"{info}/RECORD": b"numpy/__init__.py,,\n",
    }
    owners = owners_of(files)
    assert listed(owners) == ["conda numpy 1.26.4"]


def test_at_the_root() -> None:
    owners = owners_of({"conda-meta/a.json": b'{"name": "a", "version": "1", "files": ["bin/a"]}'})
    assert named(owners, "bin/a") == "conda a 1"


def test_what_isnt_right_is_told() -> None:
    files = {
        "c/conda-meta/a.json": b"{",
        "c/conda-meta/b.json": b"[]",
        "c/conda-meta/d.json": b'{"name": "d", "version": 1}',
        "c/conda-meta/e.json": b'{"name": "e", "version": "1", "files": [1, null, "x", "\\ud800"]}',
    }
    owners = owners_of(files)
    assert listed(owners) == ["conda e 1"]
    assert named(owners, "c/x") == "conda e 1"
    assert [problem.partition(":")[0] for problem in owners.problems] == [f"/c/conda-meta/{name}.json" for name in "abd"]
