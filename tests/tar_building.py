"""Layers built byte by byte: what tests need is often what no tar program would write.

`layer(file("a", b"x"), symlink("l", "a"))` is the bytes of a tar. Each function makes one member run; `raw` puts anything else
between. Paths and values are text (written as UTF-8) or bytes.
"""

from collections.abc import Iterable, Mapping
from typing import Any

BLOCK = 512
END = bytes(2 * BLOCK)

Text = str | bytes


def layer(*runs: bytes, end: bytes = END) -> bytes:
    """Member runs, and the end of the archive."""
    return b"".join(runs) + end


def file(name: Text, data: bytes = b"", **attributes: Any) -> bytes:
    return member(name, b"0", data=data, **{"mode": 0o644, **attributes})


def directory(name: Text, **attributes: Any) -> bytes:
    """With the trailing slash that tar programs write."""
    name = as_bytes(name)
    return member(name if name.endswith(b"/") else name + b"/", b"5", **{"mode": 0o755, **attributes})


def symlink(name: Text, target: Text, **attributes: Any) -> bytes:
    return member(name, b"2", link=target, **{"mode": 0o777, **attributes})


def hard_link(name: Text, target: Text, **attributes: Any) -> bytes:
    return member(name, b"1", link=target, **{"mode": 0o644, **attributes})


def char_device(name: Text, major: int, minor: int, **attributes: Any) -> bytes:
    return member(name, b"3", device=(major, minor), **attributes)


def block_device(name: Text, major: int, minor: int, **attributes: Any) -> bytes:
    return member(name, b"4", device=(major, minor), **attributes)


def fifo(name: Text, **attributes: Any) -> bytes:
    return member(name, b"6", **attributes)


def whiteout(path: str) -> bytes:
    """Hides `path` of lower layers."""
    parent, slash, name = path.rpartition("/")
    return file(f"{parent}{slash}.wh.{name}")


def opaque(path: str) -> bytes:
    """Hides everything that lower layers have in the directory `path`."""
    return file(f"{path}/.wh..wh..opq" if path else ".wh..wh..opq")


def global_header(records: Mapping[Any, Text]) -> bytes:
    """Pax records for all members that follow."""
    return member("pax_global_header", b"g", data=pax_records(records))


def member(
    name: Text,
    flag: bytes,
    *,
    data: bytes = b"",
    link: Text = b"",
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    mtime: int = 1_700_000_000,
    device: tuple[int, int] = (0, 0),
    size: int | None = None,
    xattrs: Mapping[Any, Text] | None = None,
    pax: Mapping[Any, Text] | None = None,
    gnu: bool = False,
    spare: bytes = b"",
) -> bytes:
    """One member run. `xattrs` and names over 100 bytes become pax records, with `gnu` GNU long names; `size` overrules the
    length of `data` in the header; `spare` goes to the end of the header (sparse maps)."""
    name, link = as_bytes(name), as_bytes(link)
    records: dict[Text, Text] = dict(pax or {})
    records.update({b"SCHILY.xattr." + as_bytes(key): value for key, value in (xattrs or {}).items()})
    before = b""
    for flag_of_long, long, key in ((b"L", name, b"path"), (b"K", link, b"linkpath")):
        if len(long) > 100 and gnu:
            before += header(b"././@LongLink", flag_of_long, size=len(long) + 1, gnu=True) + padded(long + b"\0")
        elif len(long) > 100:
            records.setdefault(key, long)
    if records:
        payload = pax_records(records)
        before += header(b"PaxHeaders/" + name[:80], b"x", size=len(payload)) + padded(payload)
    own = header(
        name[:100],
        flag,
        link=link[:100],
        mode=mode,
        uid=uid,
        gid=gid,
        mtime=mtime,
        device=device,
        size=len(data) if size is None else size,
        gnu=gnu,
        spare=spare,
    )
    return before + own + padded(data)


def header(
    name: Text,
    flag: bytes,
    *,
    size: int = 0,
    link: Text = b"",
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    mtime: int = 1_700_000_000,
    device: tuple[int, int] = (0, 0),
    gnu: bool = False,
    spare: bytes = b"",
) -> bytes:
    """One block, with its checksum."""
    block = bytearray(BLOCK)
    _put(block, 0, as_bytes(name))
    for at, width, value in ((100, 8, mode), (108, 8, uid), (116, 8, gid), (124, 12, size), (136, 12, mtime)):
        _put(block, at, number(value, width))
    block[156:157] = flag
    _put(block, 157, as_bytes(link))
    _put(block, 257, b"ustar  \0" if gnu or spare else b"ustar\x0000")
    _put(block, 329, number(device[0], 8))
    _put(block, 337, number(device[1], 8))
    if spare:
        _put(block, 386, spare)
    return with_checksum(bytes(block))


def with_checksum(block: bytes) -> bytes:
    """The header block with the right sum in it."""
    total = sum(block[:148]) + 8 * 32 + sum(block[156:])
    return block[:148] + b"%06o\0 " % total + block[156:]


def number(value: int, width: int) -> bytes:
    """Octal, or base 256 where that doesn't reach (GNU)."""
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    filled = (value + (1 << 8 * width)) % (1 << 8 * width)
    encoded = bytearray(filled.to_bytes(width, "big"))
    encoded[0] |= 0x80
    return bytes(encoded)


def pax_records(records: Mapping[Any, Text]) -> bytes:
    """`LENGTH KEY=VALUE\\n` each, the length counting itself."""
    return b"".join(_record(as_bytes(key), as_bytes(value)) for key, value in records.items())


def _record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(b"%d" % length + rest) != length:
        length += 1
    return b"%d" % length + rest


def gnu_sparse(name: Text, parts: Iterable[tuple[int, bytes]], real_size: int, **attributes: Any) -> bytes:
    """An old GNU sparse member (type S) of up to 4 extents, given as offset and data, both multiples of 512 but for the end."""
    extents = list(parts)
    assert len(extents) <= 4
    entries = b"".join(number(offset, 12) + number(len(data), 12) for offset, data in extents)
    spare = entries.ljust(96, b"\0") + b"\0" + number(real_size, 12)
    return member(name, b"S", data=b"".join(data for _, data in extents), gnu=True, spare=spare, **attributes)


def pax_sparse(name: str, parts: Iterable[tuple[int, bytes]], real_size: int, **attributes: Any) -> bytes:
    """A pax sparse member, format 1.0: its map is the first block of its data."""
    extents = list(parts)
    numbers = [len(extents), *(value for offset, data in extents for value in (offset, len(data)))]
    stored = padded("".join(f"{value}\n" for value in numbers).encode()) + b"".join(data for _, data in extents)
    pax = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": name,
        "GNU.sparse.realsize": str(real_size),
        **attributes.pop("pax", {}),
    }
    return member(f"GNUSparseFile.0/{name}"[:100], b"0", data=stored, pax=pax, **attributes)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def as_bytes(text: Text) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _put(block: bytearray, at: int, value: bytes) -> None:
    block[at : at + len(value)] = value
