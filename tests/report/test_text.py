"""Whatever an image holds, showing it does nothing to the terminal."""

import json

from hypothesis import given
from hypothesis import strategies as st

from layerkit.report.text import counted, escaped, json_text, one_line, plural


def test_escapes_are_shown_not_sent() -> None:
    assert escaped("a\x1b[31mb\u202ec\n\udcff") == "a\\x1b[31mb\\u202ec\\n\\udcff"
    assert one_line("  RUN  a \n && b\t") == "RUN a && b"


@given(st.text())
def test_nothing_unprintable_is_left(text: str) -> None:
    shown = escaped(text)
    assert shown.isprintable()
    shown.encode()


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_says_the_same_and_does_nothing_to_a_terminal(value: object) -> None:
    shown = json_text(value)
    assert json.loads(shown) == value
    assert shown.replace("\n", "").isprintable()
    shown.encode()


def test_plurals() -> None:
    assert counted(["SBOM", "index", "SBOM", "index"]) == "2 SBOMs, 2 indexes"
    assert [plural(1, "entry"), plural(2, "entry"), plural(1200, "layer")] == ["1 entry", "2 entries", "1,200 layers"]
