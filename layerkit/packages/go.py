"""Go's binaries. In: an executable, in chunks, from its beginning. Out: the module that it was built of.

The linker leaves a blob among the data: a mark, then Go's version and the list of modules, each as a length and text (Go 1.18 and
newer; before, as addresses, which aren't followed). Only writable segments of ELF files are searched: most of a large library is
something else.
"""

import re
import struct
from typing import NamedTuple

from layerkit.image.blob import Buffer

MARK = b"\xff Go buildinf:"
_INLINE = 2
"""Beside the mark: text follows."""
_TEXT = 32
"""Offset of the text."""
_FRAME = 16
"""Bytes before and after the list of modules."""
_KEPT = 16 << 10
"""Bytes of the blob that are read: the main module comes first."""
_ELF = b"\x7fELF"
_ELF_HEAD = 4096
"""Bytes that hold the segments' headers; what has more of them isn't by Go."""
_PT_LOAD, _WRITABLE = 1, 2
_PATH = re.compile(rb"^path\t([^\t\n]+)\n", re.MULTILINE)
_MODULE = re.compile(rb"^mod\t([^\t\n]+)\t([^\t\n]*)[\t\n]", re.MULTILINE)


class GoModule(NamedTuple):
    path: str
    """`github.com/docker/cli`; of what was built without modules, the package's."""
    version: str


class GoReader:
    """`update` it with all of a file, or until it is `done`; then `close` it."""

    def __init__(self) -> None:
        self.done = False
        self.module: GoModule | None = None
        self._head = b""
        """The beginning, until the segments are known."""
        self._elf: _Elf | None = None
        self._at = 0
        """Where the next chunk begins."""
        self._tail = b""
        """The last bytes before, as many as may be the beginning of a mark."""
        self._blob: bytes | None = None

    def update(self, data: Buffer, /) -> None:
        if self.done:
            return
        if self._blob is not None:
            self._blob += bytes(data[: _KEPT - len(self._blob)])
        elif self._elf is not None:
            self._search(self._elf, data)
        else:
            if not _ELF.startswith((self._head + bytes(data[: len(_ELF)]))[: len(_ELF)]):
                self._end()
                return
            self._head += bytes(data)
            if len(self._head) >= _ELF_HEAD:
                self._begin()
        if self._blob is not None and len(self._blob) >= _KEPT:
            self._end()

    def close(self) -> None:
        """That was all of it."""
        if not self.done and self._elf is None:
            self._begin()
        self._end()

    def _begin(self) -> None:
        self._elf = _elf(self._head[:_ELF_HEAD])
        head, self._head = self._head, b""
        if self._elf is None:
            self._end()
        else:
            self._search(self._elf, head)

    def _end(self) -> None:
        if self._blob is not None:
            self.module = _module(self._blob)
        self.done, self._head, self._blob = True, b"", None

    def _search(self, elf: "_Elf", data: Buffer) -> None:
        for begin, end in elf.writable:
            first, last = max(begin - self._at, 0), min(end - self._at, len(data))
            if first < last:
                part = (b"" if first else self._tail) + bytes(data[first:last])
                found = part.find(elf.mark)
                if found >= 0:
                    self._blob = (part[found : found + _KEPT] + bytes(data[last : last + _KEPT]))[:_KEPT]
                    return
        rest = len(elf.mark) - 1
        self._tail = (self._tail + bytes(data[-rest:]))[-rest:]
        self._at += len(data)
        if self._at >= max(end for _, end in elf.writable):
            self._end()


class _Elf(NamedTuple):
    writable: tuple[tuple[int, int], ...]
    """Offsets in the file, from and to."""
    mark: bytes
    """As this architecture has it."""


def _elf(head: bytes) -> _Elf | None:
    """None for what isn't an ELF file with data."""
    if len(head) < 64 or not head.startswith(_ELF) or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    wide, order = head[4] == 2, "<>"[head[5] - 1]
    (table,) = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)
    size, number = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    if size < (56 if wide else 32):
        return None
    found = []
    for at in range(table, min(table + number * size, len(head) - size + 1), size):
        if wide:
            kind, flags, offset, _, _, length = struct.unpack_from(order + "IIQQQQ", head, at)
        else:
            kind, offset, _, _, length, _, flags = struct.unpack_from(order + "IIIIIII", head, at)
        if kind == _PT_LOAD and flags & _WRITABLE and length:
            found.append((offset, offset + length))
    mark = MARK + bytes([8 if wide else 4, _INLINE + (order == ">")])
    return _Elf(tuple(found), mark) if found else None


def _module(blob: bytes) -> GoModule | None:
    version = _text(blob, _TEXT)
    modules = version and _text(blob, version[1])
    if not modules:
        return None
    begin, end = modules
    listed = blob[begin + _FRAME : end - _FRAME]
    if module := _MODULE.search(listed):
        return GoModule(_decoded(module[1]), _decoded(module[2]))
    path = _PATH.search(listed)
    return GoModule(_decoded(path[1]), "") if path else None


def _text(blob: bytes, at: int) -> tuple[int, int] | None:
    """Where a text begins and ends; its length comes before, seven bits to a byte, the lowest first."""
    length = 0
    for number, byte in enumerate(blob[at : at + 5]):
        length |= (byte & 127) << 7 * number
        if byte < 128:
            begin = at + number + 1
            return begin, begin + length
    return None


def _decoded(text: bytes) -> str:
    return text[:1024].decode("utf-8", "replace")
