"""What is asked for of all images, and of one by its line.

In: options for all, and a line's `key=value`s. Out: the order. Keys are the long options of `layerkit fix-and-push`; a flag is
`true` or `false`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from layerkit.batch.list import SIZE, TO, Line
from layerkit.batch.orders import Decide
from layerkit.batch.run import Order
from layerkit.choices import KEEP, CompressionChoice, parse_compression, parse_platform
from layerkit.errors import UsageError
from layerkit.image.media_types import Family
from layerkit.image.reference import Reference, parse_reference
from layerkit.profiles import Profiles
from layerkit.rewrite import options_for
from layerkit.sizes import parse_size

T = TypeVar("T")

_FLAGS = {"true": True, "false": False}
_FAMILIES = {"auto": None, "docker": Family.DOCKER, "oci": Family.OCI}


@dataclass(frozen=True)
class Asked:
    """As the options of `layerkit fix-and-push`."""

    max_layer_size: int | None = None
    """Bytes of the compressed layer; None: the target's profile decides."""
    compression: CompressionChoice = KEEP
    family: Family | None = None
    platforms: tuple[str, ...] = ()
    keep_attestations: bool = False
    allow_oversized: bool = False
    verify: bool = True
    profile: str | None = None
    """Its name; None: by the target's host."""
    reuse_from: tuple[str, ...] = ()


def with_options_of(line: Line, asked: Asked) -> Asked:
    """What the line says in the place of what is asked of all. Raises UsageError that names line and key."""
    for key, values in line.options.items():
        if key in (SIZE, TO):
            continue
        read = _KEYS.get(key)
        if read is None:
            known = ", ".join(sorted([*_KEYS, SIZE, TO]))
            raise UsageError(f"{line.where}: {key}=: there is no such key; there are {known}")
        try:
            asked = read(asked, values)
        except (ValueError, UsageError) as error:
            raise UsageError(f"{line.where}: {key}={values[-1]}: {error}") from None
    return asked


def _choice(choices: dict[str, T], text: str) -> T:
    if text not in choices:
        raise ValueError(f"expected one of {', '.join(choices)}")
    return choices[text]


_KEYS: dict[str, Callable[[Asked, tuple[str, ...]], Asked]] = {
    "max-layer-size": lambda asked, values: replace(asked, max_layer_size=parse_size(values[-1])),
    "compression": lambda asked, values: replace(asked, compression=parse_compression(values[-1])),
    "format": lambda asked, values: replace(asked, family=_choice(_FAMILIES, values[-1])),
    "platform": lambda asked, values: replace(asked, platforms=tuple(map(parse_platform, values))),
    "keep-attestations": lambda asked, values: replace(asked, keep_attestations=_choice(_FLAGS, values[-1])),
    "allow-oversized": lambda asked, values: replace(asked, allow_oversized=_choice(_FLAGS, values[-1])),
    "no-verify": lambda asked, values: replace(asked, verify=not _choice(_FLAGS, values[-1])),
    "profile": lambda asked, values: replace(asked, profile=values[-1]),
    "reuse-from": lambda asked, values: replace(asked, reuse_from=values),
}


def deciding(asked: Asked, profiles: Profiles) -> Decide:
    """What makes the order of a line."""

    def decide(line: Line, target: Reference) -> Order:
        own = with_options_of(line, asked)
        profile = profiles.named(own.profile) if own.profile is not None else profiles.for_host(target.host)
        lenders = tuple(parse_reference(text.removeprefix("docker://")) for text in own.reuse_from)
        for lender in lenders:
            if lender.registry != target.registry:
                raise UsageError(
                    f"{line.where}: reuse-from={lender}: only images in {target.registry} can lend {target} their layers"
                )
        options = options_for(
            profile,
            max_layer_size=own.max_layer_size,
            compression=own.compression.kind,
            level=own.compression.level,
            family=own.family,
            platforms=own.platforms,
            keep_attestations=own.keep_attestations,
            allow_oversized=own.allow_oversized,
            proven=own.verify,
        )
        return Order(line, target, profile, options, learns=own.max_layer_size is None, reuse_from=lenders)

    return decide
