"""What the JSON of a command looks like, and which version of it that is. In: a document's name and fields. Out: the document
that is printed, or its JSON Schema (draft 2020-12).

A file per document. `schema` is its first field and says both: `layerkit.check/1`. What a version promises: docs/json.md.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

DOCUMENTS = {
    "inspect": "inspect IMAGE",
    "inspect-several": "inspect IMAGE IMAGE...",
    "contents": "part of inspect --files",
    "planned": "part of inspect --plan and of --dry-run",
    "diff": "diff",
    "check": "check",
    "fix": "fix",
    "push": "push",
    "fix-and-push": "fix-and-push",
    "dry-run": "fix-and-push --dry-run",
    "batch": "batch, each line",
    "verify": "verify",
    "profiles": "profiles",
    "blank": "blank",
    "bench": "bench",
}
"""Name -> what prints it, with --json."""

VERSIONS = dict.fromkeys(DOCUMENTS, 1)
"""Counted up for a document when a field goes or comes to mean something else; new fields keep it."""

_PARTS = {"inspect": ("contents", "planned"), "dry-run": ("planned",)}
"""Which others a schema refers to."""


def document(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """`fields`, after the name and version of what they are."""
    return {"schema": f"layerkit.{name}/{VERSIONS[name]}", **fields}


def schema(name: str) -> dict[str, Any]:
    """The schema of a document, with those that it refers to in its `$defs`, so that it needs no other file."""
    found = _read(name)
    for part in _PARTS.get(name, ()):
        found["$defs"][part] = _read(part)
    return found


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("layerkit.schemas").joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return found
