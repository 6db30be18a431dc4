"""What `import layerkit` gives, no more and no less."""

import inspect
import subprocess
import sys

import pytest

import layerkit


def test_exported_names() -> None:
    assert layerkit.__all__ == ["fix", "open_image", "push", "split_plan", "verify"]


def test_everything_exported_is_documented_and_typed() -> None:
    for name in layerkit.__all__:
        function = getattr(layerkit, name)
        assert inspect.getdoc(function)
        signature = inspect.signature(function)
        assert signature.return_annotation is not inspect.Signature.empty
        assert all(parameter.annotation is not inspect.Parameter.empty for parameter in signature.parameters.values())


@pytest.mark.parametrize("before", ["", "import layerkit.verify.images", "import layerkit.deliver", "from layerkit import fix"])
def test_verify_is_the_function_not_the_package_of_its_name(before: str) -> None:
    code = f"{before}\nimport layerkit\nfrom layerkit import verify\nprint(layerkit.verify is verify, verify.__module__)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "True layerkit.verify.images\n"


def test_what_is_not_exported() -> None:
    assert set(layerkit.__all__) <= set(dir(layerkit))
    with pytest.raises(AttributeError, match="module 'layerkit' has no attribute 'fixed'"):
        layerkit.fixed  # noqa: B018 - asking for it is the test
