"""What `import layerkit` gives, no more and no less."""

import inspect

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


def test_what_is_not_exported() -> None:
    assert set(layerkit.__all__) <= set(dir(layerkit))
    with pytest.raises(AttributeError, match="module 'layerkit' has no attribute 'fixed'"):
        layerkit.fixed  # noqa: B018 - asking for it is the test
