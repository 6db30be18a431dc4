"""Foreign text on a page: on one line, visible, and no longer than a person reads."""

from hypothesis import given
from hypothesis import strategies as st

from layerkit.report.page.text import shown


@given(st.text(st.characters(), max_size=300), st.integers(5, 100))
def test_short_and_visible(text: str, most: int) -> None:
    found = shown(text, most)
    assert len(found) <= most
    assert found.isprintable()


def test_the_middle_is_left_out() -> None:
    assert shown("/usr/lib/x", 20) == "/usr/lib/x"
    long = shown("a" * 1_000_000 + "/end.so", 20)
    assert long == "aaaaaaaaaa…aa/end.so"
    assert shown("\u202e\udc80\n\x1b x", 60) == "\\u202e\\udc80 \\x1b x"
