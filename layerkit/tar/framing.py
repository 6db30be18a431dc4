"""Where each member of a tar begins and ends.

In: the bytes of a tar in order (`Framer.feed`), or a file to be walked by position (`members_of`, which reads headers only).
Out: a `Member` as soon as its headers are complete, before its data. A member run is extension headers + header + data +
padding; nothing between runs is lost.

The end is strict. A bad checksum, a short read and a missing end-of-archive block are DamagedErrors that name the offset:
readers that stop there silently lose files.
"""

from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple, TypeVar

from layerkit.errors import DamagedError
from layerkit.image.blob import Buffer, ReadableFile
from layerkit.image.foreign import natural
from layerkit.tar.header import (
    BLOCK,
    KINDS,
    ZERO_BLOCK,
    Header,
    HeaderError,
    Kind,
    parse_header,
    parse_pax,
    sparse_extension_follows,
)

MAX_EXTENSION = 4 << 20
"""Bytes of one member's extension headers and sparse map together. Linux limits a path to 4 KiB and an xattr to 64 KiB; real ones
stay under 1 MiB."""

MAX_PATH = 16 << 10
"""Bytes of a member's path, and of what a link points to. Linux takes 4 KiB; nothing could be made of a longer one."""

MAX_EXTENSIONS = 64 << 20
"""Bytes of all extension headers of a tar, beyond _USUAL for each member."""

_USUAL = 512
"""Bytes of a member's extension headers: times, a long path, a few attributes. Real layers have 0 to 300 in the mean."""

T = TypeVar("T")

_NO_RECORDS: dict[bytes, bytes] = {}
_LONGER = frozenset((b"x", b"X", b"L", b"K", b"g", b"S"))
"""Types whose headers may be more than one block."""
_FILE = Kind.FILE  # once: up to Python 3.11, looking up a member of an Enum takes as long as reading a field of a header
_NEVER = 1 << 62


class Member(NamedTuple):
    """One member run: bytes [start, end) of the tar."""

    start: int
    data: int
    """Offset of the first byte of data; [start, data) are the headers."""
    size: int
    """Bytes of data as stored, without padding."""
    end: int
    kind: Kind
    name: bytes
    """As the archive spells it; see `clean`."""
    link: bytes
    """Target of a hard link or symlink, as spelled."""
    head: bytes
    """The bytes [start, data). A pax global header's records count as part of it."""
    pax: dict[bytes, bytes]
    """Records of the member's own extension header."""

    @property
    def path(self) -> bytes:
        return clean(self.name)


def clean(name: bytes) -> bytes:
    """The one path behind `./a`, `a`, `/a`, `a/` and `b/../a`: without leading or trailing slash; the root is empty."""
    if name.startswith(b"./"):
        name = name[2:]
    if b"//" not in name and b"/." not in name and not name.startswith(b"."):  # most names
        return name.strip(b"/")
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part and part != b".":
            parts.append(part)
    return b"/".join(parts)


class Framer:
    """Frames a tar that streams by. `where` is what messages call it."""

    def __init__(self, where: str) -> None:
        self._walk = _Walk(where)
        self._fed = 0
        self._carry = b""
        """Of the bytes that the walk wants, those that were fed already."""

    def feed(self, data: Buffer) -> list[Member]:
        """The members whose headers end in `data`, the next bytes of the tar. Raises DamagedError."""
        view = memoryview(data)
        begin = self._fed
        self._fed = fed = begin + len(view)
        members: list[Member] = []
        walk = self._walk
        while (upto := walk.at + walk.want) <= fed:
            if self._carry:
                block = self._carry + view[: upto - begin]
                self._carry = b""
            else:
                block = view[walk.at - begin : upto - begin].tobytes()
            member = walk.take(block)
            if member is not None:
                members.append(member)
        if walk.at < fed:
            self._carry += view[max(walk.at - begin, 0) :]
        return members

    @property
    def settled(self) -> int | None:
        """Offset up to which the bytes fed so far belong to members already given out (or to what follows the archive's end);
        None: all of them do."""
        return None if self._walk.at > self._fed else self._walk.run_start

    @property
    def end(self) -> int | None:
        """Offset of the archive's end, once it was seen."""
        return self._walk.end

    def close(self) -> int:
        """To be called after the last byte: the offset at which the archive's end is marked. Raises DamagedError if it isn't."""
        return self._walk.close(self._fed)


