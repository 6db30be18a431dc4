"""What files really are, by libmagic: not by their names."""

import importlib
from collections.abc import Sequence

HEAD_BYTES = 4096
"""Bytes of a file that are looked at: enough for ELF's class and machine, archives, images, model files."""

MAX_CLASSIFIED = 400
"""Files looked at, the largest first: libmagic takes 1 to 3 ms for each, and these hold nearly all the bytes."""

SMALL = "small files"
UNKNOWN = "application/octet-stream"


def types_of(heads: Sequence[bytes]) -> list[str]:
    """A media type for each beginning of a file. Without libmagic everything is application/octet-stream."""
    try:
        importlib.import_module("pylibmagic")  # brings libmagic where the system has none
        import magic

        judge = magic.Magic(mime=True)
    except (ImportError, OSError):
        return [UNKNOWN] * len(heads)
    return [str(judge.from_buffer(head)) for head in heads]
