"""What can go wrong, and the exit code of each kind.

    LayerkitError
    ├── UsageError            2    an option or a name that can't be meant
    ├── ImageError            3    the image is unreadable or damaged
    │   ├── NotAnImageError        the bytes are something else
    │   ├── MissingBlobError       a descriptor names a blob that isn't there
    │   └── DamagedError           expected one thing, found another
    ├── CannotFixError        4    the image is sound, but can't be fixed as asked
    │   ├── UnsplittableError      one file (or hard-link group) exceeds the limit
    │   ├── ProofError             a new layer doesn't hold what it should
    │   └── OutputError            the result can't be written
    ├── RefusedError          5    the registry said no (login, 4xx)
    └── UnreachableError      6    no registry there, or it kept failing after retries
        └── BlobTooSlowError       its edge gives up on one blob every time

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


class UnreachableError(LayerkitError):
    exit_code = 6


class BlobTooSlowError(UnreachableError):
    """The edge gives up on this blob every time: a smaller one would go through."""

    def __init__(self, message: str, digest: str) -> None:
        super().__init__(message)
        self.digest = digest
