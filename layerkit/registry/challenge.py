"""`WWW-Authenticate`, by its grammar (RFC 9110, 11.6.1 and 11.2): several challenges in one header, commas inside quoted
strings, token68 values.

    WWW-Authenticate = #challenge
    challenge        = scheme [ 1*SP ( token68 / #( token BWS "=" BWS ( token / quoted-string ) ) ) ]
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_SPACE = re.compile(r"[ \t]*")
_SEPARATORS = re.compile(r"[ \t,]*")


@dataclass(frozen=True)
class Challenge:
    """One way to authorise a request. Scheme and parameter names are lower-case: they are case-insensitive."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    token68: str = ""


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """The challenges of all WWW-Authenticate headers, in order. What follows a fault in a header is left out: a registry's bad
    header must not hide the good challenge before it."""
    return [challenge for value in values for challenge in _parse(value)]


def _parse(value: str) -> Iterable[Challenge]:
    position = _skip(_SEPARATORS, value, 0)
    while position < len(value):
        scheme = _TOKEN.match(value, position)
        if scheme is None:
            return
        after = _skip(_SPACE, value, scheme.end())
        parameters: dict[str, str] = {}
        token68 = ""
        if after > scheme.end():
            parameters, position = _parameters(value, after)
            if (
                not parameters
                and (match := _TOKEN68.match(value, after))
                and not _SPACE.fullmatch(value, scheme.end(), after + 1)
            ):
                token68, position = match[0], match.end()
        else:
            position = after
        yield Challenge(scheme[0].lower(), parameters, token68)
        following = _skip(_SEPARATORS, value, position)
        if following < len(value) and "," not in value[position:following]:
            return  # neither a parameter nor a separator: the rest can't be told apart
        position = following


def _parameters(value: str, position: int) -> tuple[dict[str, str], int]:
    """The parameters from `position`, and where they end: at the last one, before its comma. A name without `=` is the next
    challenge's scheme."""
    found: dict[str, str] = {}
    end = position
    while True:
        name = _TOKEN.match(value, position)
        equals = _EQUALS.match(value, name.end()) if name else None
        if name is None or equals is None:
            return found, end
        if quoted := _QUOTED.match(value, equals.end()):
            text, end = re.sub(r"\\(.)", r"\1", quoted[1]), quoted.end()
        elif token := _TOKEN.match(value, equals.end()):
            text, end = token[0], token.end()
        else:
            return found, end
        found.setdefault(name[0].lower(), text)
        position = _skip(_SEPARATORS, value, end)
        if "," not in value[end:position]:
            return found, end


def _skip(pattern: re.Pattern[str], value: str, position: int) -> int:
    match = pattern.match(value, position)
    return match.end() if match else position
