"""What `import layerkit` gives, no more and no less."""

import inspect

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
