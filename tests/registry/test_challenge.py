"""WWW-Authenticate: the grammar, and what registries send."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.registry.challenge import Challenge, parse_challenges

TOKEN = st.text(string.ascii_letters + string.digits + "!#$%&'*+.^_`|~-", min_size=1, max_size=12)
SPACE = st.sampled_from(["", " ", "  ", "\t"])
QUOTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


@st.composite
def parameters(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    names = draw(st.lists(TOKEN.map(str.lower), min_size=1, max_size=4, unique=True))
    texts, values = [], {}
    for name in names:
        value = draw(st.one_of(QUOTABLE, TOKEN))
        quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        plain = value and all(character in string.ascii_letters for character in value)
        written = draw(st.sampled_from([quoted, value])) if plain else quoted
        texts.append(f"{draw(st.sampled_from([name, name.upper()]))}{draw(SPACE)}={draw(SPACE)}{written}")
        values[name] = value
    return draw(st.sampled_from([", ", ",", " , ", ",,"])).join(texts), values


@st.composite
def challenges(draw: st.DrawFn) -> tuple[str, list[Challenge]]:
    texts, values = [], []
    for _ in range(draw(st.integers(1, 4))):
        scheme = draw(TOKEN)
        if draw(st.booleans()):
            text, found = draw(parameters())
            texts.append(f"{scheme} {text}")
            values.append(Challenge(scheme.lower(), found))
        else:
            texts.append(scheme)
            values.append(Challenge(scheme.lower()))
    return ", ".join(texts), values


@given(challenges())
def test_what_is_written_is_read(written: tuple[str, list[Challenge]]) -> None:
    text, expected = written
    assert parse_challenges([text]) == expected


@given(st.lists(challenges(), max_size=3))
def test_several_headers_are_as_one(written: list[tuple[str, list[Challenge]]]) -> None:
    assert parse_challenges([text for text, _ in written]) == [one for _, found in written for one in found]


@given(st.text(max_size=60))
def test_no_text_is_too_odd(text: str) -> None:
    parse_challenges([text])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        ('Basic realm="a, b=c"', [Challenge("basic", {"realm": "a, b=c"})]),
        ('Basic realm="x", Bearer realm="y"', [Challenge("basic", {"realm": "x"}), Challenge("bearer", {"realm": "y"})]),
        ("Negotiate YII=, Basic realm=x", [Challenge("negotiate", token68="YII="), Challenge("basic", {"realm": "x"})]),
        ("Basic", [Challenge("basic")]),
        ("", []),
        (r'Basic realm="say \"hi\""', [Challenge("basic", {"realm": 'say "hi"'})]),
        ('Bearer realm="unended', [Challenge("bearer")]),
    ],
)
def test_what_registries_send(text: str, expected: list[Challenge]) -> None:
    assert parse_challenges([text]) == expected
