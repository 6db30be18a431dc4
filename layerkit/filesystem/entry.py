"""What one member of a layer puts into the filesystem.

In: a framed member and the pax globals in force. Out: an `Entry` with everything an applier sets: type, mode, numeric owner,
mtime, xattrs, device, link target; its content is hashed by whoever streams it. What Go's archive/tar makes of a header is the
norm here, because docker, containerd, podman and umoci all read layers with it; names of owners are left out, for appliers go by
number.
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from layerkit.errors import DamagedError
from layerkit.tar.framing import Member
from layerkit.tar.header import BLOCK, HeaderError, Kind, parse_number, parse_pax

XATTR = b"SCHILY.xattr."
"""Prefix of the pax records that carry extended attributes, file capabilities among them."""

NOTHING: Mapping[bytes, Any] = MappingProxyType({})
_EXTENSIONS = b"xXLK"
_SPARSE = ord("S")
NANOSECONDS = 1_000_000_000
_MODE_BITS = 0o7777
_SYMLINK = Kind.SYMLINK
_DEVICES = Kind.CHAR_DEVICE, Kind.BLOCK_DEVICE
_REPEATED = (Kind.DIRECTORY, Kind.SYMLINK)
"""A part repeats those of other parts as its parents, maybe after a pax global header that came later; Go's reader, which is
everyone's, applies none of them."""


class Entry:
    """One inode. Paths that are hard links of each other hold the same object."""

    __slots__ = ("device", "digest", "gid", "globals", "hidden", "kind", "link", "mode", "mtime", "size", "uid", "xattrs")

    def __init__(self, kind: Kind, mode: int, uid: int, gid: int, mtime: int) -> None:
        self.kind = kind
        """HARD_LINK: one whose target isn't in its layer, which most appliers refuse."""
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.mtime = mtime
        """Nanoseconds since 1970."""
        self.xattrs = NOTHING
        self.size = 0
        """Bytes of data; for a sparse file, without its holes."""
        self.digest = b""
        """Fingerprint of the data; of a sparse file, of its map and data as stored."""
        self.link = b""
        """Target of a symlink, or of a hard link that leads out of its layer."""
        self.device: tuple[int, int] | None = None
        """Major and minor number."""
        self.globals = NOTHING
        """Pax global records in force: some readers apply them, Go's doesn't. None for those that a part may repeat."""
        self.hidden: tuple[bytes, ...] = ()
        """Marks of upper layers' directories that hide it from some overlays."""


def entry_of(member: Member, globals_in_force: Mapping[bytes, bytes], where: str) -> Entry:
    """The entry of a member. Raises DamagedError, naming `where` and the offset, for fields that are no numbers."""
    kind, pax = member.kind, member.pax
    block, _ = split_head(member.head)
    try:
        mode, uid, gid = mode_and_owner(block[100:124])
        if pax:
            uid = _pax_int(pax[b"uid"], "uid") if b"uid" in pax else uid
            gid = _pax_int(pax[b"gid"], "gid") if b"gid" in pax else gid
        mtime = _pax_time(pax[b"mtime"]) if b"mtime" in pax else parse_number(block[136:148], "mtime") * NANOSECONDS
        entry = Entry(kind, mode, uid, gid, mtime)
        if kind in _DEVICES:
            entry.device = parse_number(block[329:337], "device number"), parse_number(block[337:345], "device number")
    except HeaderError as error:
        raise DamagedError(f"{where}: offset {member.start:,}: {error}") from None
    if pax:
        xattrs = {key[len(XATTR) :]: value for key, value in pax.items() if key.startswith(XATTR)}
        if xattrs:
            entry.xattrs = xattrs
    if kind is _SYMLINK:
        entry.link = member.link
    entry.size = member.size
    if kind not in _REPEATED:
        entry.globals = globals_in_force
    return entry


@functools.lru_cache(maxsize=1 << 10)
def mode_and_owner(fields: bytes) -> tuple[int, int, int]:
    """Mode, uid and gid of these fields of a header: a layer's files have few different ones. Raises HeaderError."""
    mode = parse_number(fields[:8], "mode") & _MODE_BITS
    return mode, parse_number(fields[8:16], "uid"), parse_number(fields[16:], "gid")


def globals_after(member: Member, before: Mapping[bytes, bytes], where: str) -> Mapping[bytes, bytes]:
    """The pax globals in force after a global header: its records replace what was said before, an empty value takes one away."""
    block, payload = split_head(member.head)
    try:
        records = {**before, **parse_pax(payload[: parse_number(block[124:136], "size")])}
    except HeaderError as error:
        raise DamagedError(f"{where}: offset {member.start:,}: {error}") from None
    return {key: value for key, value in records.items() if value}


def sparse_map(member: Member) -> bytes:
    """What says where a sparse file's data belong, as stored; empty for ordinary files."""
    if _SPARSE in member.head[156::BLOCK]:
        block, extensions = split_head(member.head)
        if block[156] == _SPARSE:
            return block[386:495] + extensions
    keys = [key for key in member.pax if key.startswith(b"GNU.sparse.")]
    return b"".join(key + b"=" + member.pax[key] + b"\n" for key in sorted(keys)) if keys else b""


def split_head(head: bytes) -> tuple[bytes, bytes]:
    """The member's own header, behind its extension headers, and what of the head follows it."""
    if len(head) == BLOCK:
        return head, b""
    at = 0
    while head[at + 156] in _EXTENSIONS:
        at += BLOCK + -(-parse_number(head[at + 124 : at + 136], "size") // BLOCK) * BLOCK
    return head[at : at + BLOCK], head[at + BLOCK :]


def _pax_int(value: bytes, what: str) -> int:
    try:
        return int(value.decode("ascii"))
    except ValueError:
        raise HeaderError(f"expected a pax {what}, found {value!r}") from None


def _pax_time(value: bytes) -> int:
    """Seconds with a fraction, of which nanoseconds are kept (archive/tar, parsePAXTime)."""
    seconds, _, fraction = value.partition(b".")
    if fraction and not fraction.isdigit():
        raise HeaderError(f"expected a pax mtime in seconds, found {value!r}")
    whole = _pax_int(seconds, "mtime in seconds") * NANOSECONDS
    part = int(fraction[:9].ljust(9, b"0"))
    return whole - part if seconds.startswith(b"-") else whole + part
