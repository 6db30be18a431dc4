"""Whatever an image holds, showing it does nothing to the terminal."""

from hypothesis import given
from hypothesis import strategies as st

from layerkit.report.text import one_line, plural, printable


def test_escapes_are_shown_not_sent() -> None:
    assert printable("a\x1b[31mb\u202ec\n\udcff") == "a\\x1b[31mb\\u202ec\n\\udcff"
    assert one_line("  RUN  a \n && b\t") == "RUN a && b"


@given(st.text())
def test_nothing_unprintable_is_left(text: str) -> None:
    shown = printable(text)
    assert all(char.isprintable() or char == "\n" for char in shown)
    shown.encode()


def test_plurals() -> None:
    assert [plural(1, "entry"), plural(2, "entry"), plural(1200, "layer")] == ["1 entry", "2 entries", "1,200 layers"]
