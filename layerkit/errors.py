"""What can go wrong, and the exit code of each kind.

    LayerkitError
    ├── UsageError                    2    an option or a name that can't be meant
    ├── ImageError                    3    the image is unreadable or damaged
    │   ├── NotAnImageError                the bytes are something else
    │   ├── MissingBlobError               a descriptor names a blob that isn't there
    │   └── DamagedError                   expected one thing, found another
    ├── CannotFixError                4    the image is sound, but can't be fixed as asked
    │   ├── UnsplittableError              one file (or hard-link group) exceeds the limit
    │   ├── ProofError                     a new layer doesn't hold what it should
    │   └── OutputError                    the result can't be written
    ├── RefusedError                  5    the registry said no (login, 4xx)
    │   ├── HttpRefusalError               by a status, which it keeps
    │   │   ├── NotFoundError              404: no such repository, tag, manifest or blob
    │   │   └── UnauthorisedError          401 with the best credentials there are
    │   ├── BlobTooLargeError              it takes no blob of that size
    │   └── HelperError                    a program that keeps credentials isn't there or failed
    ├── UnreachableError              6    no registry there, or it kept failing after retries
    │   ├── NotARegistryError              something answers that doesn't speak the protocol
    │   ├── UnknownHostError               the host's name doesn't resolve
    │   ├── CertificateError               TLS failed for a reason that another try won't change
    │   ├── BrokenConnectionError          no answer: worth another try
    │   ├── KeptFailingError               it was tried again until there was no sense in it
    │   └── BlobTooSlowError               the edge gives up on one blob every time
    └── InterruptedPushError        130    the user, or an error elsewhere, ended the work

Messages are for people: file, member or layer, what was expected, what was found, what to do. None of them ever carries a
secret. `cli/main.py` turns the class into the exit code; nothing else calls `sys.exit`.
"""


class LayerkitError(Exception):
    """Base of every error layerkit raises on purpose."""

    exit_code = 1


class UsageError(LayerkitError):
    exit_code = 2


class ImageError(LayerkitError):
    exit_code = 3


class NotAnImageError(ImageError):
    pass


class MissingBlobError(ImageError):
    pass


class DamagedError(ImageError):
    """`where: expected X, found Y`."""

    @classmethod
    def mismatch(cls, where: str, *, expected: object, found: object, why: str = "") -> "DamagedError":
        """`why` is a short cause for the reader, put in brackets."""
        return cls(f"{where}: expected {expected}, found {found}" + (f" ({why})" if why else ""))


class CannotFixError(LayerkitError):
    exit_code = 4


class UnsplittableError(CannotFixError):
    pass


class ProofError(CannotFixError):
    pass


class OutputError(CannotFixError):
    pass


class RefusedError(LayerkitError):
    exit_code = 5


class HttpRefusalError(RefusedError):
    """The registry answered with a status that says no."""

    def __init__(self, message: str, status: int, codes: tuple[str, ...] = ()) -> None:
        """`codes`: the registry's own, such as `BLOB_UNKNOWN` (distribution-spec, "Error Codes")."""
        super().__init__(message)
        self.status = status
        self.codes = codes


class NotFoundError(HttpRefusalError):
    """404: no such repository, tag, manifest or blob."""


class UnauthorisedError(HttpRefusalError):
    """401 with the best credentials there are, or a token service that gave none."""


class BlobTooLargeError(RefusedError):
    """The registry takes no blob of that size, however it is sent: smaller ones would be taken."""

    def __init__(self, message: str, digest: str, limit: int) -> None:
        """`limit`: bytes of a blob that would, as far as can be told."""
        super().__init__(message)
        self.digest = digest
        self.limit = limit
        self.arrived: frozenset[str] = frozenset()
        """Digests of the blobs that are there all the same."""


class HelperError(RefusedError):
    """A credential helper isn't there or failed."""


class UnreachableError(LayerkitError):
    exit_code = 6


class NotARegistryError(UnreachableError):
    """Something answers, but it doesn't speak the registry protocol: a captive portal, a proxy, a web site."""


class UnknownHostError(UnreachableError):
    """The host's name doesn't resolve."""


class CertificateError(UnreachableError):
    """TLS failed for a reason that another try won't change."""

    def __init__(self, message: str, *, untrusted: bool = False) -> None:
        super().__init__(message)
        self.untrusted = untrusted
        """TLS is spoken, but the certificate is nobody's we trust: never a reason to do without."""


class BrokenConnectionError(UnreachableError):
    """No answer: refused, reset, ended early, timed out. Worth another try."""

    def __init__(self, message: str, *, timed_out: bool = False, connected: bool = True) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.connected = connected
        """Was the registry reached at all?"""


class KeptFailingError(UnreachableError):
    """What may pass didn't, however often it was tried."""


class BlobTooSlowError(UnreachableError):
    """The edge gives up on this blob every time: a smaller one would go through."""

    def __init__(self, message: str, digest: str, limit: int | None = None) -> None:
        """`limit`: bytes of a blob that would, as far as can be told."""
        super().__init__(message)
        self.digest = digest
        self.limit = limit
        self.arrived: frozenset[str] = frozenset()
        """Digests of the blobs that are there all the same."""


class InterruptedPushError(LayerkitError):
    """The user, or an error elsewhere, ended the work."""

    exit_code = 130
