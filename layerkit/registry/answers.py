"""What a registry said, for programs and for people.

In: a status, headers, a body. Out: the registry's error codes (distribution-spec, "Error Codes"), and a reason in one line. What
an edge or a proxy says in HTML is told apart from what a registry says in JSON.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from layerkit.image.digest import Digest, is_digest
from layerkit.image.foreign import ForeignError, natural, read_json

_LONGEST_REASON = 300
"""Characters of a registry's own words that a message quotes."""

_LONGEST_TEXT = 4096
"""Bytes of a registry's own words that are looked into."""

_EDGE = {
    413: "the request is larger than the registry's edge allows",
    429: "too many requests",
    502: "the registry's edge got no valid answer from the registry",
    503: "the registry is not available at the moment",
    504: "the registry's edge gave up waiting for the registry",
    520: "the registry's edge got an unknown error from the registry",
    521: "the registry's edge found the registry down",
    522: "the registry's edge could not connect to the registry in time",
    523: "the registry's edge could not reach the registry",
    524: "the registry's edge gave up waiting for the registry",
}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    """Names are case-insensitive."""
    body: bytes
    url: str
    """What was asked in the end, after redirects."""
    challenges: tuple[str, ...] = ()
    """The values of WWW-Authenticate."""
    body_sent: bool = True
    """Was all of the request's body sent before this answer came?"""

    def number(self, header: str) -> int | None:
        """A header that is a plain number; None when it isn't there, or is anything else."""
        return natural(self.headers.get(header, "").strip())

    @property
    def is_html(self) -> bool:
        kind = self.headers.get("content-type", "").lower()
        return kind.startswith("text/html") or self.body[:64].lstrip().lower().startswith((b"<!doctype", b"<html"))

    def errors(self) -> list[dict[str, Any]]:
        """The registry's own errors, none if the body isn't theirs."""
        try:
            document = read_json(self.body)
        except ForeignError:
            return []
        errors = document.get("errors") if isinstance(document, dict) else None
        return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []

    def codes(self) -> tuple[str, ...]:
        """Such as `BLOB_UPLOAD_UNKNOWN`."""
        return tuple(str(error.get("code", "")) for error in self.errors())

    def text(self) -> str:
        """The registry's own words, as they are; nothing of a web page."""
        return "" if self.is_html else self.body[:_LONGEST_TEXT].decode("utf-8", "replace")

    def digests_named(self) -> set[Digest]:
        """Digests anywhere in the errors' details: which blobs a manifest lacks."""
        return {Digest(text) for error in self.errors() for text in _strings(error.get("detail")) if is_digest(text)}

    def reason(self, secrets: Iterable[str] = ()) -> str:
        """One line: the status, and what the registry or its edge meant by it, without the secrets it may quote back."""
        words = "; ".join(filter(None, (_words(error) for error in self.errors())))
        if not words:
            words = _EDGE.get(self.status, "") or _title(self)
        for secret in secrets:
            words = words.replace(secret, "***")
        return f"HTTP {self.status}" + (f" ({words[:_LONGEST_REASON]})" if words else "")


def _words(error: Mapping[str, Any]) -> str:
    code, message, detail = (error.get(key) for key in ("code", "message", "detail"))
    text = ": ".join(str(part) for part in (code, message) if part)
    if isinstance(detail, str) and detail and detail not in text:
        text += f": {detail}"
    return " ".join(text.split())


def _title(answer: Answer) -> str:
    """An HTML page's title, or a short text."""
    text = answer.body[:4096].decode("utf-8", "replace")
    if answer.is_html:
        match = re.search(r"<title>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        return " ".join(match[1].split()) if match else "an HTML page"
    text = " ".join(text.split())
    return text if text.isprintable() and not text.startswith("{") else ""


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        yield from re.findall(r"sha(?:256|512):[0-9a-f]+", value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
