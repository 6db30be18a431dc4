"""One HTML file out of a document and `files/`.

In: plain values. Out: HTML. The policy in its head lets it load nothing, and run nothing but the scripts in it, each named by its
hash. The document is JSON in a script element that no browser runs; what the image says becomes text when it is drawn.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

from layerkit.compare.changes import Changes
from layerkit.report.findings import Finding
from layerkit.report.page.changes import changes_document
from layerkit.report.page.document import PlatformPage, page_document
from layerkit.report.summary import ImageSummary

_IMAGE = ("d3-hierarchy/d3-hierarchy.min.js", "text.js", "charts.js", "tree.js", "map.js", "sections.js", "frame.js", "page.js")
_CHANGES = ("text.js", "sections.js", "frame.js", "changes.js")
"""Scripts, in the order in which they need each other."""


def image_page(summary: ImageSummary, platforms: Sequence[PlatformPage] = (), findings: Sequence[Finding] = ()) -> str:
    """`platforms` go with the summary's, in their order; none: nothing is known beyond it."""
    return _assembled(page_document(summary, platforms, findings), _IMAGE)


def changes_page(old: str, new: str, platforms: Sequence[Changes]) -> str:
    """`old` and `new`: what the images are called."""
    return _assembled(changes_document(old, new, platforms), _CHANGES)


def _assembled(document: dict[str, Any], scripts_of: Sequence[str]) -> str:
    style = _file("page.css")
    scripts = [_script(name) for name in scripts_of]
    policy = (
        f"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src {_hash(style)}; script-src {' '.join(map(_hash, scripts))}"
    )
    page = _file("page.html")
    for mark, text in (
        ("POLICY", policy),
        ("STYLE", f"<style>{style}</style>"),
        ("SCRIPTS", "\n".join(f"<script>{script}</script>" for script in scripts)),
        ("DATA", embedded(document)),  # the last: nothing is replaced in it
    ):
        page = page.replace(f"<!-- {mark} -->", text)
    return page


def embedded(value: object) -> str:
    """JSON in which a reader of HTML finds nothing: no `<`, `>` or `&`, and nothing beyond ASCII."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _script(name: str) -> str:
    """A library's with its licence, which goes wherever it goes."""
    folder, slash, _ = name.rpartition("/")
    return f"/*\n{_file(f'{folder}/LICENSE')}*/\n{_file(name)}" if slash else _file(name)


def _file(name: str) -> str:
    return files(__package__).joinpath("files", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a policy names what may be run."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
