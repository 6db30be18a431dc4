"""What `import layerkit` gives, no more and no less."""

import doctest
import inspect
from pathlib import Path

import pytest

import layerkit
from layerkit.sandbox import Limits, Sandbox
from tests.images import attested_archive, large, small

FUNCTIONS = ["batch", "fix", "open_image", "push", "split_plan", "verify"]


def test_exported_names() -> None:
    """Functions, the types that they take and give, and what they raise."""
    types = {"Compression", "Difference", "Family", "Image", "Profile", "Progress", "Result", "Status"}
    raised = {name for name in layerkit.__all__ if name.endswith("Error")}
    assert layerkit.__all__ == sorted({*FUNCTIONS, *types, *raised})
    assert all(issubclass(getattr(layerkit, name), layerkit.LayerkitError) for name in raised)


def test_everything_exported_is_documented_and_typed() -> None:
    for name in layerkit.__all__:
        assert inspect.getdoc(getattr(layerkit, name)) or name.endswith("Error")
    for name in FUNCTIONS:
        signature = inspect.signature(getattr(layerkit, name))
        assert signature.return_annotation is not inspect.Signature.empty
        assert all(parameter.annotation is not inspect.Parameter.empty for parameter in signature.parameters.values())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attested_archive(tmp_path / "image.tar", [small(), large()])
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    with Sandbox(tmp_path / "registry", Limits()) as sandbox:
        names = {"layerkit": layerkit, "registry": sandbox.address}
        for test in doctest.DocTestFinder(recurse=False).find(getattr(layerkit, name), name, globs=names):
            runner.run(test)
    assert (runner.failures, runner.tries > 0) == (0, True)


def test_what_is_not_exported() -> None:
    assert set(layerkit.__all__) <= set(dir(layerkit))
    with pytest.raises(AttributeError, match="module 'layerkit' has no attribute 'fixed'"):
        layerkit.fixed  # noqa: B018 - asking for it is the test
