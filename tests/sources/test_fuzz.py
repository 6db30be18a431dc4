"""Whatever stands in an image's documents, opening it gives an image or an error for people."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerkit.errors import LayerkitError
from layerkit.image.digest import encoded, sha256
from layerkit.profiles import REPLICATED
from layerkit.report.documents import image_document
from layerkit.report.findings import check
from layerkit.report.summary import summarise
from layerkit.report.tables import image_table
from layerkit.report.validation import validate
from layerkit.sources import open_image
from tests.sources.builders import Files, docker_archive, gzipped, layer, simple_layout, write_folder

_NAMES = (
    "Config RepoTags Layers config layers manifests digest size mediaType annotations platform os architecture variant rootfs "
    "diff_ids history created_by empty_layer schemaVersion subject artifactType urls type"
)
KEYS = st.sampled_from(_NAMES.split())
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 1 << 70)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(
        ["sha256:" + "0" * 64, "sha256:x", "a/layer.tar", "../a", "/", ".", "linux", "application/vnd.oci.image.index.v1+json"]
    )
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12)


def documents(files: Files) -> list[str]:
    """Names of the JSON documents."""
    return [name for name, data in files.items() if data[:1] in (b"{", b"[")]


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """`value` with something in it replaced, added or taken out."""
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 4)) == 0:
            return {name: item for name, item in value.items() if name != key}
        return {**value, key: draw(changed(value[key]))}
    if isinstance(value, list) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(changed(value[at])), *value[at + 1 :]]
    return draw(VALUES)


def use(spec: str) -> None:
    """Everything that looks at an image without changing it."""
    try:
        image = open_image(spec)
        validate(image)
        check(image, REPLICATED, 1000)
        summary = summarise(image, 1000)
        json.dumps(image_document(summary))
        image_table(summary)
    except LayerkitError as error:
        assert error.exit_code in (2, 3)


@pytest.mark.parametrize(
    "files", [simple_layout("a", "b"), docker_archive(layer("a"), gzipped(layer("b")))], ids=["oci", "docker"]
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_documents_may_hold_anything(tmp_path: Path, files: Files, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(documents(files)))
    raw = json.dumps(data.draw(changed(json.loads(files[name])))).encode()
    use(str(write_folder(tmp_path / encoded(sha256(raw))[:16], replaced(files, name, raw))))


def replaced(files: Files, name: str, raw: bytes) -> Files:
    """With another document under `name`. Names and references follow its digest and size: otherwise all that is found is that
    somebody changed it."""
    old, new = encoded(sha256(files[name])), encoded(sha256(raw))
    sizes = f'"size": {len(files[name])}'.encode(), f'"size": {len(raw)}'.encode()
    found = {}
    for other, content in files.items():
        if old.encode() in content:
            content = content.replace(old.encode(), new.encode()).replace(*sizes)
        found[other.replace(old, new)] = raw if other == name else content
    return found
