"""Digests: `algorithm:hex` (image-spec, descriptor.md, "Digests").

The two registered algorithms are read; everything layerkit makes is sha256, which is all that registries accept in practice.
"""

import hashlib
import re
from typing import NewType, Protocol

from layerkit.errors import DamagedError

Digest = NewType("Digest", str)

_LENGTHS = {"sha256": 64, "sha512": 128}
_DIGEST = re.compile(r"(sha256|sha512):([0-9a-f]+)")


class Hasher(Protocol):
    """The part of hashlib's objects that layerkit uses."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...
    def copy(self) -> "Hasher": ...


def parse_digest(text: object, where: str) -> Digest:
    """`text` as a Digest; DamagedError, naming `where`, if it isn't one."""
    match = _DIGEST.fullmatch(text) if isinstance(text, str) else None
    if match is None or len(match[2]) != _LENGTHS[match[1]]:
        raise DamagedError.mismatch(where, expected="a digest such as sha256:<64 hex digits>", found=repr(text))
    return Digest(match[0])


def is_digest(text: str) -> bool:
    match = _DIGEST.fullmatch(text)
    return match is not None and len(match[2]) == _LENGTHS[match[1]]


def sha256(data: bytes | memoryview) -> Digest:
    """The sha256 digest of bytes in memory."""
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")


def hasher_for(digest: Digest) -> Hasher:
    """A fresh hasher of the digest's algorithm."""
    return hashlib.new(algorithm(digest))


def algorithm(digest: Digest) -> str:
    return digest.partition(":")[0]


def encoded(digest: Digest) -> str:
    """The hex part."""
    return digest.partition(":")[2]


def short(digest: Digest) -> str:
    """Twelve hex digits, for people."""
    return encoded(digest)[:12]
