"""Node's packages, also as npm installs them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from layerkit.packages import wanted
from tests.packages.roots import listed, named, owners_of, read_root


def test_the_nearest_wins() -> None:
    files = {
        "app/node_modules/a/package.json": b'{"name": "a", "version": "1.0.0"}',
        "app/node_modules/a/node_modules/b/package.json": b'{"name": "b", "version": "2.0.0"}',
        "app/node_modules/@s/c/package.json": b'{"name": "@s/c", "version": "3.0.0"}',
        "node_modules/d/package.json": b'{"name": "alias", "version": "4.0.0"}',
    }
    owners = owners_of(files)
    assert listed(owners) == ["npm @s/c 3.0.0", "npm b 2.0.0", "npm a 1.0.0", "npm alias 4.0.0"]
    assert named(owners, "app/node_modules/a/lib/x.js") == "npm a 1.0.0"
    assert named(owners, "app/node_modules/a/package.json") == "npm a 1.0.0"
    assert named(owners, "app/node_modules/a/node_modules/.bin/b") == "npm a 1.0.0"
    assert named(owners, "app/node_modules/a/node_modules/b/deep/y.js") == "npm b 2.0.0"
    assert named(owners, "app/node_modules/@s/c/z.js") == "npm @s/c 3.0.0"
    assert named(owners, "app/node_modules/@s/other/z.js") is None
    assert named(owners, "node_modules/d/index.js") == "npm alias 4.0.0"
    assert named(owners, "app/index.js") is None
    assert named(owners, "app/node_modules/ab") is None


@pytest.mark.parametrize(
    "path",
    [
        "app/package.json",
        "app/node_modules/package.json",
        "app/node_modules/a/test/package.json",
        "app/node_modules/@s/package.json",
        "app/node_modules/.bin/package.json",
        "app/my_node_modules/a/package.json",
        "package.json",
    ],
)
def test_other_documents_arent_wanted(path: str) -> None:
    assert not wanted(path.encode(), 10)


def test_documents_that_name_nothing() -> None:
    files = {
        "node_modules/a/package.json": b'{"type": "module"}',
        "node_modules/b/package.json": b"[]",
        "node_modules/c/package.json": b"not JSON",
    }
    owners = owners_of(files)
    assert owners.packages == []
    (problem,) = owners.problems
    assert problem.startswith("/node_modules/c/package.json: ")


def test_thousands_of_folders_in_each_other() -> None:
    deep = "node_modules/a/" * 250
    owners = owners_of({"node_modules/a/package.json": b'{"name": "a", "version": "1"}'})
    assert named(owners, deep + "x.js") == "npm a 1"


@pytest.mark.real
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_what_npm_installed(tmp_path: Path) -> None:
    """Of packages made here, so that no registry is asked; one needs another version of one than the application does."""
    for name, version, needs in (("one", "1.0.0", {}), ("one", "2.0.0", {}), ("@scope/two", "3.0.0", {"one": "2.0.0"})):
        folder = tmp_path / f"{name.replace('/', '-')}-{version}"
        folder.mkdir()
        sources = {need: f"file:{tmp_path / f'{need}-{wants}.tgz'}" for need, wants in needs.items()}
        document = {"name": name, "version": version, "dependencies": sources}
        (folder / "package.json").write_text(json.dumps(document))
        (folder / "index.js").write_text(f"// {name} {version}")
        packed = _npm(folder, "pack", "--silent").strip()
        (folder / packed).rename(tmp_path / f"{name.replace('/', '-')}-{version}.tgz")
    app = tmp_path / "app"
    app.mkdir()
    (app / "package.json").write_text('{"name": "app", "version": "0.0.0"}')
    _npm(app, "install", "--offline", "--no-audit", "--no-fund", f"{tmp_path}/one-1.0.0.tgz", f"{tmp_path}/@scope-two-3.0.0.tgz")

    root = read_root(app)
    owners = root.owners()
    assert sorted(listed(owners)) == ["npm @scope/two 3.0.0", "npm one 1.0.0", "npm one 2.0.0"]
    indexes = [path for path in root.paths if path.endswith(b"/index.js")]
    assert len(indexes) == 3
    for path in indexes:
        found = named(owners, path.decode())
        assert found is not None
        assert (app / path.decode()).read_text() == "// " + found.removeprefix("npm ")


def _npm(folder: Path, *arguments: str) -> str:
    return subprocess.run(["npm", *arguments], cwd=folder, check=True, capture_output=True, timeout=120, text=True).stdout
