"""The house rules of docs/design.md, held by reading the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import layerkit.errors

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "layerkit"
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}

FIRST_USER_OF_ENVIRONMENT = "layerkit.api"
"""Takes the environment as an argument, whose default is the process's."""


def ranks() -> dict[str, int]:
    """Stage -> its place in the line of docs/design.md: `a, b  <  c  <  d`, over several lines."""
    lines = [line for line in (ROOT / "docs/design.md").read_text().splitlines() if line.startswith("    ")]
    block = " ".join(line.strip() for line in lines[: next(i for i, line in enumerate(lines) if "<" not in line)])
    return {stage.strip(): rank for rank, group in enumerate(block.split("<")) for stage in group.split(",")}


def stage_of(module: str) -> str:
    """`layerkit.image.blob` -> `image`; the package itself is its public face."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] != "__init__" else "api"


def imports(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            assert node.module is not None
            # `from layerkit.image import blob` may name a module or a value of one.
            yield from (name if name in MODULES else node.module for name in (f"{node.module}.{a.name}" for a in node.names))


RANKS = ranks()


def test_every_stage_has_its_place() -> None:
    assert {stage_of(module) for module in MODULES} == set(RANKS)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nothing_imports_upward(module: str) -> None:
    own = stage_of(module)
    for name in imports(module):
        stage = stage_of(name)
        if name.startswith("layerkit") and stage != own:
            assert RANKS[stage] < RANKS[own], f"{module} ({own}) imports {name} ({stage})"


def test_the_judge_shares_nothing_with_what_it_judges() -> None:
    """`filesystem` may decode layers as the splitter does; it must not know how they are cut."""
    judge = [module for module in MODULES if stage_of(module) == "filesystem"]
    assert judge
    splitter = {"streams", "plan", "layers"}
    assert not {name for module in judge for name in imports(module) if stage_of(name) in splitter}


def names_used(module: str) -> set[str]:
    """Dotted names: `os.environ`, `print`."""
    nodes = ast.walk(ast.parse(MODULES[module].read_text()))
    return {ast.unparse(node) for node in nodes if isinstance(node, ast.Name | ast.Attribute)}


@pytest.mark.parametrize("module", sorted(module for module in MODULES if stage_of(module) != "cli"))
def test_only_the_commands_know_the_process(module: str) -> None:
    forbidden = {
        "os.environ",
        "os.getenv",
        "os.environb",
        "sys.stdout",
        "sys.stdin",
        "sys.argv",
        "sys.exit",
        "print",
        "input",
        "exit",
    }
    if module == FIRST_USER_OF_ENVIRONMENT:
        forbidden -= {"os.environ"}
    assert not names_used(module) & forbidden


def test_only_the_outermost_function_exits() -> None:
    assert [module for module in MODULES if "sys.exit" in names_used(module)] == ["layerkit.cli.main"]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_files_stay_readable(module: str) -> None:
    text = MODULES[module].read_text()
    assert ast.get_docstring(ast.parse(text)) or not text, "a module says what it is about"
    assert len(text.splitlines()) <= 450


def test_design_names_the_folders_there_are() -> None:
    table = (ROOT / "docs/design.md").read_text()
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= set(re.findall(r"^\| `(\w+)/?(?:\.py)?`", table, re.MULTILINE))


def test_every_error_is_in_one_file_and_in_the_tree_drawn_there() -> None:
    classes = {
        module: [node for node in ast.walk(ast.parse(MODULES[module].read_text())) if isinstance(node, ast.ClassDef)]
        for module in MODULES
    }
    known = {node.name for node in classes["layerkit.errors"]}
    for module, found in classes.items():
        if module != "layerkit.errors":
            assert not [node.name for node in found if {ast.unparse(base) for base in node.bases} & known], module
    assert set(re.findall(r"\b\w+Error\b", layerkit.errors.__doc__ or "")) == known
    drawn = layerkit.errors.__doc__ or ""
    for name in known:
        error = getattr(layerkit.errors, name)
        if error.exit_code != 1:
            line = next(line for line in drawn.splitlines() if re.search(rf"\b{name}\b", line))
            own = "exit_code" in vars(error)
            assert not own or re.search(rf"\b{error.exit_code}\b", line), name
