"""Names of images in registries: `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`.

The grammar is distribution's (reference package; distribution-spec "Pulling manifests": the patterns of name and tag). A name
without a host is Docker Hub's, as docker reads it. Errors say which part breaks which rule.
"""

import re
from dataclasses import dataclass, replace

from layerkit.errors import UsageError
from layerkit.image.digest import Digest, is_digest

DOCKER_HUB = "docker.io"

_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
)
_MAX_NAME = 255
"""Characters of host and repository together (distribution, NameTotalLengthMax)."""


@dataclass(frozen=True)
class Reference:
    registry: str
    """Host, with port if given."""
    repository: str
    tag: str = ""
    digest: Digest | None = None

    def __str__(self) -> str:
        text = f"{self.registry}/{self.repository}"
        if self.tag:
            text += f":{self.tag}"
        return text + (f"@{self.digest}" if self.digest else "")

    def at(self, digest: Digest) -> str:
        """`HOST/REPOSITORY:TAG@DIGEST`: what a push prints."""
        return str(replace(self, digest=digest))

    @property
    def host(self) -> str:
        """The registry without its port."""
        return host_of(self.registry)


def host_of(registry: str) -> str:
    """`HOST[:PORT]` without its port, and without the brackets of an IPv6 address."""
    if registry.startswith("["):
        return registry[1:].partition("]")[0]
    return registry.partition(":")[0]


def parse_reference(text: str, *, default_tag: str = "latest") -> Reference:
    """Raises UsageError that names the faulty part and the rule it breaks."""
    rest, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise UsageError(f"{text!r}: the digest {digest!r} is not of the form sha256:<64 hex digits>")
    if names_a_host(rest):
        registry, _, path = rest.partition("/")
    else:
        registry, path = DOCKER_HUB, rest
    if not _HOST.fullmatch(registry):
        raise UsageError(f"{text!r}: {registry!r} is not a host name, optionally with :PORT")
    repository, colon, tag = path.partition(":")
    if registry == DOCKER_HUB and repository and "/" not in repository:
        repository = f"library/{repository}"
    check_repository(repository, text)
    if len(registry) + 1 + len(repository) > _MAX_NAME:
        raise UsageError(f"{text!r}: the name is longer than {_MAX_NAME} characters")
    if colon:
        check_tag(tag, text)
    elif not at:
        tag = default_tag
    return Reference(registry, repository, tag, Digest(digest) if at else None)


def names_a_host(text: str) -> bool:
    """Does a name begin with a host, as docker tells them from repositories (distribution, reference package)?"""
    first, slash, _ = text.partition("/")
    return bool(slash) and (first == "localhost" or "." in first or ":" in first or first.startswith("["))


def check_repository(repository: str, text: str) -> None:
    if not repository:
        raise UsageError(f"{text!r}: the repository is missing; expected HOST[:PORT]/REPOSITORY[:TAG]")
    for component in repository.split("/"):
        if not _COMPONENT.fullmatch(component):
            raise UsageError(
                f"{text!r}: {component!r} can't be part of a repository's name: lower-case letters and digits, separated by "
                "one '.', one or two '_' or any number of '-'"
            )


def check_tag(tag: str, text: str) -> None:
    if not _TAG.fullmatch(tag):
        raise UsageError(
            f"{text!r}: {tag!r} can't be a tag: 1 to 128 letters, digits, '_', '.' or '-', not beginning with '.' or '-'"
        )


def check_slug(slug: str) -> None:
    """Raises UsageError for an application slug that can't be part of a repository's name."""
    if not _COMPONENT.fullmatch(slug):
        raise UsageError(f"--app {slug!r}: an application slug is lower-case letters and digits, separated by '.', '_' or '-'")


def app_reference(slug: str, image_name: str, registry: str) -> Reference:
    """`--app SLUG`: the image's own name, moved to `REGISTRY/SLUG/NAME:TAG` (the last component of its repository and its tag).
    Raises UsageError when the slug or the name breaks the grammar."""
    check_slug(slug)
    own = parse_reference(image_name)
    name = own.repository.rpartition("/")[2]
    return parse_reference(f"{registry}/{slug}/{name}:{own.tag or 'latest'}")
