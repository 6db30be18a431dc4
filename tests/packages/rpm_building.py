"""Databases of rpm, made here in the three forms there are."""

import sqlite3
import struct
from collections.abc import Sequence
from contextlib import closing

INT32, STRING, STRINGS = 4, 6, 8


def header(name: str, version: str = "1", release: str = "2", epoch: int | None = None, paths: Sequence[str] = ()) -> bytes:
    """As a package has it, in the order of tags."""
    folders = sorted({path.rpartition("/")[0] + "/" for path in paths})
    entries: list[tuple[int, int, int, bytes]] = [
        (1000, STRING, 1, name.encode() + b"\0"),
        (1001, STRING, 1, version.encode() + b"\0"),
        (1002, STRING, 1, release.encode() + b"\0"),
    ]
    if epoch is not None:
        entries.append((1003, INT32, 1, struct.pack(">I", epoch)))
    if paths:
        numbers = [folders.index(path.rpartition("/")[0] + "/") for path in paths]
        names = [path.rpartition("/")[2] for path in paths]
        entries += [
            (1116, INT32, len(paths), struct.pack(f">{len(paths)}I", *numbers)),
            (1117, STRINGS, len(paths), b"".join(name.encode() + b"\0" for name in names)),
            (1118, STRINGS, len(folders), b"".join(folder.encode() + b"\0" for folder in folders)),
        ]
    return packed(entries)


def packed(entries: Sequence[tuple[int, int, int, bytes]]) -> bytes:
    """Of tag, type, count, value."""
    index, data = b"", b""
    for tag, kind, count, value in entries:
        if kind == INT32:
            data += bytes(-len(data) % 4)
        index += struct.pack(">IIII", tag, kind, len(data), count)
        data += value
    return struct.pack(">II", len(entries), len(data)) + index + data


def sqlite(headers: Sequence[bytes], script: str = "", *, write_ahead: bool = True) -> bytes:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(script or "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
        if not script:
            database.executemany("INSERT INTO Packages (blob) VALUES (?)", [(blob,) for blob in headers])
        database.commit()
        data = database.serialize()
    return data[:18] + b"\2\2" + data[20:] if write_ahead else data


def ndb(headers: Sequence[bytes]) -> bytes:
    """One page of slots, the first one free, as if a package had been removed."""
    slots = struct.pack("<4sIIIIIII", b"RpmP", 0, 7, 1, len(headers) + 1, 0, 0, 0) + struct.pack("<4sIII", b"Slot", 0, 0, 0)
    blobs = b""
    for number, blob in enumerate(headers, start=1):
        length = 16 + len(blob) + 12
        whole = struct.pack("<4sIII", b"BlbS", number, 0, len(blob)) + blob + bytes(-length % 16)
        whole += struct.pack("<II4s", 0, len(blob), b"BlbE")
        slots += struct.pack("<4sIII", b"Slot", number, (4096 + len(blobs)) // 16, len(whole) // 16)
        blobs += whole
    return slots + struct.pack("<4sIII", b"Slot", 0, 0, 0) * ((4096 - len(slots)) // 16) + blobs


def berkeley(headers: Sequence[bytes], order: str = "<", size: int = 512) -> bytes:
    """One page of the table, and overflow pages for all values but the smallest."""
    pages: list[bytearray] = [bytearray(size), bytearray(size)]
    items = [b"\x01" + bytes(4), b"\x01" + struct.pack(order + "I", len(headers) + 1)]
    for number, blob in enumerate(headers, start=1):
        items.append(b"\x01" + struct.pack(order + "I", number))
        if len(blob) < 64:
            items.append(b"\x01" + blob)
            continue
        items.append(b"\x03\0\0\0" + struct.pack(order + "II", len(pages), len(blob)))
        parts = [blob[at : at + size - 26] for at in range(0, len(blob), size - 26)]
        for part in parts:
            following = len(pages) + 1 if part is not parts[-1] else 0
            page = bytearray(size)
            struct.pack_into(order + "8xIIIHHBB", page, 0, len(pages), 0, following, 1, len(part), 0, 7)
            page[26 : 26 + len(part)] = part
            pages.append(page)
    struct.pack_into(order + "8xIIII", pages[0], 0, 0, 0x061561, 9, size)
    pages[0][25] = 8
    end = size
    struct.pack_into(order + "8xIIIHHBB", pages[1], 0, 1, 0, 0, len(items), 0, 0, 13)
    for at, item in enumerate(items):
        end -= len(item)
        struct.pack_into(order + "H", pages[1], 26 + 2 * at, end)
        pages[1][end : end + len(item)] = item
    return b"".join(pages)
