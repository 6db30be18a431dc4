"""Keys in any case, as readers written in Go take them."""

import json
from pathlib import Path

import pytest

import layerkit
from layerkit.errors import DamagedError
from layerkit.image.digest import sha256
from layerkit.image.keys import CONFIG, specified
from layerkit.image.manifest import parse_config, parse_document
from layerkit.image.media_types import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST

DIGEST = sha256(b"x")


def test_what_is_spelled_right_stays_the_very_same() -> None:
    fields = {"rootfs": {}, "Other": 1, "os": "linux"}
    assert specified(fields, CONFIG, "config") is fields


def test_order_and_unknown_keys_stay() -> None:
    assert list(specified({"ROOTFS": 1, "Other": 2, "oS": 3}, CONFIG, "config").items()) == [
        ("rootfs", 1),
        ("Other", 2),
        ("os", 3),
    ]


def test_two_spellings_are_refused() -> None:
    with pytest.raises(DamagedError, match="config: expected the key 'rootfs' once, found it in two spellings"):
        specified({"rootfs": 1, "rootFS": 2}, CONFIG, "config")


def test_a_config() -> None:
    written = {
        "Architecture": "amd64",
        "OS": "linux",
        "rootfS": {"Type": "layers", "DIFF_IDs": [DIGEST]},
        "History": [{"Created_By": "x", "Empty_Layer": True}],
        "Config": {"user": "me", "cmd": ["a"], "Labels": {"user": "stays"}},
    }
    config = parse_config(json.dumps(written).encode(), "config")
    assert (str(config.platform), config.diff_ids) == ("linux/amd64", (DIGEST,))
    assert [(line.created_by, line.empty_layer) for line in config.history] == [("x", True)]
    assert config.fields["config"] == {"User": "me", "Cmd": ["a"], "Labels": {"user": "stays"}}
    new = config.with_layers([DIGEST, DIGEST], None)
    assert set(json.loads(new.raw)) == {"architecture", "os", "rootfs", "history", "config"}
    assert json.loads(new.raw)["rootfs"] == {"type": "layers", "diff_ids": [DIGEST, DIGEST]}


def test_a_manifest() -> None:
    config = {"MediaType": OCI_CONFIG, "Digest": DIGEST, "SIZE": 1}
    layer = {"mediatype": OCI_LAYER_GZIP, "digest": DIGEST, "size": 1, "Annotations": {"a": "b"}}
    raw = json.dumps({"SchemaVersion": 2, "MEDIATYPE": OCI_MANIFEST, "Config": config, "Layers": [layer]}).encode()
    manifest = parse_document(raw, "manifest")
    assert isinstance(manifest, layerkit.image.manifest.Manifest)
    assert [(found.digest, found.annotations) for found in manifest.layers] == [(DIGEST, {"a": "b"})]
    raw = json.dumps({"config": config, "layers": [], "Layers": [layer]}).encode()
    with pytest.raises(DamagedError, match="two spellings"):
        parse_document(raw, "manifest")


def test_a_platform(tmp_path: Path) -> None:
    entry = {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 1, "platform": {"OS": "windows", "Architecture": "amd64"}}
    index = parse_document(json.dumps({"manifests": [entry]}).encode(), "index")
    assert isinstance(index, layerkit.image.manifest.Index)
    assert str(index.entries[0].platform) == "windows/amd64"
