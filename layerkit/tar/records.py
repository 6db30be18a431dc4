"""A member's headers with some of their pax records left out, and nothing else changed."""

from collections.abc import Callable

from layerkit.tar.header import BLOCK, parse_number

_PAX = (b"x", b"X")
_EXTENSIONS = (*_PAX, b"L", b"K")


def without_records(head: bytes, gone: Callable[[bytes, bytes], bool]) -> bytes:
    """`head`, a member run without data (extension headers and header), without the records whose key and value are `gone`. An
    extension header that has no others goes with them."""
    out = []
    at = 0
    while at < len(head):
        block = head[at : at + BLOCK]
        flag = block[156:157]
        size = parse_number(block[124:136], "size") if flag in _EXTENSIONS else 0
        end = at + BLOCK + -(-size // BLOCK) * BLOCK
        payload = head[at + BLOCK : at + BLOCK + size]
        records = _kept(payload, gone) if flag in _PAX else payload
        if records == payload:
            out.append(head[at:end])
        elif records:
            out.append(sealed(block[:124] + f"{len(records):011o}\0".encode() + block[136:]))
            out.append(records + bytes(-len(records) % BLOCK))
        at = end
    return b"".join(out)


def sealed(block: bytes) -> bytes:
    """A header block with the checksum of what it holds."""
    plain = block[:148] + b" " * 8 + block[156:]
    return block[:148] + f"{sum(plain):06o}\0 ".encode() + block[156:]


def _kept(records: bytes, gone: Callable[[bytes, bytes], bool]) -> bytes:
    """As they are, `LENGTH KEY=VALUE\\n` each; they were parsed before."""
    kept = []
    at = 0
    while at < len(records):
        length = int(records[at : records.index(b" ", at)])
        record = records[at : at + length]
        key, _, value = record.partition(b" ")[2].partition(b"=")
        if not gone(key, value[:-1]):
            kept.append(record)
        at += length
    return b"".join(kept)
