"""Which line of the Dockerfile made a layer. In: a config's history. Out: text, as BuildKit, docker and podman wrote it there."""

import re
from collections.abc import Sequence

from layerkit.image.manifest import Config

_SHELL = re.compile(r"(?:RUN )?(?:\|\d+ .*?)?/bin/(?:ba)?sh -c (#\(nop\)\s*)?")


def dockerfile_line(created_by: str) -> str:
    """`RUN apt-get update` for `/bin/sh -c apt-get update`, `COPY a b` for `/bin/sh -c #(nop) COPY a b`."""
    text = created_by.strip().removesuffix("# buildkit").rstrip()
    match = _SHELL.match(text)
    if match is None:
        return text
    return text[match.end() :] if match[1] else f"RUN {text[match.end() :]}"


def created_by(config: Config, layers: int) -> Sequence[str]:
    """What made each layer, as the history has it; empty strings when that doesn't fit the number of layers."""
    found = [line.created_by for line in config.history if not line.empty_layer]
    return found if len(found) == layers else [""] * layers
