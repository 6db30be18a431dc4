"""Which files say what is installed. In: a member's path and size. Out: is its content needed?

It is asked for every member of a layer, so most answers take two comparisons that are made in C.
"""

MIB = 1 << 20

MAX_LIST = 32 * MIB
"""Bytes of a list of files, or of a database in plain text."""
MAX_RPM = 64 * MIB
"""Of an rpm database, which holds all that was in the packages' headers."""
MAX_DOCUMENT = 16 * MIB
"""Of a document in JSON: what `image.foreign` reads."""
MAX_METADATA = 4 * MIB
"""Of one package's own description. Some hold all of their README, and licences of what they bundle."""

DPKG = b"var/lib/dpkg/"
APK = (b"lib/apk/db/installed", b"usr/lib/apk/db/installed")
RPM = (b"usr/lib/sysimage/rpm/", b"var/lib/rpm/", b"usr/share/rpm/")
"""Where rpm's database is: since 2022, before, and on rpm-ostree."""
RPM_DATABASES = (b"rpmdb.sqlite", b"Packages.db", b"Packages")
"""What it is called: SQLite, rpm's own, Berkeley DB."""

RPM_LOG = b"rpmdb.sqlite-wal"
"""What was written to the first, and isn't in it yet: empty where rpm ended as it should."""

_RPM = frozenset(folder + name for folder in RPM for name in (*RPM_DATABASES, RPM_LOG))
_BEGINS = (DPKG, b"lib/apk/db/", b"usr/lib/apk/db/", *RPM)
_METADATA = (b".dist-info/METADATA", b".egg-info/PKG-INFO", b"/EGG-INFO/PKG-INFO", b".egg-info", b".egg-info/top_level.txt")
_LISTS = (b".dist-info/RECORD", b".egg-info/installed-files.txt")
_CONDA = b"conda-meta/"
_NPM = b"/package.json"
_ENDS = (*_METADATA, *_LISTS, _NPM, b".json")


def wanted(path: bytes, size: int) -> bool:
    """Is this file one that `Owners` needs? `path`: from the root, without a leading slash or `./`; `size`: in bytes. One that is
    wanted with a size of 0 and not with its own is too large, and what it says stays unknown."""
    if path.endswith(_ENDS):
        return size <= _limit_of_ending(path)
    return path.startswith(_BEGINS) and size <= _limit_of_beginning(path)


def _limit_of_ending(path: bytes) -> int:
    if path.endswith(_NPM):
        return MAX_METADATA if npm_folder(path) else -1
    if path.endswith(b".json"):
        folder = path[: path.rfind(b"/") + 1]
        return MAX_DOCUMENT if folder == _CONDA or folder.endswith(b"/" + _CONDA) else -1
    return MAX_LIST if path.endswith(_LISTS) else MAX_METADATA


def _limit_of_beginning(path: bytes) -> int:
    if path.startswith(DPKG):
        rest = path[len(DPKG) :]
        named = rest in (b"status", b"diversions") or (rest.startswith(b"info/") and rest.endswith(b".list"))
        return MAX_LIST if named or rest.startswith(b"status.d/") else -1
    if path in APK:
        return MAX_LIST
    return MAX_RPM if path in _RPM else -1


def npm_folder(path: bytes) -> bytes:
    """The package that a `package.json` is about: `…/node_modules/NAME` or `…/node_modules/@SCOPE/NAME`; nothing otherwise."""
    folder = path[: path.rfind(b"/")]
    above, _, name = folder.rpartition(b"/")
    if name.startswith((b".", b"@")):
        return b""
    parent = above[above.rfind(b"/") + 1 :]
    if parent.startswith(b"@"):
        above = above[: -len(parent) - 1]
    return folder if above == b"node_modules" or above.endswith(b"/node_modules") else b""