def members_of(file: ReadableFile, where: str, start: int = 0, size: int | None = None) -> Iterator[Member]:
    """The members of a tar that is a whole file, or `size` bytes of it from `start`, in order; data is skipped, not read. Raises
    DamagedError."""
    end = file.size if size is None else size
    walk = _Walk(where)
    while walk.at + walk.want <= end:
        member = walk.take(file.read_at(start + walk.at, walk.want))
        if member is not None:
            yield member
    walk.close(end)


class _Walk:
    """The state machine behind both readers: says which bytes it wants, is given them, and makes members of them."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.at = 0
        """Offset of the bytes that are wanted next."""
        self.want = BLOCK
        """How many they are; never none."""
        self.run_start = 0
        """Offset of the run that is being read."""
        self.end: int | None = None
        """Offset of the archive's end."""
        self._member: Member | None = None
        """The last one."""
        self._run: Generator[int, bytes, Member] | None = None
        """The run that is being read, if its headers are more than one block."""
        self._members = 0
        self._extended = 0
        """Bytes of extension headers so far."""
        self._missing = 0, ""
        """Of that run: the offset to name, and what is expected there."""

    def take(self, block: bytes) -> Member | None:
        """The bytes that were wanted. Returns the member whose headers they complete."""
        start = self.at
        self.at = start + len(block)
        if self._run is not None:
            return self._continue(self._run, block)
        if block == ZERO_BLOCK:
            self.end = start
            self.at = _NEVER  # whatever follows the end, appliers don't read it
            return None
        try:
            flag, name, link, size = header = parse_header(block)
        except HeaderError as error:
            raise self._damaged(start, error) from None
        if flag in _LONGER:
            self._run = self._steps(start, header)
            next(self._run)  # to where it is sent the first block
            return self._continue(self._run, block)
        self._members += 1
        kind = KINDS.get(flag)
        if kind is not _FILE or name.endswith(b"/"):
            kind = self._kind(header, start)
            size = size if header.has_data else 0
        data = start + BLOCK
        self.at = self.run_start = end = data + _padded(size)
        fields = start, data, size, end, kind, name, link, block, _NO_RECORDS
        self._member = member = tuple.__new__(Member, fields)  # what Member() does, without the detour through its own __new__
        return member

    def _continue(self, run: Generator[int, bytes, Member], block: bytes) -> Member | None:
        try:
            self.want = run.send(block)
        except StopIteration as done:
            self._run = None
            self._members += 1
            self.want = BLOCK
            member: Member = done.value
            self.at = self.run_start = member.end
            self._member = member
            return member
        return None

    def _steps(self, start: int, header: Header) -> Generator[int, bytes, Member]:
        """One member run, whose first header is here. Yields how many bytes are wanted next and is sent them, the block of that
        header first."""
        block = yield BLOCK
        head = [block]
        pax = _NO_RECORDS
        long_name = long_link = b""
        at = start
        """Offset of the header."""
        while header.flag in (b"x", b"X", b"L", b"K"):
            payload = b""
            if padded := self._extension(header, at, start):
                payload = yield padded
                head.append(payload)
                payload = payload[: header.size]
            if header.flag == b"L":
                long_name = payload.partition(b"\0")[0]
            elif header.flag == b"K":
                long_link = payload.partition(b"\0")[0]
            else:
                pax = {**pax, **self._parse(parse_pax, payload, at + BLOCK)}
            at += BLOCK + padded
            self._missing = at, "the header that the extension header is for"
            block = yield BLOCK
            if block == ZERO_BLOCK:
                raise self._error(*self._missing, "the end of the archive")
            head.append(block)
            header = self._parse(parse_header, block, at)
        if header.flag == b"g":
            if padded := self._extension(header, at, start):
                payload = yield padded
                head.append(payload)
                self._parse(parse_pax, payload[: header.size], at + BLOCK)
            header = header._replace(size=0)
        elif header.flag == b"S":
            first = True
            while sparse_extension_follows(block, first=first):
                self._missing = self.at, "the rest of a sparse map"
                self._extend(BLOCK, self.at, start)
                block = yield BLOCK
                head.append(block)
                first = False
        kind = self._kind(header, at)
        size = header.size if header.has_data else 0
        if b"size" in pax and header.has_data:
            size = self._parse(_pax_size, pax[b"size"], start)
        name = long_name or pax.get(b"GNU.sparse.name") or pax.get(b"path") or header.name
        link = long_link or pax.get(b"linkpath") or header.link
        if max(len(name), len(link)) > MAX_PATH:
            raise self._error(start, f"a path of at most {MAX_PATH:,} bytes", f"{max(len(name), len(link)):,}")
        joined = b"".join(head)
        data = start + len(joined)
        return Member(start, data, size, data + _padded(size), kind, name, link, joined, pax)

    def _extension(self, header: Header, at: int, start: int) -> int:
        """How many bytes follow the header of an extension, with padding. `start`: offset of the run."""
        self._missing = at, f"the rest of a {header.flag.decode()!r} extension header"
        self._extend(header.size, at, start)
        return _padded(header.size)

    def _extend(self, size: int, at: int, start: int) -> None:
        """The run that began at `start` has so many bytes more at `at`."""
        if at - start + size > MAX_EXTENSION:
            raise self._error(
                at, f"extension headers of at most {MAX_EXTENSION:,} bytes for one member", f"{at - start + size:,}"
            )
        self._extended += size
        if self._extended > (most := MAX_EXTENSIONS + _USUAL * self._members):
            raise self._error(at, f"extension headers of at most {most:,} bytes for {self._members:,} members", "more")

    def _kind(self, header: Header, at: int) -> Kind:
        kind = header.kind
        if kind is None:
            raise self._error(at, "a tar member of a known type", f"type {header.flag!r} ({header.name!r})")
        return kind

    def close(self, fed: int) -> int:
        """There are `fed` bytes in all. The offset of the archive's end."""
        if self.end is not None:
            return self.end
        truncated = "the end of the file (it is truncated)"
        if self._run is not None:
            raise self._error(*self._missing, truncated)
        if self.at > fed:
            assert self._member is not None
            raise self._error(self.at, f"the data of {self._member.name.decode(errors='replace')!r}", truncated)
        if self.at < fed:
            raise self._error(self.at, "a tar header of 512 bytes", f"{fed - self.at} bytes (the file is truncated)")
        if fed:
            raise self._error(self.at, "an end-of-archive block", "the end of the file (it is truncated, or its writer was)")
        return 0  # not one byte: an empty layer

    def _parse(self, parse: Callable[[bytes], T], data: bytes, at: int) -> T:
        try:
            return parse(data)
        except HeaderError as error:
            raise self._damaged(at, error) from None

    def _damaged(self, at: int, error: HeaderError) -> DamagedError:
        return DamagedError(f"{self.where}: offset {at:,}: {error}")

    def _error(self, at: int, expected: str, found: str) -> DamagedError:
        return DamagedError.mismatch(f"{self.where}: offset {at:,}", expected=expected, found=found)


def _padded(size: int) -> int:
    return (size + BLOCK - 1) & -BLOCK


def _pax_size(value: bytes) -> int:
    size = natural(value)
    if size is None:
        raise HeaderError(
            f"expected a pax size in bytes, found {value[:40]!r}"
            + (f" and so on, {len(value):,} bytes" if len(value) > 40 else "")
        )
    return size
