"""A directory's entry without its times.

A part repeats the directories above its first member, or appliers would make them anew. When a release adds a file to a
directory, the directory's mtime changes, and with it every part that repeats the entry, although nothing else in them did. On
an overlay only the topmost entry of a directory counts: so parts repeat entries without times, and a small part
above them all holds the entries as they are.

The part that a directory's own entry is in would change as well. For most directories that is the part with all of their content.
It isn't for those that a layer begins with, and for *shelves*, which are as large as everything that was ever installed.
"""

from layerkit.tar.header import BLOCK, parse_number
from layerkit.tar.records import sealed

_SHELVES = frozenset({b"site-packages", b"dist-packages", b"node_modules", b"gems"})
"""Directories in which package managers put packages side by side."""

_TIMES = (b"mtime", b"atime", b"ctime")


def is_shelf(path: bytes) -> bool:
    """Is the directory a shelf that is in no other?"""
    *above, name = path.split(b"/")
    return name in _SHELVES and _SHELVES.isdisjoint(above)


def timeless(head: bytes) -> bytes:
    """`head`, a member run without data (extension headers and header), with all times at zero or left out."""
    out = []
    at = 0
    while at < len(head):
        block = head[at : at + BLOCK]
        at += BLOCK
        flag = block[156:157]
        size = -(-parse_number(block[124:136], "size") // BLOCK) * BLOCK if flag in b"xXLK" else 0
        payload = head[at : at + size]
        at += size
        if flag in b"xX":
            records = _without_times(payload[: parse_number(block[124:136], "size")])
            if not records:
                continue
            block = sealed(block[:124] + f"{len(records):011o}\0".encode() + block[136:])
            payload = records + bytes(-len(records) % BLOCK)
        out.append(_without_mtime(block) + payload)
    return b"".join(out)


def _without_mtime(block: bytes) -> bytes:
    block = block[:136] + b"00000000000\0" + block[148:]
    if block[257:265] == b"ustar  \0":  # GNU keeps atime and ctime where ustar has the prefix
        block = block[:345] + bytes(24) + block[369:]
    return sealed(block)


def _without_times(records: bytes) -> bytes:
    """Pax records but those of times; the others stay as they are."""
    kept = []
    at = 0
    while at < len(records):
        length = int(records[at : records.index(b" ", at)])
        record = records[at : at + length]
        if record.partition(b" ")[2].partition(b"=")[0] not in _TIMES:
            kept.append(record)
        at += length
    return b"".join(kept)
