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
from layerkit.image.blob import Buffer, InputFile
from layerkit.tar.header import (
    BLOCK,
    ZERO_BLOCK,
    Header,
    HeaderError,
    Kind,
    parse_header,
    parse_pax,
    sparse_extension_follows,
)

MAX_EXTENSION = 16 << 20
"""Bytes of one extension header. Linux limits a path to 4 KiB and an xattr to 64 KiB; real ones stay under 1 MiB."""

T = TypeVar("T")

_NO_RECORDS: dict[bytes, bytes] = {}


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
        self._steps = self._walk.steps()
        self._want = next(self._steps)
        self._carry = b""

    def feed(self, data: Buffer) -> list[Member]:
        """The members whose headers end in `data`, the next bytes of the tar. Raises DamagedError."""
        view = memoryview(data)
        at, end = 0, len(view)
        while at < end:
            want = self._want
            if want < 0:
                step = min(-want, end - at)
                at += step
                self._want = want + step
                if self._want == 0:
                    self._want = self._steps.send(b"")
                continue
            need = want - len(self._carry)
            if end - at < need:
                self._carry += view[at:]
                break
            block = self._carry + view[at : at + need]
            self._carry = b""
            at += need
            self._want = self._steps.send(block)
        return self._walk.take()

    @property
    def settled(self) -> int | None:
        """Offset up to which the bytes fed so far belong to members already given out (or to what follows the archive's end);
        None: all of them do."""
        return None if self._want < 0 or self._walk.ended else self._walk.run_start

    @property
    def end(self) -> int | None:
        """Offset of the archive's end, once it was seen."""
        return self._walk.end if self._walk.ended else None

    def close(self) -> int:
        """To be called after the last byte: the offset at which the archive's end is marked. Raises DamagedError if it isn't."""
        return self._walk.close(pending=self._want < 0, partial=len(self._carry))


def members_of(file: InputFile, where: str) -> Iterator[Member]:
    """The members of a tar that is a whole file, in order; data is skipped, not read. Raises DamagedError."""
    walk = _Walk(where)
    steps = walk.steps()
    want = next(steps)
    at = 0
    while at < file.size:
        if want < 0:
            if at - want > file.size and not walk.ended:
                break
            at = min(at - want, file.size)
            want = steps.send(b"")
        else:
            if at + want > file.size:
                break
            block = file.read_at(at, want)
            at += want
            want = steps.send(block)
        yield from walk.take()
        if walk.ended:
            return
    walk.close(pending=at < file.size or want < 0, partial=file.size - at)


class _Walk:
    """The state machine behind both readers: asks for bytes, or to skip them, and collects members."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.ended = False
        self._found: list[Member] = []
        self.run_start = 0
        """Offset of the run that is being read."""
        self.end = 0
        self._at = 0
        self._expecting = ""

    def take(self) -> list[Member]:
        found, self._found = self._found, []
        return found

    def steps(self) -> Generator[int, bytes, None]:
        """Yields n > 0: the next n bytes are wanted; n < 0: the next -n bytes are of no interest. Is sent the bytes."""
        while True:
            start = self.run_start = self._at
            self._expecting = ""
            block = yield BLOCK
            if block == ZERO_BLOCK:
                self.end = start
                self.ended = True
                while True:  # whatever follows the end, appliers don't read it
                    self._at += BLOCK
                    yield -(1 << 62)
            yield from self._run(start, block)

    def _run(self, start: int, block: bytes) -> Generator[int, bytes, None]:
        """One member run, whose first block is here."""
        head = [block]
        pax = _NO_RECORDS
        long_name = long_link = b""
        header = self._parse(parse_header, block, start)
        at = start + BLOCK
        while header.flag in (b"x", b"X", b"L", b"K"):
            self._check_extension(header, at - BLOCK)
            padded = _padded(header.size)
            payload = (yield padded) if padded else b""
            head.append(payload)
            payload = payload[: header.size]
            if header.flag == b"L":
                long_name = payload.partition(b"\0")[0]
            elif header.flag == b"K":
                long_link = payload.partition(b"\0")[0]
            else:
                pax = {**pax, **self._parse(parse_pax, payload, at)}
            at += padded
            self._at = at
            self._expecting = "the header that the extension header is for"
            block = yield BLOCK
            if block == ZERO_BLOCK:
                raise self._error(at, self._expecting, "the end of the archive")
            header = self._parse(parse_header, block, at)
            head.append(block)
            at += BLOCK
        if header.flag == b"g":
            self._check_extension(header, at - BLOCK)
            payload = (yield _padded(header.size)) if header.size else b""
            head.append(payload)
            self._parse(parse_pax, payload[: header.size], at)
            at += len(payload)
            header = header._replace(size=0)
        if header.flag == b"S":
            first = True
            while sparse_extension_follows(block, first=first):
                self._at = at
                self._expecting = "the rest of a sparse map"
                block = yield BLOCK
                head.append(block)
                at += BLOCK
                first = False
        kind = header.kind
        if kind is None:
            raise self._error(at - BLOCK, "a tar member of a known type", f"type {header.flag!r} ({header.name!r})")
        size = header.size if header.has_data else 0
        if b"size" in pax and header.has_data:
            size = self._parse(_pax_size, pax[b"size"], start)
        name = long_name or pax.get(b"GNU.sparse.name") or pax.get(b"path") or header.name
        link = long_link or pax.get(b"linkpath") or header.link
        end = at + _padded(size)
        self._found.append(Member(start, at, size, end, kind, name, link, b"".join(head), pax))
        self._at = end
        if end > at:
            self._expecting = f"the data of {name.decode(errors='replace')!r}"
            yield at - end

    def _check_extension(self, header: Header, at: int) -> None:
        self._expecting = f"the rest of a {header.flag.decode()!r} extension header"
        if header.size > MAX_EXTENSION:
            raise self._error(at, f"an extension header of at most {MAX_EXTENSION:,} bytes", f"{header.size:,}")

    def close(self, *, pending: bool, partial: int) -> int:
        if self.ended:
            return self.end
        if self._expecting:
            raise self._error(self._at, self._expecting, "the end of the file (it is truncated)")
        if partial:
            raise self._error(self._at, "a tar header of 512 bytes", f"{partial} bytes (the file is truncated)")
        if pending or self._at:
            raise self._error(self._at, "an end-of-archive block", "the end of the file (it is truncated, or its writer was)")
        return 0  # not one byte: an empty layer

    def _parse(self, parse: Callable[[bytes], T], data: bytes, at: int) -> T:
        try:
            return parse(data)
        except HeaderError as error:
            raise DamagedError(f"{self.where}: offset {at:,}: {error}") from None

    def _error(self, at: int, expected: str, found: str) -> DamagedError:
        return DamagedError.mismatch(f"{self.where}: offset {at:,}", expected=expected, found=found)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _pax_size(value: bytes) -> int:
    if not value.isdigit():
        raise HeaderError(f"expected a pax size in bytes, found {value!r}")
    return int(value)
