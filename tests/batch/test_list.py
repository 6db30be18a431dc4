"""The LIST: what is written is read, mistakes are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.batch.list import Line, below, format_line, parse_list
from layerkit.errors import UsageError

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=30)
KEYS = st.from_regex(r"[a-z][a-z-]{0,10}", fullmatch=True).filter(lambda key: key not in ("size", "to"))


@given(
    st.builds(
        Line,
        WORDS,
        st.none() | st.sampled_from(["registry.example/app/worker:1", "localhost:5000/a"]),
        st.dictionaries(KEYS, st.lists(st.text("ab =#'\"\\$x", max_size=8), min_size=1, max_size=3).map(tuple), max_size=3),
    )
)
def test_what_is_written_is_read(line: Line) -> None:
    (found,) = parse_list(["# a comment", "", format_line(line), "   "], "list")
    assert (found.image, found.reference, found.options) == (line.image, line.reference, line.options)
    assert found.where == "list:3"


def test_words_comments_and_options() -> None:
    lines = parse_list(
        [
            "a.tar  host.example/a:1   # the first",
            "d#1.tar to=host.example/p platform=linux/amd64 platform=linux/arm64 size=3GB\r\n",
            "'b c.tar' docker://host.example/b:2",
        ],
        "list",
    )
    assert lines[0] == Line("a.tar", "host.example/a:1", {}, "list:1")
    assert lines[1].image == "d#1.tar"
    assert lines[1].options["platform"] == ("linux/amd64", "linux/arm64")
    assert lines[1].size == 3_000_000_000
    assert lines[2] == Line("b c.tar", "host.example/b:2", {}, "list:3")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a.tar host.example/UPPER:1", "can't be part of a repository's name"),
        ("a.tar host.example/a:1 something", "only key=value"),
        ("a.tar 'host.example/a:1", "isn't closed"),
        ("a.tar host.example/a:1 \\", "backslash"),
        ("a.tar host.example/a:1 size=many", "size=many"),
        ("a.tar host.example/a:1 to=host.example/b", "say the same"),
        ("''", "empty"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as told:
        parse_list(["", text], "list.txt")
    assert str(told.value).startswith("list.txt:2: ")


@pytest.mark.parametrize(
    ("own", "becomes"),
    [
        ("nginx:1.27", "host.example/p/nginx:1.27"),
        ("docker.io/library/nginx", "host.example/p/nginx:latest"),
        ("ghcr.io/me/app:v1", "host.example/p/me/app:v1"),
        ("localhost:5000/me/app:v1", "host.example/p/me/app:v1"),
    ],
)
def test_where_an_image_goes_by_its_own_name(own: str, becomes: str) -> None:
    assert str(below("host.example/p/", own, "list:1")) == becomes


def test_a_name_without_a_tag_is_nowhere_to_go() -> None:
    with pytest.raises(UsageError, match="no tag"):
        below("host.example/p", "me/app@sha256:" + "0" * 64, "list:1")
